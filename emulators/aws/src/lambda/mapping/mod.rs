//! Event source mappings: which queue feeds which function. The engine's source mappings do the work.
//!
//! Follows "Using Lambda with Amazon SQS" of the AWS Lambda developer guide.

mod batch;
mod check;
#[cfg(test)]
mod tests;

pub use check::{Checked, check, source, times, together};

use super::settings::Settings;
use super::wire;
use crate::pattern::Pattern;
use crate::profile::MIB;
use crate::sqs::Sqs;
use batch::SqsBatch;
use mlemu_core::{FunctionId, Timestamp};
use mlemu_engine::queues::SubscriptionId;
use mlemu_engine::sources::{Mapping, Sources};
use mlemu_engine::{Kept, KeptGuard, Shelf};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Messages of a batch when nobody says.
pub const BATCH: u32 = 10;
/// Largest event, in bytes.
const EVENT: usize = 6 * MIB as usize;

/// What is configured of a mapping.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Facts {
    pub source_arn: String,
    pub from: SubscriptionId,
    pub target: FunctionId,
    pub qualifier: Option<String>,
    pub batch: u32,
    /// In seconds.
    pub window: u32,
    pub concurrency: Option<u32>,
    /// As they were given.
    pub filters: Vec<String>,
    /// The function tells which messages failed.
    pub partial: bool,
    pub enabled: bool,
    pub modified: Timestamp,
    /// Members without effect here, told again.
    pub kept: wire::Kept,
}

/// All mappings of one account and region, by UUID.
pub struct Mappings {
    pub sources: Sources,
    pub sqs: Sqs,
    table: Kept<BTreeMap<String, Facts>>,
}

impl Mappings {
    pub fn new(sources: Sources, sqs: Sqs) -> Self {
        Self { sources, sqs, table: Kept::default() }
    }

    /// They outlive the daemon there.
    pub fn kept_on(self, shelf: &Shelf) -> Self {
        Self { table: Kept::on(shelf.part("mappings")), ..self }
    }

    /// Goes on with those that were there when the daemon ended. A project declares its own anew.
    pub fn awake(&self) {
        for (uuid, facts) in self.all() {
            if is_declared(&uuid) {
                self.remove(&uuid);
            } else {
                self.put(&uuid, facts);
            }
        }
    }

    pub fn get(&self, uuid: &str) -> Option<Facts> {
        self.table().get(uuid).cloned()
    }

    pub fn all(&self) -> Vec<(String, Facts)> {
        self.table().iter().map(|(uuid, facts)| (uuid.clone(), facts.clone())).collect()
    }

    /// Makes a mapping real, or as it is now.
    pub fn put(&self, uuid: &str, facts: Facts) {
        let mut table = self.table();
        if facts.enabled {
            self.sources.put(engine_mapping(uuid, &facts));
        } else {
            self.sources.remove(uuid);
        }
        table.insert(uuid.to_owned(), facts);
    }

    pub fn remove(&self, uuid: &str) -> Option<Facts> {
        let gone = self.table().remove(uuid);
        self.sources.remove(uuid);
        gone
    }

    /// A function is there again: mappings that had stopped for want of it go on.
    pub fn revive(&self, function: &FunctionId) {
        self.sources.revive(function);
    }

    /// Goes back to what `all` said once; what a project declares is left as it is now.
    pub fn restore(&self, saved: &[(String, Facts)]) {
        for (uuid, _) in self.all() {
            if !is_declared(&uuid) && !saved.iter().any(|(kept, _)| *kept == uuid) {
                self.remove(&uuid);
            }
        }
        for (uuid, facts) in saved.iter().filter(|(uuid, _)| !is_declared(uuid)) {
            self.put(uuid, facts.clone());
        }
    }

    /// Takes back what a project declared for a function.
    pub fn withdraw(&self, function: &FunctionId) {
        let prefix = declared_prefix(function);
        let mut table = self.table();
        table.retain(|uuid, facts| {
            let stays = facts.target != *function || !uuid.starts_with(&prefix);
            if !stays {
                self.sources.remove(uuid);
            }
            stays
        });
    }

    fn table(&self) -> KeptGuard<'_, BTreeMap<String, Facts>> {
        self.table.lock()
    }
}

/// The UUID of a declared mapping: the same for the same declaration, always.
pub fn declared_uuid(function: &FunctionId, index: usize) -> String {
    format!("{}{index:012x}", declared_prefix(function))
}

fn is_declared(uuid: &str) -> bool {
    uuid.as_bytes().get(14) == Some(&b'8')
}

/// Version 8 is free for anything: here it says that a project declared it, and for which function.
fn declared_prefix(function: &FunctionId) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(format!("{}/{}", function.scope.account, function.name));
    let hex = mlemu_engine::objects::hex(&digest);
    format!("{}-{}-8{}-8{}-", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18])
}

fn engine_mapping(uuid: &str, facts: &Facts) -> Mapping {
    // They were compiled when they were set.
    let filters = facts.filters.iter().filter_map(|filter| Pattern::compile(filter).ok()).collect();
    Mapping {
        id: uuid.into(),
        from: facts.from.clone(),
        target: facts.target.clone(),
        qualifier: facts.qualifier.clone(),
        batch: facts.batch as usize,
        window: Duration::from_secs(facts.window.into()),
        event_limit: EVENT,
        concurrency: facts.concurrency.map(|most| most as usize),
        shape: Arc::new(SqsBatch { queue: facts.from.topic.clone(), filters, partial: facts.partial }),
    }
}

/// What callers are told of a mapping.
pub fn told(settings: &Settings, uuid: &str, facts: &Facts, state: &'static str) -> wire::EventSourceMapping {
    let filters = facts.filters.iter().map(|pattern| wire::Filter { pattern: Some(pattern.clone()) });
    let function = settings.arn(&facts.target.name, facts.qualifier.as_deref());
    wire::EventSourceMapping {
        uuid: uuid.to_owned(),
        batch_size: facts.batch,
        maximum_batching_window_in_seconds: facts.window,
        event_source_arn: facts.source_arn.clone(),
        filter_criteria: (!facts.filters.is_empty())
            .then(|| wire::FilterCriteria { filters: Some(filters.collect()) }),
        function_arn: function,
        last_modified: facts.modified.millis() as f64 / 1000.0,
        state,
        state_transition_reason: "USER_INITIATED",
        function_response_types: if facts.partial {
            vec!["ReportBatchItemFailures".into()]
        } else {
            Vec::new()
        },
        scaling_config: facts
            .concurrency
            .map(|most| wire::ScalingConfig { maximum_concurrency: Some(most.into()) }),
        event_source_mapping_arn: settings.mapping_arn(uuid),
        kept: facts.kept.clone(),
    }
}
