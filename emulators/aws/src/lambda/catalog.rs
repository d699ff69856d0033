//! What only this vendor keeps of a function: role, tags, policy, versions, URL. The engine holds what runs.

use super::target::{LATEST, Target};
use super::wire::{Cors, Kept, Tags};
use mlemu_core::{FunctionId, Revision, Source, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// All functions of one account and region, by name.
#[derive(Debug, Default)]
pub struct Catalog {
    functions: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub id: FunctionId,
    /// Another name that people use for it, e.g. its logical id in a template.
    pub alias: Option<String>,
    pub latest: Facts,
    pub versions: BTreeMap<u64, Version>,
    /// The number that the next published version gets.
    pub next: u64,
    pub tags: Tags,
    /// Statements by the qualifier that they were added to; "" is the function itself.
    pub policies: BTreeMap<String, Vec<Value>>,
    pub url: Option<UrlConfig>,
    pub aliases: BTreeMap<String, Alias>,
    /// What becomes of queued calls, by the qualifier that they came with.
    pub queued: BTreeMap<String, QueuedConfig>,
}

/// A name for a version, or for two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alias {
    pub version: String,
    pub description: String,
    /// Another version, and the share of calls that it takes: from 0 to 1.
    pub aside: Option<(String, f64)>,
    pub revision_id: String,
}

/// What becomes of queued calls, as far as somebody said so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueuedConfig {
    /// How often a call is tried again that failed.
    pub retries: Option<u32>,
    /// In seconds.
    pub age: Option<u32>,
    /// ARNs that are told how it ended.
    pub on_success: Option<String>,
    pub on_failure: Option<String>,
    pub modified: Timestamp,
}

/// The vendor's facts of one version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub role: String,
    pub description: String,
    pub architectures: Vec<String>,
    /// Configuration that has no effect here and is told again.
    pub kept: Kept,
    pub modified: Timestamp,
    /// Changes with every change.
    pub revision_id: String,
}

/// A published version: code and configuration that no longer change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    pub facts: Facts,
    /// The description of `$LATEST` when this was published from it; a version may have its own.
    pub described_as: String,
    pub revision: Arc<Revision>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UrlConfig {
    pub auth_type: String,
    pub cors: Option<Cors>,
    /// Answers go out while they are made.
    pub streaming: bool,
    pub created: Timestamp,
    pub modified: Timestamp,
}

/// Which version a qualifier means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Latest,
    Number(u64),
}

impl Catalog {
    /// By name, else by the other name that people use.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.functions
            .get(name)
            .or_else(|| self.functions.values().find(|entry| entry.alias.as_deref() == Some(name)))
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut Entry> {
        let name = self.get(name)?.id.name.to_string();
        self.functions.get_mut(&name)
    }

    /// Whether a function has exactly this name.
    pub fn has(&self, name: &str) -> bool {
        self.functions.contains_key(name)
    }

    pub fn insert(&mut self, entry: Entry) {
        self.functions.insert(entry.id.name.to_string(), entry);
    }

    pub fn remove(&mut self, name: &str) -> Option<Entry> {
        self.functions.remove(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.functions.values()
    }
}

impl Entry {
    pub fn new(id: FunctionId, latest: Facts) -> Self {
        Self {
            id,
            alias: None,
            latest,
            versions: BTreeMap::new(),
            next: 1,
            tags: Tags::new(),
            policies: BTreeMap::new(),
            url: None,
            aliases: BTreeMap::new(),
            queued: BTreeMap::new(),
        }
    }

    /// The facts of the version that a qualifier means.
    pub fn facts(&self, qualifier: Option<&str>) -> Option<&Facts> {
        let qualifier = qualifier.map(str::to_owned);
        match self.which(&Target { name: self.id.name.to_string(), qualifier })? {
            Which::Latest => Some(&self.latest),
            Which::Number(number) => self.versions.get(&number).map(|version| &version.facts),
        }
    }

    /// `None`: there is no such version.
    pub fn which(&self, target: &Target) -> Option<Which> {
        match target.qualifier.as_deref() {
            None | Some(LATEST) => Some(Which::Latest),
            Some(qualifier) => {
                let version = self.aliases.get(qualifier).map_or(qualifier, |alias| &alias.version);
                if version == LATEST {
                    return Some(Which::Latest);
                }
                let number = version.parse().ok()?;
                self.versions.contains_key(&number).then_some(Which::Number(number))
            }
        }
    }

    /// The newest published version, if `latest` is no different from it.
    pub fn unchanged(&self, latest: &Revision) -> Option<u64> {
        let (number, version) = self.versions.last_key_value()?;
        let same = version.facts.role == self.latest.role
            && version.described_as == self.latest.description
            && version.facts.architectures == self.latest.architectures
            && version.facts.kept == self.latest.kept
            && same_runnable(&version.revision, latest);
        same.then_some(*number)
    }

    /// Keeps `pinned` as the next version.
    pub fn add_version(&mut self, pinned: Arc<Revision>, description: Option<String>, revision_id: String) {
        let mut facts = Facts { revision_id, ..self.latest.clone() };
        if let Some(description) = description {
            facts.description = description;
        }
        let described_as = self.latest.description.clone();
        self.versions.insert(self.next, Version { facts, described_as, revision: pinned });
        self.next += 1;
    }
}

/// Whether two revisions run the same. A folder in place may have changed with every number.
fn same_runnable(a: &Revision, b: &Revision) -> bool {
    let same_code = match (&a.source, &b.source) {
        (Source::Folder(_), Source::Folder(_)) => a.number == b.number,
        (a, b) => a == b,
    };
    same_code && a.runtime == b.runtime && a.handler == b.handler && a.env == b.env && a.limits == b.limits
}
