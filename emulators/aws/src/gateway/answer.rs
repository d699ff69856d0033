//! What a function answered for the gateway to say, and what the gateway says by itself.

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// An answer that can be sent. Its content type is always set.
#[derive(Debug)]
pub struct Proxied {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Whether a document must have a status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Required,
    /// A missing or null one is 200.
    Optional,
}

/// Headers of the connection: ours to set, never the function's.
const OURS: [HeaderName; 4] =
    [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::UPGRADE];

impl Status {
    /// A number, or text that is one.
    pub fn read(self, value: Option<&Value>) -> Option<u16> {
        let code = match value {
            None | Some(Value::Null) => return (self == Status::Optional).then_some(200),
            Some(Value::Number(number)) => number.as_u64()?,
            Some(Value::String(text)) => text.parse().ok()?,
            Some(_) => return None,
        };
        u16::try_from(code).ok().filter(|code| (200..=599).contains(code))
    }
}

impl Proxied {
    pub fn new(status: u16, content_type: &'static str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { status, headers, body: Bytes::new() }
    }

    /// A body without any words about it.
    pub fn whole(body: Bytes) -> Self {
        Self { body, ..Self::new(200, "application/json") }
    }

    /// Takes over single-valued headers. `None`: they are none.
    pub fn set_headers(&mut self, headers: Option<&Value>) -> Option<()> {
        self.each_header(headers, |headers, name, value| {
            headers.insert(name, scalar(value)?);
            Some(())
        })
    }

    /// Takes over lists of values, beside what is there.
    pub fn add_headers(&mut self, headers: Option<&Value>) -> Option<()> {
        self.each_header(headers, |headers, name, values| {
            let values: Vec<HeaderValue> = values.as_array()?.iter().map(scalar).collect::<Option<_>>()?;
            headers.remove(&name);
            for value in values {
                headers.append(name.clone(), value);
            }
            Some(())
        })
    }

    pub fn set_cookies(&mut self, cookies: Option<&Value>) -> Option<()> {
        let Some(cookies) = cookies.filter(|cookies| !cookies.is_null()) else { return Some(()) };
        for cookie in cookies.as_array()? {
            self.headers.append(header::SET_COOKIE, scalar(cookie)?);
        }
        Some(())
    }

    pub fn set_body(&mut self, body: Option<&Value>, is_base64: Option<&Value>) -> Option<()> {
        self.body = match body {
            None | Some(Value::Null) => Bytes::new(),
            Some(Value::String(text)) if is_base64 == Some(&Value::Bool(true)) => {
                Bytes::from(BASE64.decode(text).ok()?)
            }
            Some(Value::String(text)) => Bytes::from(text.clone()),
            Some(_) => return None,
        };
        Some(())
    }

    pub fn response(self) -> Response {
        let body = Body::from(self.body);
        head(self.status, self.headers, body)
    }

    fn each_header(
        &mut self,
        headers: Option<&Value>,
        take: impl Fn(&mut HeaderMap, HeaderName, &Value) -> Option<()>,
    ) -> Option<()> {
        let Some(headers) = headers.filter(|headers| !headers.is_null()) else { return Some(()) };
        for (name, value) in headers.as_object()? {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            if !OURS.contains(&name) {
                take(&mut self.headers, name, value)?;
            }
        }
        Some(())
    }
}

/// A response of these parts.
pub fn head(status: u16, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    *response.headers_mut() = headers;
    response
}

/// Something that the gateway says itself.
pub fn message(status: u16, text: &str) -> Response {
    let body = json!({ "message": text }).to_string();
    Proxied { body: Bytes::from(body), ..Proxied::new(status, "application/json") }.response()
}

fn scalar(value: &Value) -> Option<HeaderValue> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    HeaderValue::from_str(&text).ok()
}
