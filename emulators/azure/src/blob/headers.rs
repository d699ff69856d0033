//! What requests say of a blob in their heads, and what answers say of it.

use super::call::Call;
use super::facts::{Facts, Kind};
use super::lease;
use crate::storage::answer::{date, set};
use crate::storage::fault::{Fault, code};
use axum::response::Response;
use http::HeaderMap;
use mlemu_core::Timestamp;
use mlemu_engine::objects::{Attributes, Object};
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;

pub(super) const META: &str = "x-ms-meta-";
/// Longest metadata of a blob, names and values, in bytes.
const METADATA: usize = 8 * 1024;
/// Most tags of a blob.
const TAGS: usize = 10;
/// Properties by their names in answers, and the header that sets each in a request.
pub(super) const PROPERTIES: [(&str, &str); 6] = [
    ("cache-control", "x-ms-blob-cache-control"),
    ("content-disposition", "x-ms-blob-content-disposition"),
    ("content-encoding", "x-ms-blob-content-encoding"),
    ("content-language", "x-ms-blob-content-language"),
    ("content-md5", "x-ms-blob-content-md5"),
    ("content-type", "x-ms-blob-content-type"),
];
const OCTETS: &str = "application/octet-stream";

/// What a request that makes a blob says of it.
pub(super) fn attributes(call: &Call) -> Result<Attributes, Fault> {
    let mut attributes = Attributes { metadata: metadata(call.headers())?, ..Attributes::default() };
    properties(call, &mut attributes);
    // The older way to say them; the length and the digest of a request are not the blob's.
    for name in ["cache-control", "content-encoding", "content-language", "content-type"] {
        if let (false, Some(said)) = (attributes.headers.contains_key(name), call.header(name)) {
            attributes.headers.insert(name, said.to_owned());
        }
    }
    attributes.headers.entry("content-type").or_insert_with(|| OCTETS.into());
    if let Some(said) = call.header("x-ms-tags") {
        attributes.tags = tags(said)?;
    }
    Ok(attributes)
}

/// Sets the properties that a request names.
pub(super) fn properties(call: &Call, attributes: &mut Attributes) {
    for (name, by) in PROPERTIES {
        if let Some(said) = call.header(by).filter(|said| !said.is_empty()) {
            attributes.headers.insert(name, said.to_owned());
        }
    }
}

pub(super) fn metadata(headers: &HeaderMap) -> Result<BTreeMap<String, String>, Fault> {
    let mut metadata = BTreeMap::new();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(META) else { continue };
        if name.is_empty() {
            return Err(code::EmptyMetadataKey.into());
        }
        let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        let Ok(value) = value.to_str() else { return Err(code::InvalidMetadata.into()) };
        if !is_word || name.bytes().next().is_some_and(|first| first.is_ascii_digit()) {
            return Err(code::InvalidMetadata.into());
        }
        metadata.insert(name.to_owned(), value.to_owned());
    }
    let size: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > METADATA { Err(code::MetadataTooLarge.into()) } else { Ok(metadata) }
}

/// Tags as a query writes them.
fn tags(said: &str) -> Result<BTreeMap<String, String>, Fault> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', "%20")).decode_utf8_lossy().into_owned();
    let pairs = said.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    checked_tags(pairs.map(|(name, value)| (decoded(name), decoded(value))))
}

/// At most ten, of names and values that are allowed.
pub(super) fn checked_tags(
    pairs: impl Iterator<Item = (String, String)>,
) -> Result<BTreeMap<String, String>, Fault> {
    let mut tags = BTreeMap::new();
    let allowed = |text: &str| {
        text.chars().all(|one| {
            one.is_ascii_alphanumeric() || matches!(one, ' ' | '+' | '-' | '.' | '/' | ':' | '=' | '_')
        })
    };
    for (name, value) in pairs {
        let good = (1..=128).contains(&name.len()) && value.len() <= 256 && allowed(&name) && allowed(&value);
        if !good || tags.insert(name, value).is_some() {
            return Err(code::InvalidInput.into());
        }
    }
    if tags.len() > TAGS { Err(code::InvalidInput.into()) } else { Ok(tags) }
}

/// What whoever wrote is told.
pub(super) fn stamp(response: &mut Response, facts: &Facts) {
    set(response, "etag", &format!("\"{}\"", facts.etag));
    set(response, "last-modified", &date(facts.modified));
    set(response, "x-ms-request-server-encrypted", "true");
}

