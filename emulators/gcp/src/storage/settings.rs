//! What is said about buckets: location, labels, life cycles, versioning. It is a document that the bucket carries.

use super::Storage;
use super::fault::Fault;
use super::wire;
use mlemu_engine::objects::{BucketId, BucketView, Fault as Core, Versioning};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::{MutexGuard, PoisonError};

/// What a bucket's owner may say, without what the store says itself.
const OWN: [&str; 12] = [
    "kind",
    "id",
    "name",
    "selfLink",
    "projectNumber",
    "metageneration",
    "timeCreated",
    "updated",
    "etag",
    "generation",
    "acl",
    "defaultObjectAcl",
];
const DOCUMENT: &str = "bucket";

pub(super) type Words = Map<String, Value>;

/// What was said of a bucket, and how often.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Said {
    pub words: Words,
    pub metageneration: u64,
    pub updated: Option<String>,
}

impl Default for Said {
    fn default() -> Self {
        Self { words: Map::new(), metageneration: 1, updated: None }
    }
}

impl Said {
    pub fn of(view: &BucketView) -> Self {
        view.document(DOCUMENT).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// `null` takes a word back. `replaces`: what is not repeated is forgotten.
    pub fn change(&mut self, words: Words, replaces: bool) {
        if replaces {
            self.words.retain(|key, _| ["location", "locationType"].contains(&key.as_str()));
        }
        merge(&mut self.words, own_words(words));
    }

    pub fn is_versioned(&self) -> bool {
        self.words.get("versioning").is_some_and(|versioning| versioning["enabled"] == true)
    }

    /// Whether access lists have no say here.
    pub fn is_uniform(&self) -> bool {
        self.words.get("iamConfiguration").is_some_and(|access| {
            access["uniformBucketLevelAccess"]["enabled"] == true
                || access["bucketPolicyOnly"]["enabled"] == true
        })
    }

    /// How long objects must stay, in seconds.
    pub fn retention(&self) -> Option<u64> {
        number(&self.words.get("retentionPolicy")?["retentionPeriod"])
    }

    /// Types and limits of what acts here; the rest is only kept.
    pub fn check(&self) -> Result<(), Fault> {
        let objects = [
            "versioning",
            "iamConfiguration",
            "labels",
            "lifecycle",
            "retentionPolicy",
            "website",
            "logging",
        ];
        if let Some(wrong) =
            objects.iter().find(|key| self.words.get(**key).is_some_and(|value| !value.is_object()))
        {
            return Err(Fault::invalid(format!("Invalid value for: {wrong}")));
        }
        if self.words.get("cors").is_some_and(|cors| !cors.is_array()) {
            return Err(Fault::invalid("Invalid value for: cors"));
        }
        for (key, is_known, message) in [
            ("storageClass", is_class as fn(&str) -> bool, "The specified storage class is not valid."),
            ("location", is_location, "The specified location constraint is not valid."),
        ] {
            if self.words.get(key).is_some_and(|value| !value.as_str().is_some_and(is_known)) {
                return Err(Fault::invalid(message));
            }
        }
        if self.words.contains_key("retentionPolicy") && self.retention().is_none() {
            return Err(Fault::invalid("Invalid value for: retentionPolicy.retentionPeriod"));
        }
        Ok(())
    }
}

/// Source: Cloud Storage, "Storage classes", with those that it has only for old buckets.
fn is_class(name: &str) -> bool {
    [
        "STANDARD",
        "NEARLINE",
        "COLDLINE",
        "ARCHIVE",
        "MULTI_REGIONAL",
        "REGIONAL",
        "DURABLE_REDUCED_AVAILABILITY",
    ]
    .contains(&name)
}

/// Whether a place is spelled as the vendor spells its own, in either case: `us`, `nam4` or `us-central1`.
/// Source: Cloud Storage, "Bucket locations".
fn is_location(name: &str) -> bool {
    let is_word = |word: &str| {
        let letters = word.trim_end_matches(|one: char| one.is_ascii_digit());
        !letters.is_empty() && letters.bytes().all(|byte| byte.is_ascii_alphabetic())
    };
    match name.split_once('-') {
        None => name.len() <= 5 && is_word(name),
        Some((continent, rest)) => {
            is_word(continent) && is_word(rest) && rest.ends_with(|one: char| one.is_ascii_digit())
        }
    }
}

/// A number that a client wrote as one or as text.
pub(super) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

impl Storage {
    /// Held while something that is said is read and said anew.
    pub(super) fn saying(&self) -> MutexGuard<'_, ()> {
        self.saying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn said(&self, bucket: &str) -> Result<Said, Core> {
        self.objects.bucket(&self.bucket_id(bucket)).map(|view| Said::of(&view))
    }

    /// Keeps what is said, and lets act what acts.
    pub(super) fn say(&self, bucket: &BucketId, mut said: Said) -> Result<(), Core> {
        if let Some(policy) = said.words.get_mut("retentionPolicy").and_then(Value::as_object_mut) {
            let now = wire::time(self.clock.now());
            policy.entry("effectiveTime").or_insert_with(|| now.into());
        }
        let versioning = if said.is_versioned() { Versioning::Enabled } else { Versioning::Suspended };
        if said.is_versioned() || self.objects.bucket(bucket)?.versioning != Versioning::Off {
            self.objects.set_versioning(bucket, versioning)?;
        }
        self.objects.set_document(bucket, DOCUMENT, Some(json!(said).to_string().into()))
    }
}

pub(super) fn own_words(mut words: Words) -> Words {
    words.retain(|key, _| !OWN.contains(&key.as_str()));
    words
}

/// As RFC 7386 merges documents.
pub(super) fn merge(into: &mut Words, words: Words) {
    for (key, value) in words {
        match (into.get_mut(&key), value) {
            (_, Value::Null) => {
                into.remove(&key);
            }
            (Some(Value::Object(kept)), Value::Object(inner)) => merge(kept, inner),
            (None, Value::Object(inner)) => {
                let mut kept = Map::new();
                merge(&mut kept, inner);
                into.insert(key, Value::Object(kept));
            }
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}
