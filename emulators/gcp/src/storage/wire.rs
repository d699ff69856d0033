//! The vendor's spelling of buckets and objects.
//!
//! Source: Cloud Storage, JSON API reference, "Objects" and "Buckets". Numbers of 64 bits are strings.

use super::fault::Fault;
use super::settings::Said;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mlemu_core::Timestamp;
use mlemu_engine::objects::{Attributes, BucketView, ChecksumKind, Content, Object};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Generations count up from here, as long and as large as the vendor's.
pub(super) const FIRST_GENERATION: u64 = 1_700_000_000_000_000;

/// Properties of an object that a writer may set, and the header that a download answers each with.
pub(super) const PROPERTIES: [(&str, &str); 6] = [
    ("contentType", "content-type"),
    ("contentEncoding", "content-encoding"),
    ("contentDisposition", "content-disposition"),
    ("contentLanguage", "content-language"),
    ("cacheControl", "cache-control"),
    ("storageClass", "x-goog-storage-class"),
];
/// Kept beside them; no header of a download.
const METAGENERATION: &str = "metageneration";
const UPDATED: &str = "updated";
pub(super) const COMPONENTS: &str = "componentCount";
const OTHERS: [&str; 3] = ["customTime", "temporaryHold", "eventBasedHold"];
/// What is said in documents of its own.
const DOCUMENTS: [&str; 2] = [super::holds::RETENTION, "contexts"];

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Source: Cloud Storage, "About objects", "Object names".
pub(super) fn check_name(name: &str) -> Result<(), Fault> {
    if name.len() > 1024 || name.contains(['\r', '\n']) {
        return Err(Fault::invalid("Invalid object name."));
    }
    Ok(())
}

pub(super) fn encoded(segment: &str) -> String {
    utf8_percent_encode(segment, SEGMENT).to_string()
}

pub(super) fn generation(object: &Object) -> u64 {
    FIRST_GENERATION + object.sequence
}

pub(super) fn metageneration(object: &Object) -> u64 {
    object.attributes.headers.get(METAGENERATION).and_then(|text| text.parse().ok()).unwrap_or(1)
}

pub(super) fn time(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

/// What a writer says of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub name: Option<String>,
    pub attributes: Attributes,
    /// Base64; what the bytes must have.
    md5: Option<String>,
    crc32c: Option<String>,
}

impl Metadata {
    pub fn read(document: &Map<String, Value>) -> Result<Self, Fault> {
        let text = |key: &str| document.get(key).and_then(Value::as_str).map(str::to_owned);
        let mut attributes = Attributes::default();
        describe(&mut attributes, document)?;
        Ok(Self { name: text("name"), attributes, md5: text("md5Hash"), crc32c: text("crc32c") })
    }

    pub fn default_type(&mut self, content_type: Option<&str>) {
        let kind = content_type.unwrap_or("application/octet-stream");
        self.attributes.headers.entry("contentType").or_insert_with(|| kind.to_owned());
    }

    /// The bytes must have the checksums that were promised.
    pub fn verify(&self, content: &Content) -> Result<(), Fault> {
        let pairs = [("MD5", &self.md5, md5(content)), ("CRC32C", &self.crc32c, crc32c(content))];
        for (name, promised, found) in pairs {
            if let (Some(promised), Some(found)) = (promised, found)
                && *promised != found
            {
                let found =
                    format!("Provided {name} \"{promised}\" doesn't match calculated {name} \"{found}\".");
                return Err(Fault::invalid(found));
            }
        }
        Ok(())
    }
}

/// Writes what a document says into attributes; `null` takes it back.
pub(super) fn describe(attributes: &mut Attributes, document: &Map<String, Value>) -> Result<(), Fault> {
    let known = PROPERTIES.iter().map(|(property, _)| *property).chain(OTHERS);
    for property in known {
        match document.get(property) {
            None => {}
            Some(Value::Null) => drop(attributes.headers.remove(property)),
            Some(Value::String(text)) => drop(attributes.headers.insert(property, text.clone())),
            Some(other) => drop(attributes.headers.insert(property, other.to_string())),
        }
    }
    for name in DOCUMENTS {
        match document.get(name) {
            None => {}
            Some(Value::Null) => drop(attributes.documents.remove(name)),
            Some(said @ Value::Object(_)) => {
                drop(attributes.documents.insert(name.into(), said.to_string().into()));
            }
            Some(_) => return Err(Fault::invalid(format!("Invalid value for: {name}"))),
        }
    }
    match document.get("metadata") {
        None => Ok(()),
        Some(Value::Null) => {
            attributes.metadata.clear();
            Ok(())
        }
        Some(Value::Object(entries)) => custom(&mut attributes.metadata, entries),
        Some(_) => Err(Fault::invalid("Invalid value for: metadata")),
    }
}

