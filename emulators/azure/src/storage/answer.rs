//! What every answer of Azure Storage carries, and the forms it has.

use super::fault::{Fault, code};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use mlemu_core::{Cause, Strain, Timestamp};
pub(crate) use mlemu_engine::dates::http as date;

/// What a client is answered in that says nothing of a version.
const VERSION: HeaderValue = HeaderValue::from_static("2026-10-06");
const OWN_ID: &str = "x-ms-client-request-id";

/// A request's own id, as the answer and what comes of the request name it.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub String);

impl RequestId {
    /// What begins with this request goes by the client's name for it.
    pub fn cause(&self, parts: &Parts) -> Cause {
        let own = parts.headers.get(OWN_ID).and_then(|id| id.to_str().ok());
        Cause::Request(own.unwrap_or(&self.0).into())
    }
}

/// What a client is told that a service could not hear out.
pub(crate) fn apology(strain: Strain) -> Response {
    let code = match strain {
        Strain::Slow => code::OperationTimedOut,
        Strain::Crowded => code::ServerBusy,
    };
    Fault::from(code).response("", Timestamp(0))
}

/// The answer with what every answer carries.
pub(crate) fn finished(
    answered: Result<Response, Fault>,
    parts: &Parts,
    id: &RequestId,
    now: Timestamp,
) -> Response {
    let mut response = answered.unwrap_or_else(|fault| fault.response(&id.0, now));
    if parts.method == Method::HEAD && response.status().as_u16() >= 400 {
        *response.body_mut() = Body::empty();
    }
    let headers = response.headers_mut();
    // Whatever version a client speaks, it is answered in: newer ones add what it would not ask for.
    headers.insert("x-ms-version", parts.headers.get("x-ms-version").cloned().unwrap_or(VERSION));
    if let Some(own) = parts.headers.get(OWN_ID) {
        headers.insert(OWN_ID, own.clone());
    }
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert("x-ms-request-id", id);
    }
    response
}

/// Refuses a version that is none: they are all dates.
pub(crate) fn check_version(parts: &Parts) -> Result<(), Fault> {
    let Some(said) = parts.headers.get("x-ms-version") else { return Ok(()) };
    let text = said.to_str().unwrap_or_default();
    let is_date = text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok();
    if is_date { Ok(()) } else { Err(Fault::header("x-ms-version", text)) }
}

pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// `text`: the document without its declaration.
pub(crate) fn xml(status: StatusCode, text: &str) -> Response {
    let mut response = empty(status);
    *response.body_mut() = Body::from(format!("\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>{text}"));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// Sets a header, where its name and value are such.
pub(crate) fn set(response: &mut Response, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
        response.headers_mut().insert(name, value);
    }
}

/// A body that is a document, read whole.
pub(crate) async fn whole(body: Body, limit: usize) -> Result<Bytes, Fault> {
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(_) => Err(code::RequestBodyTooLarge.into()),
    }
}

/// A text that an XML document may hold.
pub(crate) fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_version_that_is_a_date_is_taken() {
        let check = |text: &str| {
            let request = http::Request::builder().header("x-ms-version", text).body(()).unwrap();
            check_version(&request.into_parts().0).is_ok()
        };
        for good in ["2009-09-19", "2026-10-06", "2099-12-31"] {
            assert!(check(good), "{good}");
        }
        for bad in ["", "latest", "2026-13-06", "2026-10-06T00:00", "20261006"] {
            assert!(!check(bad), "{bad}");
        }
        assert!(check_version(&http::Request::new(()).into_parts().0).is_ok());
    }
}
