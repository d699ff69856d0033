//! The one stream of facts that every report reads: the terminal, `--json`, logs, the dashboard, the
//! harness.

use crate::Timestamp;
use crate::id::{Cause, FunctionId, InstanceId, InvocationId};
use crate::outcome::{FunctionFailure, Init, LogLine, Usage};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// What a record is about. Unset parts do not apply.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Subject {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionId>,
    /// Label of the revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invocation: Option<InvocationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// One fact. `sequence` is given by the sink, in the order of arrival.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    pub sequence: u64,
    pub at: Timestamp,
    pub subject: Subject,
    pub what: What,
}

/// How an invocation or an init ended, in a word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "status")]
pub enum Status {
    Ok,
    Error {
        kind: String,
    },
    Timeout {
        #[serde(rename = "after_ms", serialize_with = "crate::clock::as_millis")]
        after: Duration,
    },
    /// The process ended without an answer.
    Exited {
        code: Option<i32>,
        signal: Option<i32>,
    },
    OutOfMemory,
    /// The answer is; in bytes.
    TooLarge {
        size: u64,
        limit: u64,
    },
}

impl Status {
    pub fn of<T>(result: &Result<T, FunctionFailure>) -> Self {
        match result {
            Ok(_) => Status::Ok,
            Err(FunctionFailure::TimedOut { after }) => Status::Timeout { after: *after },
            Err(FunctionFailure::OutOfMemory { .. }) => Status::OutOfMemory,
            Err(FunctionFailure::Reported { kind, .. }) => {
                Status::Error { kind: kind.clone().unwrap_or_else(|| "Unhandled".into()) }
            }
            Err(FunctionFailure::Exited { code, signal, .. }) => {
                Status::Exited { code: *code, signal: *signal }
            }
            Err(FunctionFailure::ResponseTooLarge { size, limit }) => {
                Status::TooLarge { size: *size, limit: *limit }
            }
            Err(FunctionFailure::NotStartable { .. }) => Status::Error { kind: "NotStartable".into() },
            Err(FunctionFailure::Stopped) => Status::Error { kind: "Stopped".into() },
        }
    }

    /// One word, as it is serialized.
    pub fn word(&self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Error { .. } => "error",
            Status::Timeout { .. } => "timeout",
            Status::Exited { .. } => "exited",
            Status::OutOfMemory => "out-of-memory",
            Status::TooLarge { .. } => "too-large",
        }
    }

    pub fn is_ok(&self) -> bool {
        matches!(self, Status::Ok)
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A function exists from now on; `from` is where it was declared, e.g. `template.yaml:4`.
    Declared {
        from: Option<String>,
    },
    /// New code or configuration is live.
    Published {
        number: u64,
        reload: bool,
    },
    Deleted,
    /// A step of making a revision startable, e.g. installing packages.
    Building {
        step: String,
        /// A tool's own words about the step before, for those who watch it.
        detail: bool,
    },
    /// The end of steps.
    Built {
        #[serde(rename = "took_ms", serialize_with = "crate::clock::as_millis")]
        took: Duration,
    },
    BuildFailed {
        why: String,
    },
    /// `runtime` as declared, `version` of the interpreter as it is.
    InitStarted {
        runtime: String,
        version: String,
    },
    /// `init.phase == Invoke`: the repeated init.
    InitEnded {
        init: Init,
        status: Status,
    },
    Started,
    Log(LogLine),
    Ended {
        status: Status,
        usage: Usage,
        /// The status of the HTTP answer, where there was one.
        #[serde(rename = "http_status", skip_serializing_if = "Option::is_none")]
        answered: Option<u16>,
    },
    InstanceGone {
        why: String,
    },
    Refused {
        why: String,
    },
    /// An object, message or the like changed; `summary` is for people.
    Occurred {
        sequence: u64,
        summary: String,
    },
    /// Somebody used what mlemu does not have.
    Unsupported {
        service: String,
        operation: String,
    },
    /// A fault that a test asked for has struck: what follows from it is no fault of anybody's.
    Injected {
        /// The number of the rule.
        rule: u64,
        effect: String,
        /// What it struck, for people.
        at: String,
    },
    Warning {
        text: String,
    },
}

/// Where records go. `send` never blocks and never fails.
pub trait Sink: Send + Sync {
    fn send(&self, at: Timestamp, subject: Subject, what: What);
}
