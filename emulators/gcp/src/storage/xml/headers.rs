//! What is said of objects in headers.
//!
//! Source: Cloud Storage, XML API, "HTTP headers and query string parameters".

use crate::storage::Storage;
use crate::storage::call::Call;
use crate::storage::fault::Fault;
use crate::storage::wire::{Metadata, PROPERTIES};
use http::{HeaderMap, HeaderName, HeaderValue};
use mlemu_engine::objects::Object;
use serde_json::{Map, Value};

const OWN: &str = "x-goog-meta-";

/// What a writer says of a new object.
pub(super) fn said(storage: &Storage, call: &Call, bucket: &str) -> Result<Metadata, Fault> {
    let pairs = call.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    of(storage, call, bucket, pairs)
}

/// The same of fields that are named like headers.
pub(super) fn of<'a>(
    storage: &Storage,
    call: &Call,
    bucket: &str,
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Metadata, Fault> {
    let (mut document, mut own) = (Map::new(), Map::new());
    for (name, value) in pairs {
        if let Some(name) = name.strip_prefix(OWN) {
            own.insert(name.to_owned(), value.into());
        } else if let Some((property, _)) = PROPERTIES.iter().find(|(_, header)| *header == name) {
            document.insert((*property).to_owned(), value.into());
        } else if name == "content-md5" {
            document.insert("md5Hash".into(), value.into());
        } else if name == "x-goog-hash" {
            document.extend(hashes(value));
        } else if name == "x-goog-custom-time" {
            document.insert("customTime".into(), value.into());
        } else if matches!(name, "x-goog-acl" | "acl") {
            document.insert("acl".into(), list(value)?);
        }
    }
    if !own.is_empty() {
        document.insert("metadata".into(), Value::Object(own));
    }
    let mut metadata = storage.describe_new(call, bucket, document)?;
    metadata.default_type(None);
    Ok(metadata)
}

/// `crc32c=...,md5=...`
fn hashes(text: &str) -> impl Iterator<Item = (String, Value)> {
    text.split(',').filter_map(|one| {
        let (kind, sum) = one.trim().split_once('=')?;
        let name = match kind {
            "crc32c" => "crc32c",
            "md5" => "md5Hash",
            _ => return None,
        };
        Some((name.to_owned(), sum.into()))
    })
}

/// A predefined list by its name, which has hyphens here.
fn list(name: &str) -> Result<Value, Fault> {
    let mut camel = String::new();
    for (at, word) in name.split('-').enumerate() {
        let (first, rest) = word.split_at(word.len().min(1));
        camel.push_str(&if at == 0 { first.to_owned() } else { first.to_ascii_uppercase() });
        camel.push_str(rest);
    }
    let grants = crate::storage::acl::predefined(&camel, crate::storage::acl::Of::Object);
    let unknown = || Fault::invalid(format!("Invalid value for x-goog-acl: {name}"));
    grants.map(|grants| serde_json::json!(grants)).ok_or_else(unknown)
}

/// What the uploader said, as a reader hears it.
pub(super) fn custom(object: &Object, headers: &mut HeaderMap) {
    for (name, value) in &object.attributes.metadata {
        let name = HeaderName::from_bytes(format!("{OWN}{name}").as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
}
