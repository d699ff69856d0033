//! A project as it was declared, by whichever file: what `up` makes real.
//!
//! The root package reads files into these; each cloud takes its part. No vendor's file format shows here.

use crate::function::Environment;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Where something was declared, for people: `template.yaml:4`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Provenance {
    pub file: PathBuf,
    pub line: usize,
}

/// Which form of HTTP event a route gives its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HttpForm {
    /// The vendor's older, fuller form (API Gateway REST, payload 1.0).
    Rest,
    /// The newer, leaner form (HTTP API, payload 2.0).
    Lean,
}

/// Allowed cross-origin callers of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cors {
    pub origins: Vec<String>,
    pub methods: Vec<String>,
    pub headers: Vec<String>,
    pub credentials: bool,
    pub max_age: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerDeclaration {
    /// `method` in upper case or `ANY`; `path` with `{name}` and `{name+}` parts.
    Http {
        api: String,
        method: String,
        path: String,
        form: HttpForm,
        cors: Option<Cors>,
    },
    /// `events` in the vendor's spelling, e.g. `s3:ObjectCreated:*`.
    Bucket {
        bucket: String,
        events: Vec<String>,
        prefix: Option<String>,
        suffix: Option<String>,
    },
    Queue {
        queue: String,
        batch: u32,
        options: QueueOptions,
    },
    Schedule {
        expression: String,
    },
    /// A URL of the function's own.
    Url {
        cors: Option<Cors>,
        streaming: bool,
    },
}

/// How a function is fed from a queue, beyond how many messages at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QueueOptions {
    /// How long a batch that is not full waits for more.
    pub window: Option<Duration>,
    /// Most invocations at once.
    pub concurrency: Option<u32>,
    /// The function tells which messages failed.
    pub partial: bool,
    /// Patterns in the vendor's own language; a message must fit one of them, if there are any.
    pub filters: Vec<String>,
}

/// A queue to be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueueDeclaration {
    pub cloud: String,
    pub name: String,
    /// How long a received message stays hidden.
    pub visibility: Option<Duration>,
    /// The queue, by name, to which messages go that were received too often.
    pub dlq: Option<String>,
    /// How often a message may be received before it goes to `dlq`.
    pub max_receives: Option<u32>,
    /// What else is said of it, in the vendor's spelling.
    pub attributes: BTreeMap<String, String>,
    pub from: Provenance,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FunctionDeclaration {
    /// `aws`, `gcp` or `azure`.
    pub cloud: String,
    pub name: String,
    /// The name in the file it came from, when that differs (a logical id).
    pub alias: Option<String>,
    pub runtime: String,
    pub handler: String,
    pub source: PathBuf,
    /// In bytes; `None`: the vendor's default.
    pub memory: Option<u64>,
    pub timeout: Option<Duration>,
    /// In bytes.
    pub tmp: Option<u64>,
    pub env: Environment,
    pub concurrency: Option<u32>,
    pub triggers: Vec<TriggerDeclaration>,
    /// What only its vendor understands, by the key of the project's file.
    pub options: BTreeMap<String, String>,
    pub from: Provenance,
}

/// Something that only its vendor has, to be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResourceDeclaration {
    pub cloud: String,
    /// The vendor's word for what it is.
    pub kind: String,
    /// Its own among those of its kind.
    pub name: String,
    /// What is said of it: JSON in the vendor's spelling.
    pub properties: String,
    pub from: Provenance,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BucketDeclaration {
    pub cloud: String,
    pub name: String,
    /// A folder whose files are put into the bucket at the start.
    pub seed: Option<PathBuf>,
    pub from: Provenance,
}

/// Something that a project wants run once before its functions can work, e.g. training a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Prepare {
    pub run: Vec<String>,
    /// Packages that only this step needs.
    pub requirements: Vec<String>,
    pub inputs: Vec<PathBuf>,
    pub outputs: Vec<PathBuf>,
    /// Where to run it.
    pub folder: PathBuf,
    pub from: Provenance,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Project {
    pub name: String,
    pub root: PathBuf,
    pub functions: Vec<FunctionDeclaration>,
    pub buckets: Vec<BucketDeclaration>,
    pub queues: Vec<QueueDeclaration>,
    pub resources: Vec<ResourceDeclaration>,
    pub prepare: Vec<Prepare>,
    /// What was read and could not be understood or resolved; shown, never fatal.
    pub warnings: Vec<String>,
}
