//! What is deployed: a function's revisions and the limits they run under.

use crate::id::FunctionId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Variables of a process, in a stable order.
pub type Environment = BTreeMap<String, String>;

/// Where a revision's code is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The developer's own folder: run in place, never written to, watched.
    Folder(PathBuf),
    /// A deployment package that was opened into a folder of ours.
    Unpacked { folder: PathBuf, packed_bytes: u64, sha256: String },
}

impl Source {
    pub fn folder(&self) -> &std::path::Path {
        match self {
            Source::Folder(folder) | Source::Unpacked { folder, .. } => folder,
        }
    }
}

/// Immutable code and configuration. Changing anything makes the next revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    pub function: FunctionId,
    /// Counts up within the function: 1 is the first.
    pub number: u64,
    /// What the vendor calls it, e.g. `$LATEST` or `7`.
    pub label: String,
    pub source: Source,
    /// The vendor's name of the runtime, as declared, e.g. `python3.12`.
    pub runtime: String,
    pub handler: String,
    /// Variables that the developer declared.
    pub env: Environment,
    pub limits: Limits,
}

/// What a revision may use. Sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub memory: u64,
    pub timeout: Duration,
    /// How long an init phase may take before it is given up and repeated inside the first invocation.
    pub init: Duration,
    /// Size of the private scratch folder.
    pub tmp: u64,
    /// Largest event of a waited-for invocation.
    pub request: u64,
    /// Largest event of a queued invocation.
    pub queued_request: u64,
    pub response: u64,
    /// Largest answer when it is streamed.
    pub streamed_response: u64,
    /// At most this many invocations at once; more are throttled. `None`: no reservation.
    pub concurrency: Option<u32>,
}
