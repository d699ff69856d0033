//! How an invocation ended, and what it used.
//!
//! A failure of the function is a value here, never an `Err`: the emulator did its work.

use crate::Timestamp;
use crate::id::InvocationId;
use crate::sandbox::Enforcement;
use crate::terms::Simulated;
use bytes::Bytes;
use serde::Serialize;
use std::time::Duration;

/// The head of an HTTP answer, from runtimes whose functions are called over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseHead {
    pub status: http::StatusCode,
    pub headers: http::HeaderMap,
}

/// What a function answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub body: Bytes,
    pub content_type: Option<String>,
    /// Only from runtimes that speak HTTP with their functions.
    pub head: Option<ResponseHead>,
    /// The body went to the invocation's [`crate::ChunkSink`] and is not repeated in `body`.
    pub streamed: bool,
}

/// Which phase a process was in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    Init,
    Invoke,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionFailure {
    /// The function (or its runtime client) reported an error; `body` is the client's own document.
    Reported {
        body: Bytes,
        kind: Option<String>,
        phase: Phase,
    },
    TimedOut {
        after: Duration,
    },
    /// The process ended without an answer: with a code, or by a signal.
    Exited {
        code: Option<i32>,
        signal: Option<i32>,
        phase: Phase,
    },
    OutOfMemory {
        limit: u64,
    },
    /// In bytes; `size` is as far as it was read.
    ResponseTooLarge {
        size: u64,
        limit: u64,
    },
    /// The code could not be made to start: nothing to run, no interpreter, a package that does not install.
    NotStartable {
        why: String,
    },
    /// The daemon stopped or the function was deleted while this ran.
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartKind {
    /// This invocation waited for an init.
    Cold,
    Warm,
}

/// How an init went, told by the first invocation that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Init {
    #[serde(rename = "duration_ms", serialize_with = "crate::clock::as_millis")]
    pub duration: Duration,
    /// `Invoke`: the init was repeated inside the invocation and its time is part of the handler's.
    pub phase: Phase,
    /// What would have come before it in the cloud; it is no part of `duration`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simulated: Option<Simulated>,
}

/// What one invocation took. All measured, but for what `init` says to be simulated.
#[derive(Clone, Debug, Serialize)]
pub struct Usage {
    /// Waiting for an instance, an init on demand not counted.
    #[serde(rename = "queued_ms", serialize_with = "crate::clock::as_millis")]
    pub queued: Duration,
    pub start: StartKind,
    pub init: Option<Init>,
    /// From handing over the event to the answer.
    #[serde(rename = "handler_ms", serialize_with = "crate::clock::as_millis")]
    pub handler: Duration,
    /// Highest memory of the instance so far, in bytes.
    pub peak_memory: u64,
    pub memory_limit: u64,
    pub enforcement: Enforcement,
    /// CPUs that its instance may take since the end of its init; `None`: as much as there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    Stdout,
    Stderr,
}

/// One line that a function wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    pub at: Timestamp,
    pub stream: Stream,
    pub text: String,
}

/// The one completion of an invocation.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub id: InvocationId,
    /// Label of the revision that ran.
    pub revision: String,
    pub result: Result<Answer, FunctionFailure>,
    pub usage: Usage,
    /// The whole log of this invocation as the vendor writes it, when the caller asked for it.
    pub log: Vec<String>,
}
