//! The bytes of an object, whole or a range, with everything that is said about them in headers.

use crate::storage::call::Call;
use crate::storage::fault::Fault;
use crate::storage::{range, wire};
use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};
use mlemu_engine::dates;
use mlemu_engine::objects::{Content, Object};
use std::ops::Range;

pub(in crate::storage) fn answer(call: &Call, object: &Object) -> Result<Response, Fault> {
    let size = object.content.size();
    let range = range::read(call.header(header::RANGE.as_str()), size)?;
    let body = match &range {
        Some(range) => object.content.body.slice(range.clone()),
        None => object.content.body.clone(),
    };
    let length = body.len();
    let mut response = Response::new(match body.inline() {
        Some(bytes) => Body::from(bytes),
        None => Body::from_stream(body.stream()),
    });
    if range.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    let headers = response.headers_mut();
    for (name, value) in described(object, length, range, size) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(name, value);
        }
    }
    Ok(response)
}

/// The headers of a download.
fn described(
    object: &Object,
    length: u64,
    range: Option<Range<u64>>,
    size: u64,
) -> Vec<(HeaderName, String)> {
    let mut headers = marks(object);
    headers.extend([
        (header::CONTENT_LENGTH, length.to_string()),
        (header::ACCEPT_RANGES, "bytes".into()),
        (header::ETAG, wire::etag(object)),
        (header::LAST_MODIFIED, dates::http(object.created)),
    ]);
    if let Some(range) = range {
        headers.push((header::CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1)));
    }
    for (property, name) in wire::PROPERTIES {
        let said = object.attributes.headers.get(property).cloned();
        headers.extend(said.map(|said| (HeaderName::from_static(name), said)));
    }
    headers
}

/// What tells one content of an object from another.
pub(in crate::storage) fn marks(object: &Object) -> Vec<(HeaderName, String)> {
    let named = |name: &'static str| HeaderName::from_static(name);
    let encoding = object.attributes.headers.get("contentEncoding");
    vec![
        (named("x-goog-generation"), wire::generation(object).to_string()),
        (named("x-goog-metageneration"), wire::metageneration(object).to_string()),
        (named("x-goog-stored-content-length"), object.content.size().to_string()),
        (named("x-goog-stored-content-encoding"), encoding.map_or("identity", String::as_str).into()),
        sums(&object.content),
    ]
}

/// One line: clients take it apart at its commas and allow no space behind them.
pub(in crate::storage) fn sums(content: &Content) -> (HeaderName, String) {
    let sums = [("crc32c", wire::crc32c(content)), ("md5", wire::md5(content))];
    let sums = sums.into_iter().filter_map(|(algorithm, sum)| Some(format!("{algorithm}={}", sum?)));
    (HeaderName::from_static("x-goog-hash"), sums.collect::<Vec<_>>().join(","))
}
