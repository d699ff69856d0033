//! Page blobs: zeros, with pages of 512 bytes written into them in any order.

use super::read::asked_range;
use crate::blob::BlobStorage;
use crate::blob::call::Call;
use crate::blob::conditions::Conditions;
use crate::blob::facts::{Facts, Kind};
use crate::blob::{headers, receive};
use crate::storage::answer::{date, empty, set, xml};
use crate::storage::fault::{Fault, code};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use mlemu_engine::objects::{self, Content, Object};
use std::ops::Range;
use std::sync::Arc;

/// In bytes.
const PAGE: u64 = 512;

impl BlobStorage {
    pub(super) async fn put_page(&self, call: &Call, body: Body) -> Result<Response, Fault> {
        let action =
            call.header("x-ms-page-write").ok_or_else(|| Fault::missing("x-ms-page-write"))?.to_owned();
        let (_, range) = self.may_write_pages(call)?;
        match action.to_ascii_lowercase().as_str() {
            "update" => {
                let content = self.receive(call, body, receive::PAGES).await?;
                self.write_pages(call, &content, &range)
            }
            "clear" => {
                let mut nothing = self.taken(Bytes::new()).await?;
                nothing.body = objects::Body::zeros(range.end - range.start);
                self.write_pages(call, &nothing, &range)
            }
            _ => Err(Fault::header("x-ms-page-write", &action)),
        }
    }

    pub(super) async fn put_page_from_url(&self, call: &Call) -> Result<Response, Fault> {
        let (_, range) = self.may_write_pages(call)?;
        let content = self.source_bytes(call, receive::PAGES).await?;
        self.write_pages(call, &content, &range)
    }

    fn may_write_pages(&self, call: &Call) -> Result<(Arc<Object>, Range<u64>), Fault> {
        let object = self.objects.get(&call.bucket, &call.blob)?;
        let facts = Facts::of(&object.attributes);
        if facts.kind != Kind::Page {
            return Err(code::InvalidBlobType.into());
        }
        Conditions::read(call)?.over(Some(&object), call.now)?;
        sequence_holds(call, facts.sequence)?;
        let range = asked_range(call)?.ok_or_else(|| Fault::missing("x-ms-range"))?;
        let whole = range.start % PAGE == 0 && range.end % PAGE == 0 && range.end <= object.content.size();
        if whole { Ok((object, range)) } else { Err(code::InvalidPageRange.into()) }
    }

    fn write_pages(&self, call: &Call, pages: &Content, range: &Range<u64>) -> Result<Response, Fault> {
        if pages.size() != range.end - range.start {
            return Err(Fault::header("content-length", &pages.size().to_string()));
        }
        loop {
            let (before, _) = self.may_write_pages(call)?;
            let old = &before.content.body;
            let (head, tail) = (old.slice(0..range.start), old.slice(range.end..old.len()));
            let body = objects::Body::join([&head, &pages.body, &tail]);
            let Some(facts) = self.rewrite(call, &before, pages.over(body), |_| ())? else { continue };
            let mut response = empty(StatusCode::CREATED);
            headers::stamp(&mut response, &facts);
            if pages.md5.is_some() && !pages.checksums.is_empty() && pages.body.written().len() == 1 {
                receive::confirm(&mut response, pages);
            }
            set(&mut response, "x-ms-blob-sequence-number", &facts.sequence.to_string());
            return Ok(response);
        }
    }

    pub(super) fn page_ranges(&self, call: &Call) -> Result<Response, Fault> {
        let (object, facts) = self.find(call)?;
        if facts.kind != Kind::Page {
            return Err(code::InvalidBlobType.into());
        }
        Conditions::read(call)?.read_of(&facts, &object.attributes, call.now)?;
        let size = object.content.size();
        let asked = asked_range(call)?.unwrap_or(0..size);
        let mut written = object.content.body.written();
        let mut cleared = Vec::new();
        if let Some(before) = call.parameter("prevsnapshot") {
            let before = self.snapshot_named(&call.bucket, &call.blob, before)?;
            cleared = without(&before.content.body.written(), &written);
            // What is the same since is found by where it is, not by what it is: pages written anew count as changed.
            written = whole_pages(&object.content.body.written_since(&before.content.body));
        }
        let cut = |range: &Range<u64>| {
            let cut = range.start.max(asked.start)..range.end.min(asked.end);
            (cut.start < cut.end).then_some(cut)
        };
        let element = |name: &str, range: Range<u64>| {
            format!("<{name}><Start>{}</Start><End>{}</End></{name}>", range.start, range.end - 1)
        };
        let pages = written.iter().filter_map(cut).map(|range| element("PageRange", range));
        let gone = cleared.iter().filter_map(cut).map(|range| element("ClearRange", range));
        let inner: String = pages.chain(gone).collect();
        let mut response = xml(StatusCode::OK, &format!("<PageList>{inner}</PageList>"));
        set(&mut response, "etag", &format!("\"{}\"", facts.etag));
        set(&mut response, "last-modified", &date(facts.modified));
        set(&mut response, "x-ms-blob-content-length", &size.to_string());
        Ok(response)
    }
}

/// What of `ranges` is in none of `others`. Both are in order.
fn without(ranges: &[Range<u64>], others: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut left = Vec::new();
    for range in ranges {
        let mut at = range.start;
        let first = others.partition_point(|other| other.end <= range.start);
        for other in others[first..].iter().take_while(|other| other.start < range.end) {
            if at < other.start {
                left.push(at..other.start);
            }
            at = at.max(other.end);
        }
        if at < range.end {
            left.push(at..range.end);
        }
    }
    left
}

/// The pages that `ranges` are in: pages that came from blobs may be joined anywhere. They are in order.
fn whole_pages(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut found: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        let (start, end) = (range.start / PAGE * PAGE, range.end.next_multiple_of(PAGE));
        match found.last_mut() {
            Some(last) if last.end >= start => last.end = end,
            _ => found.push(start..end),
        }
    }
    found
}

fn sequence_holds(call: &Call, sequence: u64) -> Result<(), Fault> {
    let fails = |name: &str, holds: fn(u64, u64) -> bool| {
        call.number(name).map(|said| said.is_some_and(|said| !holds(sequence, said)))
    };
    let failed = fails("x-ms-if-sequence-number-le", |have, said| have <= said)?
        || fails("x-ms-if-sequence-number-lt", |have, said| have < said)?
        || fails("x-ms-if-sequence-number-eq", |have, said| have == said)?;
    if failed { Err(code::SequenceNumberConditionNotMet.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_without_others() {
        assert_eq!(without(&[0..10, 20..30], &[2..4, 25..40]), [0..2, 4..10, 20..25]);
        let whole = std::slice::from_ref(&(0..10));
        assert_eq!(without(whole, whole), []);
        assert_eq!(without(whole, &[]), whole);
        assert_eq!(without(&[0..2, 4..6, 8..10], std::slice::from_ref(&(1..9))), [0..1, 9..10]);
    }

    #[test]
    fn pages_are_whole_and_joined() {
        assert_eq!(whole_pages(&[3..4, 500..512, 513..600, 2000..2048]), [0..1024, 1536..2048]);
    }
}
