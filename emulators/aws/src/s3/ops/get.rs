//! GetObject, HeadObject, and what else tells of one object.

use crate::s3::call::Call;
use crate::s3::conditions::{Conditions, Freshness};
use crate::s3::encode::{self, Answer};
use crate::s3::fault::{Code, Fault};
use crate::s3::{Front, checksum, range, versions};
use axum::body::Body;
use http::{HeaderMap, Response, StatusCode};
use mlemu_engine::objects::{Body as Bytes, Object};
use std::ops::Range;

/// Parameters that replace a header of the answer.
const OVERRIDES: [&str; 6] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
];

pub(in crate::s3) fn object(front: &Front, call: &Call) -> Answer {
    let object = versions::wanted(front, call)?;
    let (mut response, part) = described(front, call, &object)?;
    if response.status() != StatusCode::NOT_MODIFIED {
        *response.body_mut() = body(&object.content.body, part);
    }
    Ok(response)
}

pub(in crate::s3) fn head(front: &Front, call: &Call) -> Answer {
    let object = versions::wanted(front, call)?;
    described(front, call, &object).map(|(response, _)| response)
}

fn body(content: &Bytes, part: Option<Range<u64>>) -> Body {
    let wanted = part.map_or_else(|| content.clone(), |part| content.slice(part));
    match wanted.inline() {
        Some(bytes) => Body::from(bytes),
        None => Body::from_stream(wanted.stream()),
    }
}

/// Everything but the body, and which part of it is wanted.
fn described(
    front: &Front,
    call: &Call,
    object: &Object,
) -> Result<(Response<Body>, Option<Range<u64>>), Fault> {
    let freshness = Conditions::of(&call.headers).read(object)?;
    let mut response = encode::empty(StatusCode::OK);
    encode::describe(response.headers_mut(), object);
    versions::tell(front, response.headers_mut(), &call.bucket_id(), object.version);
    if freshness == Freshness::NotModified {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        for name in ["content-type", "x-amz-server-side-encryption"] {
            response.headers_mut().remove(name);
        }
        return Ok((response, None));
    }
    let part = wanted_part(call, object)?;
    let size = object.content.size();
    let headers = response.headers_mut();
    if let Some(part) = &part {
        let text = format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1));
        encode::set(headers, "content-range", &text);
    }
    let length = part.as_ref().map_or(size, |part| part.end - part.start);
    encode::set(headers, "content-length", &length.to_string());
    if call.query.has("partNumber") && !object.content.parts.is_empty() {
        encode::set(headers, "x-amz-mp-parts-count", &object.content.parts.len().to_string());
    }
    add_checksum(headers, call, object, part.is_some());
    for name in OVERRIDES {
        if let Some(value) = call.query.get(&format!("response-{name}")) {
            encode::set(headers, name, value);
        }
    }
    if part.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok((response, part))
}

/// Only who asks for a checksum gets one. A whole part has its own; another range has none, because clients
/// would check it against the whole's.
fn add_checksum(headers: &mut HeaderMap, call: &Call, object: &Object, is_part: bool) {
    let content = &object.content;
    let enabled = call.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"));
    let Some(sum) = content.checksums.first().filter(|_| enabled) else { return };
    let number = call.query.get("partNumber").and_then(|text| text.parse::<usize>().ok());
    let part = number.and_then(|number| content.parts.get(number.checked_sub(1)?));
    match part.map(|part| part.checksums.first()) {
        Some(Some(own)) => {
            encode::set(headers, checksum::header(own.kind), &checksum::text(own, 0));
            encode::set(headers, "x-amz-checksum-type", checksum::kind_of_sum(sum.of_parts));
        }
        None if !is_part => encode::set_checksum(headers, sum, content.parts.len()),
        Some(None) | None => {}
    }
}

fn wanted_part(call: &Call, object: &Object) -> Result<Option<Range<u64>>, Fault> {
    let size = object.content.size();
    let Some(number) = call.query.get("partNumber") else {
        return call.header("range").map_or(Ok(None), |header| range::of_header(header, size));
    };
    if call.headers.contains_key("range") {
        return Err(Fault::because(
            Code::InvalidRequest,
            "Cannot specify both Range header and partNumber query parameter",
        ));
    }
    let number: usize =
        number.parse().ok().filter(|number| (1..=10_000).contains(number)).ok_or_else(|| {
            Fault::argument(
                "partNumber",
                number,
                "Part number must be an integer between 1 and 10000, inclusive",
            )
        })?;
    let parts = &object.content.parts;
    if parts.is_empty() {
        return if number == 1 {
            Ok((size > 0).then_some(0..size))
        } else {
            Err(Code::InvalidPartNumber.into())
        };
    }
    let part = parts.get(number - 1).ok_or(Code::InvalidPartNumber)?;
    let start: u64 = parts[..number - 1].iter().map(|part| part.size).sum();
    Ok(Some(start..start + part.size))
}
