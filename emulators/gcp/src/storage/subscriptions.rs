//! Which functions wait for which buckets.

use super::event::{Kind, StorageEvent};
use super::farewell::Farewells;
use super::glob::Glob;
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
    /// Of the object's path, as [`Glob`] reads it.
    pub pattern: Option<String>,
    /// It takes the first generation's events.
    pub background: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WrongSubscription {
    #[error(
        "`{name}` is no event of Cloud Storage; write it like `google.cloud.storage.object.v1.finalized`"
    )]
    UnknownEvent { name: String },
    #[error("`{pattern}` is no pattern of paths: {why}")]
    Pattern { pattern: String, why: String },
}

pub(super) struct Subscriptions {
    triggers: Triggers,
    objects: Objects,
    place: Place,
    farewells: Arc<Farewells>,
    rules: Mutex<HashMap<BucketId, Vec<Rule>>>,
}

impl Subscriptions {
    pub fn new(triggers: Triggers, objects: Objects, place: Place, farewells: Arc<Farewells>) -> Self {
        Self { triggers, objects, place, farewells, rules: Mutex::default() }
    }

    /// Whether anybody is told of changes there.
    pub fn listens(&self, bucket: &BucketId) -> bool {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.get(bucket).is_some_and(|rules| !rules.is_empty())
    }

    /// Makes events of a kind, as CloudEvents, of whatever path.
    pub fn event(&self, kind: Kind) -> StorageEvent {
        StorageEvent {
            objects: self.objects.clone(),
            place: self.place.clone(),
            farewells: self.farewells.clone(),
            kind,
            pattern: None,
            background: false,
        }
    }

    pub fn add(&self, bucket: &BucketId, wanted: Subscription) -> Result<(), WrongSubscription> {
        let unknown = |name: &String| WrongSubscription::UnknownEvent { name: name.clone() };
        let kinds = wanted.events.iter().map(|name| Kind::read(name).ok_or_else(|| unknown(name)));
        let kinds: Vec<Kind> = kinds.collect::<Result<_, _>>()?;
        let read = |pattern: &String| {
            // A subject is written with what stands before each path in CloudEvents.
            let path = pattern.trim_start_matches('/').trim_start_matches("objects/");
            let wrong = |why| WrongSubscription::Pattern { pattern: pattern.clone(), why };
            Glob::read(path).map_err(wrong)
        };
        let pattern = wanted.pattern.as_ref().map(read).transpose()?;
        let rule = |kind: Kind| {
            let event = self.event(kind);
            let shape = StorageEvent { pattern: pattern.clone(), background: wanted.background, ..event };
            Rule {
                id: format!("{}/{kind:?}", wanted.id),
                changes: kind.changes(),
                prefix: wanted.prefix.clone().unwrap_or_default(),
                suffix: wanted.suffix.clone().unwrap_or_default(),
                target: Target::Function { id: wanted.function.clone(), qualifier: None },
                shape: Arc::new(shape),
            }
        };
        self.put(bucket, kinds.into_iter().map(rule));
        Ok(())
    }

    pub fn put(&self, bucket: &BucketId, new: impl IntoIterator<Item = Rule>) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let of_bucket = rules.entry(bucket.clone()).or_default();
        of_bucket.extend(new);
        self.triggers.set(bucket, of_bucket.clone());
    }

    /// Takes back the rules of that id, one for each kind of event.
    pub fn take(&self, bucket: &BucketId, id: &str) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let of_bucket = rules.entry(bucket.clone()).or_default();
        of_bucket.retain(|rule| rule.id.rsplit_once('/').is_none_or(|(of, _)| of != id));
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
