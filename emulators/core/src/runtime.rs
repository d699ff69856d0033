//! Seam: a vendor's runtime protocol, spoken to one instance.
//!
//! *Pull* protocols serve an API that the process polls; *push* protocols call the process over HTTP;
//! *stream* protocols hold one connection. The engine sees none of it.

use crate::build::{Built, Needs};
use crate::function::{Environment, Revision};
use crate::id::{InstanceId, InvocationId};
use crate::invoke::Invoke;
use crate::outcome::Answer;
use crate::record::Record;
use crate::{Boxed, Timestamp};
use bytes::Bytes;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// The process to start for an instance, before the walls are put around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub program: PathBuf,
    pub args: Vec<String>,
    pub env: Environment,
    pub folder: PathBuf,
}

/// A client's own report of a failure, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedError {
    pub body: Bytes,
    pub kind: Option<String>,
}

/// What came back for one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionReply {
    Answer(Answer),
    Error(ReportedError),
    /// An error after which nothing can be said to the process any more: it is to be ended.
    Broken(ReportedError),
    /// In bytes; `size` is as far as it was read.
    TooLarge {
        size: u64,
        limit: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct Unsupported {
    pub why: String,
    pub hint: Option<String>,
}

/// One event on its way into an instance.
#[derive(Debug)]
pub struct Delivery {
    pub invoke: Invoke,
    /// In emulated time, which a function is told but cannot read by itself.
    pub begun: Timestamp,
    /// When the function must have answered, on the wall clock that it reads itself.
    pub deadline: Timestamp,
    /// The same as a duration from now.
    pub left: Duration,
}

/// The conversation with one process. Not told when the process ends: the engine watches that.
pub trait Session: Send + Sync {
    fn command(&self) -> &Command;

    /// Completes when the client asks for its first event, or reports that its init failed.
    /// Cancel-safe.
    fn ready(&mut self) -> Boxed<'_, Result<(), ReportedError>>;

    /// Hands over one event and completes with the answer. There are at most [`Keeping::concurrency`] of them at
    /// a time.
    fn invoke(&self, delivery: Delivery) -> Boxed<'_, SessionReply>;

    /// Completes when the client asks for the next event, i.e. when nothing of the last one goes on; with many
    /// events at a time, when it can take one more. Cancel-safe.
    fn idle(&self) -> Boxed<'_, ()>;

    /// The process is not needed any more: where the protocol has a farewell, says it and completes when that was
    /// heard or has had its time.
    fn leave(&self) -> Boxed<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// How a vendor keeps an instance where others do otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// It is stopped between invocations.
    pub freezes: bool,
    /// Past an invocation's deadline its caller is told, and the instance works on and takes the next one as
    /// soon as its session says that it is idle.
    pub outlives_deadlines: bool,
    /// How many events it takes at a time, at least one.
    pub concurrency: usize,
    /// Files in its scratch folder are memory.
    pub tmp_is_memory: bool,
    /// Where its process is lost, or could not be started, the next invocation starts another, in its own time; else
    /// the instance ends with its process.
    pub starts_again: bool,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            freezes: true,
            outlives_deadlines: false,
            concurrency: 1,
            tmp_is_memory: false,
            starts_again: true,
        }
    }
}

/// A line as the function wrote it, out of what its runtime client made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwrapped {
    /// May be many lines.
    pub text: String,
    /// During which invocation it was written, where the client says so.
    pub invocation: Option<InvocationId>,
}

/// A vendor's runtimes, all of them.
pub trait Runtime: Send + Sync {
    /// What must be there before an instance can start.
    fn needs(&self, revision: &Revision) -> Result<Needs, Unsupported>;

    /// Opens the conversation with an instance that is about to start.
    fn open<'a>(
        &'a self,
        revision: &'a Arc<Revision>,
        built: &'a Arc<Built>,
        instance: InstanceId,
    ) -> Boxed<'a, Result<Box<dyn Session>, std::io::Error>>;

    /// How instances of this revision are kept.
    fn keeping(&self, _revision: &Revision) -> Keeping {
        Keeping::default()
    }

    /// The profile of the product that this revision runs on, by name; none when nothing is known of it.
    fn profile(&self, _revision: &Revision) -> &'static str {
        ""
    }

    /// What an instance's line stands for, where this vendor's client wraps what functions write. `None`: itself.
    fn unwrapped(&self, _line: &str) -> Option<Unwrapped> {
        None
    }

    /// What this vendor's log says for a record, line by line; empty where it says nothing.
    fn lines(&self, record: &Record) -> Vec<String>;
}
