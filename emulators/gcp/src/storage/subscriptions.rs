//! Which functions wait for which buckets.

use super::event::{self, StorageEvent};
use crate::place::Place;
use mlemu_core::FunctionId;
use mlemu_engine::objects::{BucketId, Objects};
use mlemu_engine::triggers::{Rule, Target, Triggers};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;

/// A function that waits for a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    pub id: String,
    pub function: FunctionId,
    /// In the vendor's spelling, of either generation.
    pub events: Vec<String>,
    pub prefix: Option<String>,
    pub suffix: Option<String>,
    /// It takes the first generation's events.
    pub background: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{name}` is no event of Cloud Storage; write it like `google.cloud.storage.object.v1.finalized`")]
pub struct UnknownEvent {
    pub name: String,
}

pub(super) struct Subscriptions {
    triggers: Triggers,
    objects: Objects,
    place: Place,
    rules: Mutex<HashMap<BucketId, Vec<Rule>>>,
}

impl Subscriptions {
    pub fn new(triggers: Triggers, objects: Objects, place: Place) -> Self {
        Self { triggers, objects, place, rules: Mutex::default() }
    }

    pub fn add(&self, bucket: &BucketId, wanted: Subscription) -> Result<(), UnknownEvent> {
        let mut changes = Vec::new();
        for name in &wanted.events {
            changes.extend(event::kinds(name).ok_or_else(|| UnknownEvent { name: name.clone() })?);
        }
        let shape = StorageEvent {
            objects: self.objects.clone(),
            place: self.place.clone(),
            background: wanted.background,
        };
        let rule = Rule {
            id: wanted.id,
            changes,
            prefix: wanted.prefix.unwrap_or_default(),
            suffix: wanted.suffix.unwrap_or_default(),
            target: Target::Function { id: wanted.function, qualifier: None },
            shape: Arc::new(shape),
        };
        self.put(bucket, rule);
        Ok(())
    }

    pub fn put(&self, bucket: &BucketId, rule: Rule) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let of_bucket = rules.entry(bucket.clone()).or_default();
        of_bucket.push(rule);
        self.triggers.set(bucket, of_bucket.clone());
    }

    /// Takes back the rule of that id.
    pub fn take(&self, bucket: &BucketId, id: &str) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let of_bucket = rules.entry(bucket.clone()).or_default();
        of_bucket.retain(|rule| rule.id != id);
        self.triggers.set(bucket, of_bucket.clone());
    }

    pub fn remove(&self, function: &FunctionId) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        for (bucket, of_bucket) in rules.iter_mut() {
            let before = of_bucket.len();
            of_bucket.retain(|rule| !rule.target.is(function));
            if of_bucket.len() != before {
                self.triggers.set(bucket, of_bucket.clone());
            }
        }
    }
}
