//! The HTTP request that a delivery brings: as it came, or as a person would make it of an event. An event may describe
//! a request, where its method, path or headers matter; any other is the body of one.

use super::ask::{PARAMS, attribute};
use super::index::Indexed;
use crate::app::App;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use mlemu_core::runtime::Delivery;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The one key of an event that describes a request.
const KEY: &str = "\"httpRequest\"";

/// A request as the function sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requested {
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// What its route captured.
    pub(super) params: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    #[serde(rename = "httpRequest")]
    request: Described,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Described {
    method: String,
    path: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    params: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    is_base64_encoded: bool,
}

impl Requested {
    pub(super) fn of(function: &Indexed, delivery: &Delivery, app: &App) -> Self {
        let invoke = &delivery.invoke;
        let Some(head) = &invoke.head else {
            return described(&invoke.payload).unwrap_or_else(|| by_hand(function, &invoke.payload, app));
        };
        let params = attribute(delivery, PARAMS).and_then(|text| serde_json::from_str(text).ok());
        Self {
            method: head.method.clone(),
            target: head.target.to_string(),
            headers: head.headers.clone(),
            body: invoke.payload.clone(),
            params: params.unwrap_or_default(),
        }
    }
}

/// The request that an event describes; `None`: the event is what the function shall get.
fn described(payload: &[u8]) -> Option<Requested> {
    let inside = payload.trim_ascii_start().strip_prefix(b"{")?.trim_ascii_start();
    if !inside.starts_with(KEY.as_bytes()) {
        return None;
    }
    let Event { request } = serde_json::from_slice(payload).ok()?;
    let between = if request.query.is_empty() { "" } else { "?" };
    let body = if request.is_base64_encoded {
        STANDARD.decode(&request.body).ok()?.into()
    } else {
        Bytes::from(request.body)
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?);
    }
    Some(Requested {
        method: request.method.parse().ok()?,
        target: format!("{}{between}{}", request.path, request.query),
        headers,
        body,
        params: request.params,
    })
}

fn by_hand(function: &Indexed, payload: &Bytes, app: &App) -> Requested {
    let methods = function.trigger.said.get("methods").and_then(Value::as_array);
    let takes = |method: &str| {
        methods.is_none_or(|all| {
            all.iter().filter_map(Value::as_str).any(|known| known.eq_ignore_ascii_case(method))
        })
    };
    let first =
        methods.and_then(|all| all.first()).and_then(Value::as_str).unwrap_or("POST").to_ascii_uppercase();
    let method = if takes("POST") && (!payload.is_empty() || !takes("GET")) { "POST".into() } else { first };
    let mut headers = HeaderMap::new();
    if serde_json::from_slice::<serde::de::IgnoredAny>(payload).is_ok() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let route = function.trigger.text("route").unwrap_or(&function.name);
    Requested {
        method: Method::from_bytes(method.as_bytes()).unwrap_or(Method::POST),
        target: format!("/{}/{route}", app.host.prefix()),
        headers,
        body: payload.clone(),
        params: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_from_its_description() {
        let event = br#" { "httpRequest": { "method": "PUT", "path": "/api/a%20b", "query": "x=1&x=2",
            "headers": { "x-own": "yes" }, "params": {"kind": "rose"}, "body": "AAE=", "isBase64Encoded": true } }"#;
        let request = described(event).unwrap();
        assert_eq!((request.method, request.target.as_str()), (Method::PUT, "/api/a%20b?x=1&x=2"));
        assert_eq!((request.headers["x-own"].to_str().unwrap(), &request.body[..]), ("yes", &[0_u8, 1][..]));
        assert_eq!(request.params["kind"], "rose");
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
            br#"{"httpRequest": {"method": "GET", "path": "/", "headers": {"a\nb": "c"}}}"#,
        ] {
            assert!(described(other).is_none(), "{}", String::from_utf8_lossy(other));
        }
    }
}
