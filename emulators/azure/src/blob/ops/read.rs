//! Blobs as they are read: whole, in ranges, or only what is known of them.

use crate::blob::BlobStorage;
use crate::blob::call::Call;
use crate::blob::conditions::Conditions;
use crate::blob::{headers, receive};
use crate::storage::answer::{date, empty, set};
use crate::storage::fault::{Fault, code};
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use mlemu_core::Timestamp;
use mlemu_engine::objects;
use std::ops::Range;

/// Longest range whose digest is told, in bytes.
const DIGESTED: u64 = 4 << 20;

impl BlobStorage {
    pub(super) fn head_blob(&self, call: &Call) -> Result<Response, Fault> {
        let (object, facts) = self.find(call)?;
        Conditions::read(call)?.read_of(&facts, &object.attributes, call.now)?;
        let mut response = empty(StatusCode::OK);
        headers::describe(&mut response, &object, &facts, call);
        if call.parameter("comp").is_none() {
            set(&mut response, "content-length", &object.content.size().to_string());
        } else {
            // Only the metadata was asked for.
            response.headers_mut().remove("content-type");
            response.headers_mut().remove("content-md5");
        }
        Ok(response)
    }

    pub(super) async fn get_blob(&self, call: &Call) -> Result<Response, Fault> {
        let (object, facts) = self.find(call)?;
        Conditions::read(call)?.read_of(&facts, &object.attributes, call.now)?;
        if facts.tier.as_ref().is_some_and(|(tier, _)| tier == "Archive") {
            return Err(code::BlobArchived.into());
        }
        let size = object.content.size();
        let range = match asked_range(call)? {
            Some(range) => match within(range, size) {
                Some(range) => Some(range),
                None => return Ok(unsatisfied(self, call, size)),
            },
            None => None,
        };
        let body = match &range {
            Some(range) => object.content.body.slice(range.clone()),
            None => object.content.body.clone(),
        };
        let mut response = empty(if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK });
        headers::describe(&mut response, &object, &facts, call);
        set(&mut response, "content-length", &body.len().to_string());
        if let Some(range) = &range {
            set(&mut response, "content-range", &format!("bytes {}-{}/{size}", range.start, range.end - 1));
            self.tell_digests(call, &mut response, &body).await?;
        }
        *response.body_mut() = streamed(&body);
        Ok(response)
    }

    /// The digest of a blob is another one than that of a range, which is only told to who asks.
    async fn tell_digests(
        &self,
        call: &Call,
        response: &mut Response,
        body: &objects::Body,
    ) -> Result<(), Fault> {
        if let Some(whole) = response.headers_mut().remove("content-md5") {
            response.headers_mut().insert("x-ms-blob-content-md5", whole);
        }
        let wants = |name: &str| call.header(name).is_some_and(|said| said.eq_ignore_ascii_case("true"));
        let (md5, crc) = (wants("x-ms-range-get-content-md5"), wants("x-ms-range-get-content-crc64"));
        if !md5 && !crc {
            return Ok(());
        }
        if body.len() > DIGESTED || md5 && crc {
            return Err(code::InvalidHeaderValue.into());
        }
        let (first, second) = receive::digests(body).await?;
        if md5 {
            set(response, "content-md5", &first);
        } else {
            set(response, "x-ms-content-crc64", &second);
        }
        Ok(())
    }
}

fn streamed(body: &objects::Body) -> Body {
    match body.inline() {
        Some(bytes) => Body::from(bytes),
        None => Body::from_stream(body.stream()),
    }
}

fn unsatisfied(blobs: &BlobStorage, call: &Call, size: u64) -> Response {
    let now: Timestamp = blobs.clock.now();
    let mut response = Fault::from(code::InvalidRange).response(&call.id.0, now);
    set(&mut response, "content-range", &format!("bytes */{size}"));
    set(&mut response, "date", &date(now));
    response
}

/// The range that a request asks for: from a place on, and to a place if it says one. Ours wins over the other.
pub(super) fn asked_range(call: &Call) -> Result<Option<Range<u64>>, Fault> {
    if let Some(said) = call.header("x-ms-range") {
        return read_range(said).map(Some).ok_or_else(|| Fault::header("x-ms-range", said));
    }
    // As everywhere else, a `Range` that is none is passed over.
    Ok(call.header("range").and_then(read_range))
}

pub(super) fn read_range(said: &str) -> Option<Range<u64>> {
    let (first, last) = said.strip_prefix("bytes=")?.split_once('-')?;
    let first: u64 = first.trim().parse().ok()?;
    let end = match last.trim() {
        "" => u64::MAX,
        last => last.parse::<u64>().ok()?.checked_add(1)?,
    };
    (first < end).then_some(first..end)
}

/// Cut to what there is; `None`: nothing of it is.
fn within(range: Range<u64>, size: u64) -> Option<Range<u64>> {
    (range.start < size).then(|| range.start..range.end.min(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_cut() {
        let of = |said: &str, size| read_range(said).and_then(|range| within(range, size));
        assert_eq!(of("bytes=2-4", 10), Some(2..5));
        assert_eq!(of("bytes=8-99", 10), Some(8..10));
        assert_eq!(of("bytes=0-", 10), Some(0..10));
        assert_eq!(of("bytes=0-33554431", 0), None);
        assert_eq!(of("bytes=10-", 10), None);
        for bad in [
            "bytes=-3",
            "bytes=4-2",
            "bytes=a-b",
            "lines=1-2",
            "bytes=",
            "bytes=1-2,4-5",
            "bytes=0-18446744073709551615",
        ] {
            assert_eq!(read_range(bad), None, "{bad}");
        }
    }
}
