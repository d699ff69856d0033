//! CloudEvents in their two HTTP forms: structured as a trigger makes them, binary as Eventarc sends them.
//!
//! Source: CloudEvents, "HTTP Protocol Binding", version 1.0.2.

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use serde_json::{Map, Value};

/// What the binding has encoded in header values, beside everything outside of ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// An event whose attributes are headers and whose data is the body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Binary {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Takes a structured event apart. `None`: `payload` is none.
pub(super) fn binary(payload: &[u8]) -> Option<Binary> {
    let mut event: Map<String, Value> = serde_json::from_slice(payload).ok()?;
    if !event.get("specversion")?.is_string() || !event.get("type")?.is_string() {
        return None;
    }
    let body = match (event.remove("data"), event.remove("data_base64")) {
        (Some(Value::String(text)), _) if !is_json(&event) => Bytes::from(text),
        (Some(data), _) => Bytes::from(data.to_string()),
        (None, Some(Value::String(encoded))) => {
            base64::engine::general_purpose::STANDARD.decode(encoded).ok()?.into()
        }
        _ => Bytes::new(),
    };
    let content_type = event.remove("datacontenttype");
    let mut headers = HeaderMap::new();
    let content_type = content_type.as_ref().and_then(Value::as_str).unwrap_or("application/json");
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(content_type).ok()?);
    for (name, value) in &event {
        let name = HeaderName::from_bytes(format!("ce-{name}").as_bytes()).ok()?;
        headers.insert(name, HeaderValue::from_str(&encoded(value)).ok()?);
    }
    Some(Binary { headers, body })
}

fn is_json(event: &Map<String, Value>) -> bool {
    event.get("datacontenttype").and_then(Value::as_str).is_none_or(|kind| kind.contains("json"))
}

fn encoded(value: &Value) -> String {
    match value {
        Value::String(text) => percent_encode(text.as_bytes(), ENCODED).to_string(),
        other => percent_encode(other.to_string().as_bytes(), ENCODED).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_become_headers_and_data_the_body() {
        let event =
            br#"{"specversion":"1.0","type":"t","id":"1","source":"//s","subject":"objects/gr\u00fcn 1%.txt",
            "bucket":"b","datacontenttype":"application/json","data":{"size":"5"}}"#;
        let binary = binary(event).unwrap();
        assert_eq!(binary.body, r#"{"size":"5"}"#);
        assert_eq!(binary.headers["ce-subject"], "objects/gr%C3%BCn%201%25.txt");
        assert_eq!(binary.headers["ce-bucket"], "b");
        assert_eq!(binary.headers["content-type"], "application/json");
        assert!(!binary.headers.contains_key("ce-datacontenttype"));
    }

    #[test]
    fn text_and_binary_data() {
        let of = |rest: &str| {
            let event =
                format!(r#"{{"specversion":"1.0","type":"t","datacontenttype":"text/plain",{rest}}}"#);
            binary(event.as_bytes()).unwrap().body
        };
        assert_eq!(of(r#""data":"plain words""#), "plain words");
        assert_eq!(of(r#""data_base64":"AAE=""#), &[0_u8, 1][..]);
    }

    #[test]
    fn what_is_no_event_is_left_alone() {
        let strangers: [&[u8]; 6] = [
            b"",
            b"[]",
            b"{}",
            br#"{"specversion":1,"type":"t"}"#,
            br#"{"specversion":"1.0"}"#,
            br#"{"specversion":"1.0","type":"t","a\nb":"c"}"#,
        ];
        for stranger in strangers {
            assert_eq!(binary(stranger), None, "{}", String::from_utf8_lossy(stranger));
        }
    }
}
