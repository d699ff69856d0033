//! An HTTP request that is described in an event: what a person invokes a function of HTTP with, when its method, path
//! or headers matter.

use super::Signature;
use base64::Engine as _;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The one key of such an event.
const KEY: &str = "\"httpRequest\"";

/// A request as it shall be sent.
pub(super) struct Described {
    pub method: Method,
    pub target: PathAndQuery,
    pub headers: HeaderMap,
    pub body: Bytes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    #[serde(rename = "httpRequest")]
    request: Request,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    method: String,
    path: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// The request that an event describes; `None`: it is what the function shall get as it is.
pub(super) fn described(payload: &[u8], signature: Signature) -> Option<Described> {
    if signature.is_event() {
        return None;
    }
    let inside = payload.trim_ascii_start().strip_prefix(b"{")?.trim_ascii_start();
    if !inside.starts_with(KEY.as_bytes()) {
        return None;
    }
    let Event { request } = serde_json::from_slice(payload).ok()?;
    let between = if request.query.is_empty() { "" } else { "?" };
    let target = format!("{}{between}{}", request.path, request.query);
    let body = if request.is_base64_encoded {
        base64::engine::general_purpose::STANDARD.decode(&request.body).ok()?.into()
    } else {
        Bytes::from(request.body)
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?);
    }
    Some(Described {
        method: request.method.parse().ok()?,
        target: target.starts_with('/').then(|| target.parse().ok())??,
        headers: super::end_to_end(headers),
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_from_its_description() {
        let event = br#" { "httpRequest": { "method": "PUT", "path": "/a%20b", "query": "x=1&x=2",
            "headers": { "x-own": "yes", "connection": "close" }, "body": "AAE=", "isBase64Encoded": true } }"#;
        let request = described(event, Signature::Http).unwrap();
        assert_eq!((request.method, request.target.to_string()), (Method::PUT, "/a%20b?x=1&x=2".into()));
        assert_eq!((request.headers["x-own"].to_str().unwrap(), &request.body[..]), ("yes", &[0_u8, 1][..]));
        assert!(!request.headers.contains_key("connection"));
    }

    #[test]
    fn whatever_else_is_the_functions_own() {
        for other in [
            &b""[..],
            b"[]",
            br#"{"a": {"httpRequest": {}}}"#,
            br#"{"httpRequest": {"method": "GET"}}"#,
            br#"{"httpRequest": {"method": "GET", "path": "/"}, "more": 1}"#,
            br#"{"httpRequest": {"method": "G T", "path": "/"}}"#,
            br#"{"httpRequest": {"method": "GET", "path": "x"}}"#,
            br#"{"httpRequest": {"method": "GET", "path": "/", "headers": {"a\nb": "c"}}}"#,
        ] {
            assert!(described(other, Signature::Http).is_none(), "{}", String::from_utf8_lossy(other));
        }
        let event = br#"{"httpRequest": {"method": "GET", "path": "/"}}"#;
        assert!(described(event, Signature::CloudEvent).is_none());
    }
}