/// What whoever reads is told; all but the length.
pub(super) fn describe(response: &mut Response, object: &Object, facts: &Facts, call: &Call) {
    let attributes = &object.attributes;
    for (name, value) in &attributes.headers {
        set(response, name, value);
    }
    for (name, value) in &attributes.metadata {
        set(response, &format!("{META}{name}"), value);
    }
    set(response, "etag", &format!("\"{}\"", facts.etag));
    set(response, "last-modified", &date(facts.modified));
    set(response, "x-ms-creation-time", &date(facts.created));
    set(response, "x-ms-blob-type", facts.kind.name());
    set(response, "x-ms-server-encrypted", "true");
    set(response, "accept-ranges", "bytes");
    if !attributes.tags.is_empty() {
        set(response, "x-ms-tag-count", &attributes.tags.len().to_string());
    }
    told_lease(response, facts, call.now);
    told_kind(response, facts);
    if let Some(copy) = &facts.copy {
        set(response, "x-ms-copy-id", &copy.id);
        set(response, "x-ms-copy-source", &copy.source);
        set(response, "x-ms-copy-status", "success");
        set(response, "x-ms-copy-progress", &format!("{0}/{0}", copy.bytes));
        set(response, "x-ms-copy-completion-time", &date(copy.at));
    }
    if matches!(call.grant, crate::storage::allow::Grant::Permissions(_)) {
        let overrides = [
            ("rscc", "cache-control"),
            ("rscd", "content-disposition"),
            ("rsce", "content-encoding"),
            ("rscl", "content-language"),
            ("rsct", "content-type"),
        ];
        for (said, name) in overrides.into_iter().filter_map(|(by, name)| Some((call.parameter(by)?, name))) {
            set(response, name, said);
        }
    }
}

/// How a blob or a container is leased.
pub(super) fn told_lease(response: &mut Response, facts: &Facts, now: Timestamp) {
    let state = lease::state(facts.lease.as_ref(), now);
    set(response, "x-ms-lease-state", state.name());
    set(response, "x-ms-lease-status", if state.is_locked() { "locked" } else { "unlocked" });
    if let Some(duration) = lease::duration(facts.lease.as_ref(), now) {
        set(response, "x-ms-lease-duration", duration);
    }
}

fn told_kind(response: &mut Response, facts: &Facts) {
    match facts.kind {
        Kind::Block => {
            let (tier, inferred) = facts.tier.as_ref().map_or(("Hot", true), |(tier, _)| (tier, false));
            set(response, "x-ms-access-tier", tier);
            if inferred {
                set(response, "x-ms-access-tier-inferred", "true");
            }
            if let Some((_, at)) = &facts.tier {
                set(response, "x-ms-access-tier-change-time", &date(*at));
            }
        }
        Kind::Append => {
            set(response, "x-ms-blob-committed-block-count", &facts.appends.to_string());
            if facts.sealed {
                set(response, "x-ms-blob-sealed", "true");
            }
        }
        Kind::Page => set(response, "x-ms-blob-sequence-number", &facts.sequence.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn metadata_is_checked() {
        let read = |name: &str, value: &[u8]| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_bytes(value).unwrap())]);
            metadata(&headers).map_err(|fault| fault.code.name)
        };
        assert_eq!(read("x-ms-meta-owner", b"me").unwrap()["owner"], "me");
        assert_eq!(read("x-ms-meta-", b"me"), Err("EmptyMetadataKey"));
        assert_eq!(read("x-ms-meta-1a", b"me"), Err("InvalidMetadata"));
        assert_eq!(read("x-ms-meta-a", b"\xff"), Err("InvalidMetadata"));
        assert_eq!(read("x-ms-meta-a", &[b'x'; 9000]), Err("MetadataTooLarge"));
        assert!(read("x-ms-other", b"me").unwrap().is_empty());
    }

    #[test]
    fn tags_are_checked() {
        assert_eq!(
            tags("kind=red+rose&x=%2F").unwrap(),
            BTreeMap::from([("kind".into(), "red rose".into()), ("x".into(), "/".into())])
        );
        for bad in ["a=1&a=2", "=1", "a=%3F", "1=&2=&3=&4=&5=&6=&7=&8=&9=&10=&11="] {
            assert!(tags(bad).is_err(), "{bad}");
        }
    }
}
