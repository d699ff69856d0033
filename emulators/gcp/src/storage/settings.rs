//! What is said about buckets and only kept: location, labels, life cycles. Nothing here acts.

use mlemu_engine::{Kept, Shelf};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a bucket's owner may say, without what the store says itself.
const OWN: [&str; 10] = [
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
];

type Words = Map<String, Value>;

/// By the names of the buckets: what was said, and how often.
pub(super) struct BucketSettings {
    said: Kept<BTreeMap<String, (Words, u64)>>,
}

impl BucketSettings {
    pub fn on(shelf: &Shelf) -> Self {
        Self { said: Kept::on(shelf.part("buckets")) }
    }

    /// What was said of the bucket, and its metageneration.
    pub fn of(&self, bucket: &str) -> (Words, u64) {
        let said = self.said.lock();
        said.get(bucket).cloned().unwrap_or_else(|| (Map::new(), 1))
    }

    /// The first words about a new bucket.
    pub fn begin(&self, bucket: &str, words: Words) {
        let mut said = self.said.lock();
        said.insert(bucket.to_owned(), (own_words(words), 1));
    }

    /// `null` takes a word back. `replaces`: what is not repeated is forgotten.
    pub fn change(&self, bucket: &str, words: Words, replaces: bool) {
        let mut said = self.said.lock();
        let (kept, metageneration) = said.entry(bucket.to_owned()).or_insert_with(|| (Map::new(), 1));
        if replaces {
            kept.clear();
        }
        merge(kept, own_words(words));
        *metageneration += 1;
    }

    pub fn forget(&self, bucket: &str) {
        self.said.lock().remove(bucket);
    }
}

fn own_words(mut words: Words) -> Words {
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
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}