fn custom(metadata: &mut BTreeMap<String, String>, entries: &Map<String, Value>) -> Result<(), Fault> {
    for (key, value) in entries {
        match value {
            Value::Null => drop(metadata.remove(key)),
            Value::String(text) => drop(metadata.insert(key.clone(), text.clone())),
            Value::Number(_) | Value::Bool(_) => drop(metadata.insert(key.clone(), value.to_string())),
            Value::Array(_) | Value::Object(_) => {
                return Err(Fault::invalid(format!("Invalid value for metadata `{key}`")));
            }
        }
    }
    Ok(())
}

/// The next metageneration, as of `now`.
pub(super) fn touch(attributes: &mut Attributes, now: Timestamp) {
    let next = attributes.headers.get(METAGENERATION).and_then(|text| text.parse().ok()).unwrap_or(1_u64) + 1;
    attributes.headers.insert(METAGENERATION, next.to_string());
    attributes.headers.insert(UPDATED, time(now));
}

/// What a copy takes over: what was said, not how often.
pub(super) fn said(attributes: &Attributes) -> Attributes {
    let mut said = attributes.clone();
    for name in [METAGENERATION, UPDATED, COMPONENTS] {
        said.headers.remove(name);
    }
    said
}

pub(super) fn md5(content: &Content) -> Option<String> {
    content.md5.map(|sum| STANDARD.encode(sum))
}

pub(super) fn crc32c(content: &Content) -> Option<String> {
    content.checksum(ChecksumKind::Crc32c).map(|sum| STANDARD.encode(&sum.value))
}

/// An entity tag as the vendor makes them: opaque, of generation and metageneration.
pub(super) fn etag(object: &Object) -> String {
    STANDARD.encode(format!("{}/{}", generation(object), metageneration(object)))
}

/// `base`: where links lead.
pub(super) fn object(bucket: &str, object: &Object, base: &str) -> Value {
    let (generation, created) = (generation(object), time(object.created));
    let (name, path) = (&*object.key, format!("b/{}/o/{}", encoded(bucket), encoded(&object.key)));
    let headers = &object.attributes.headers;
    let mut shown = json!({
        "kind": "storage#object",
        "id": format!("{bucket}/{name}/{generation}"),
        "selfLink": format!("{base}/storage/v1/{path}"),
        "mediaLink": format!("{base}/download/storage/v1/{path}?generation={generation}&alt=media"),
        "name": name,
        "bucket": bucket,
        "generation": generation.to_string(),
        "metageneration": metageneration(object).to_string(),
        "contentType": "application/octet-stream",
        "storageClass": "STANDARD",
        "size": object.content.size().to_string(),
        "etag": etag(object),
        "timeCreated": created,
        "updated": headers.get(UPDATED).unwrap_or(&created),
        "timeStorageClassUpdated": created,
    });
    if let Some(sum) = md5(&object.content) {
        shown["md5Hash"] = sum.into();
    }
    if let Some(sum) = crc32c(&object.content) {
        shown["crc32c"] = sum.into();
    }
    for (&key, value) in headers {
        match key {
            METAGENERATION | UPDATED => {}
            COMPONENTS => shown[COMPONENTS] = value.parse::<u64>().unwrap_or(1).into(),
            "temporaryHold" | "eventBasedHold" => shown[key] = (value == "true").into(),
            key => shown[key] = value.as_str().into(),
        }
    }
    for name in DOCUMENTS {
        let said = object.attributes.documents.get(name).and_then(|text| serde_json::from_str(text).ok());
        if let Some(said) = said {
            let said: Value = said;
            shown[name] = said;
        }
    }
    if !object.attributes.metadata.is_empty() {
        shown["metadata"] = json!(object.attributes.metadata);
    }
    shown
}

/// An opaque tag of what it is made of.
pub(super) fn tag(parts: &[&str]) -> String {
    STANDARD.encode(ChecksumKind::Crc32c.of(parts.join("/").as_bytes()))
}

pub(super) fn bucket(view: &BucketView, said: &Said, base: &str) -> Value {
    let (name, created) = (view.id.name(), time(view.created));
    let mut shown = json!({
        "kind": "storage#bucket",
        "id": &**name,
        "name": &**name,
        "selfLink": format!("{base}/storage/v1/b/{name}"),
        "projectNumber": "0",
        "metageneration": said.metageneration.to_string(),
        "location": "US",
        "locationType": "multi-region",
        "storageClass": "STANDARD",
        "timeCreated": created,
        "updated": said.updated.as_ref().unwrap_or(&created),
        "etag": STANDARD.encode(said.metageneration.to_string()),
        // What is removed here is gone.
        "softDeletePolicy": { "retentionDurationSeconds": "0" },
        "iamConfiguration": {
            "bucketPolicyOnly": { "enabled": false },
            "uniformBucketLevelAccess": { "enabled": false },
            "publicAccessPrevention": "inherited",
        },
    });
    if let Value::Object(shown) = &mut shown {
        super::settings::merge(shown, said.words.clone());
    }
    if let Some(period) = said.retention() {
        shown["retentionPolicy"]["retentionPeriod"] = period.to_string().into();
    }
    shown
}
