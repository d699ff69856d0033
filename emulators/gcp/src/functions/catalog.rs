//! Which functions there are, with what the engine does not know of them.

use crate::framework::Traits;
use mlemu_core::FunctionId;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// One function.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: FunctionId,
    pub traits: Traits,
    /// What it waits for, if it is not called by HTTP.
    pub event: Option<EventTrigger>,
    /// Pages of these origins may call it.
    pub origins: Vec<String>,
}

/// What starts a function of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTrigger {
    /// As in a CloudEvent, e.g. `google.cloud.storage.object.v1.finalized`.
    pub kind: String,
    pub source: EventSource,
    /// An event whose invocation failed comes again.
    pub retry: bool,
}

/// Where events come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventSource {
    Bucket(String),
    /// By its whole name.
    Topic(String),
}

impl Entry {
    pub(super) fn admits(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed == "*" || allowed == origin)
    }
}

/// All functions by their names.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    entries: RwLock<BTreeMap<String, Arc<Entry>>>,
}

impl Catalog {
    pub(super) fn get(&self, name: &str) -> Option<Arc<Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn set(&self, entry: Entry) {
        let name = entry.id.name.to_string();
        self.entries.write().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::new(entry));
    }

    pub(super) fn remove(&self, name: &str) -> bool {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(name).is_some()
    }
}
