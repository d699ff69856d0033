//! One invocation as the HTTP request that the framework gets.

use super::Signature;
use super::cloudevent::{self, Binary};
use super::described::{Described, described};
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request};
use http_body_util::Full;
use mlemu_core::{Invoke, RequestHead};
use std::net::SocketAddr;

pub(crate) const EXECUTION_ID: HeaderName = HeaderName::from_static("function-execution-id");

/// Headers of one connection, which must not travel on.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Without what concerns one connection and the length of one body.
pub(crate) fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in HOP_BY_HOP.into_iter().chain([header::CONTENT_LENGTH, header::EXPECT]) {
        headers.remove(name);
    }
    headers
}

/// `None`: the head is none that can be sent.
pub(super) fn request(invoke: &Invoke, signature: Signature, to: SocketAddr) -> Option<Request<Full<Bytes>>> {
    let (method, target, mut headers, body) = if let Some(head) = &invoke.head {
        let RequestHead { method, target, headers } = &**head;
        let (headers, body) = delivered(end_to_end(headers.clone()), &invoke.payload, signature);
        (method.clone(), target.clone(), headers, body)
    } else if let Some(Described { method, target, headers, body }) = described(&invoke.payload, signature) {
        (method, target, headers, body)
    } else {
        let Binary { headers, body } = event(&invoke.payload, signature);
        (Method::POST, PathAndQuery::from_static("/"), headers, body)
    };
    if let Ok(id) = HeaderValue::from_str(&invoke.id.0) {
        headers.insert(EXECUTION_ID, id);
    }
    headers.entry(header::HOST).or_insert(HeaderValue::from_str(&to.to_string()).ok()?);
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = target.into();
    *request.headers_mut() = headers;
    Some(request)
}

/// A structured event for a background function comes as Eventarc sends it: its framework reads no other form.
fn delivered(headers: HeaderMap, payload: &Bytes, signature: Signature) -> (HeaderMap, Bytes) {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if signature == Signature::Background
        && kind.starts_with(b"application/cloudevents+json")
        && let Some(Binary { headers: own, body }) = cloudevent::binary(payload)
    {
        let mut headers = headers;
        headers.extend(own);
        return (headers, body);
    }
    (headers, payload.clone())
}

/// Events reach functions in the binary form; a function of HTTP gets its payload as it is.
fn event(payload: &Bytes, signature: Signature) -> Binary {
    let taken_apart = if signature.is_event() { cloudevent::binary(payload) } else { None };
    taken_apart.unwrap_or_else(|| Binary {
        headers: HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
        body: payload.clone(),
    })
}
