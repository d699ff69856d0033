//! Facts that can start functions, and how a vendor tells them.

use crate::id::{Cause, Scope};
use crate::{Epoch, Timestamp};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How an object came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Created {
    Put,
    Post,
    Copy,
    Multipart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectChange {
    Created(Created),
    /// Gone for good.
    Deleted,
    /// Hidden behind a marker.
    Marked,
    /// The object stayed as it is; something else was said about it.
    Described(Described),
}

/// What was said anew about an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Described {
    Tagged,
    Untagged,
    /// Who may do what with it.
    Permitted,
    /// Until when it must stay.
    Retained,
    /// Anything else of what is said about it, where a dialect does not tell one from the other.
    Amended,
    /// It is kept as it is now, whatever becomes of its key.
    Kept,
}

/// One commit of an object store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ObjectOccurrence {
    pub scope: Arc<Scope>,
    pub bucket: Arc<str>,
    pub key: Arc<str>,
    pub change: ObjectChange,
    /// In bytes; 0 for removals.
    pub size: u64,
    /// Lower-case hex MD5, or the multipart form; empty for removals.
    pub etag: String,
    /// The commit that the version is named by, if it has a name.
    pub version: Option<u64>,
    /// The commit of the version that this one replaced or removed, if there was one.
    pub previous: Option<u64>,
    /// What its writer and the dialect said about the object, by the dialect's own names; also of one that is gone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub said: BTreeMap<Arc<str>, Arc<str>>,
    /// Who asked, as far as it was said: address and request id.
    pub source_ip: String,
    pub request_id: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    Object(ObjectOccurrence),
}

/// A fact, its place in the one order of facts, and what caused it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Occurrence {
    /// The commit counter: grows by one with each fact.
    pub sequence: u64,
    pub epoch: Epoch,
    pub at: Timestamp,
    pub cause: Cause,
    pub fact: Fact,
}

/// Turns a fact into the event that a vendor's function receives.
pub trait EventShape: Send + Sync {
    /// `subscription` is the id under which the trigger was configured.
    fn event(&self, occurrence: &Occurrence, subscription: &str) -> Bytes;

    /// Whether there is an event of this fact at all, where the kind of the change does not tell that alone.
    fn concerns(&self, _occurrence: &Occurrence) -> bool {
        true
    }
}
