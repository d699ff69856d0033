//! Asking for an invocation: the request, its acceptance or refusal.

use crate::Boxed;
use crate::id::{Cause, FunctionId, InvocationId};
use crate::outcome::{Outcome, ResponseHead};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use thiserror::Error;

/// Tells when the client of a request has hung up, for those who wait on its behalf.
#[derive(Clone)]
pub struct HangUp(Arc<dyn Fn() -> Boxed<'static, ()> + Send + Sync>);

impl HangUp {
    pub fn new(wait: impl Fn() -> Boxed<'static, ()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(wait))
    }

    /// Completes when the client has gone; never, if nobody can tell.
    pub fn wait(&self) -> Boxed<'static, ()> {
        (self.0)()
    }
}

/// Why a client is told off before the service that it asked has had its say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strain {
    /// It did not send its request in time.
    Slow,
    /// There are too many others.
    Crowded,
}

/// How the caller wants its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The caller waits for the outcome.
    Wait,
    /// The caller gets a receipt; the outcome goes to the records.
    Queue,
    /// Only find out whether it would be admitted.
    DryRun,
}

/// Takes an answer's bytes while the function still produces them.
///
/// Implemented where a client reads a streamed answer; `chunk` waits while that client is slow and says
/// `false` when it has gone.
pub trait ChunkSink: Send + Sync {
    fn head(&self, content_type: &str);
    /// The whole head, where the function answers by HTTP itself. Comes before any chunk.
    fn response(&self, head: ResponseHead) {
        let kind = head.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        self.head(kind.unwrap_or("application/octet-stream"));
    }
    fn chunk(&self, bytes: Bytes) -> Boxed<'_, bool>;
}

/// The head of an HTTP request, for runtimes whose functions are called over HTTP. The engine hands it on
/// unread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    pub method: http::Method,
    /// Path and query as the function sees them.
    pub target: http::uri::PathAndQuery,
    pub headers: http::HeaderMap,
}

/// One request to run a function. The payload stays bytes: nobody here parses it.
#[derive(Clone)]
pub struct Invoke {
    pub id: InvocationId,
    pub target: FunctionId,
    /// Which revision, by the vendor's label; `None` is the latest.
    pub qualifier: Option<String>,
    pub mode: Mode,
    pub payload: Bytes,
    /// What the vendor's runtime protocol carries beside the payload (client context, trace header):
    /// names are the protocol's own, opaque to the engine.
    pub attributes: Vec<(&'static str, String)>,
    /// The HTTP request that the payload is the body of, if it is one.
    pub head: Option<Arc<RequestHead>>,
    pub cause: Cause,
    /// The caller wants the log lines of this invocation in the outcome.
    pub wants_log: bool,
    /// Where a streamed answer goes; without it a streamed answer is collected.
    pub stream: Option<Arc<dyn ChunkSink>>,
}

impl Invoke {
    /// A call of the newest revision whose caller waits for the outcome, and wants nothing else.
    pub fn of(id: InvocationId, target: FunctionId, payload: impl Into<Bytes>, cause: Cause) -> Self {
        Self {
            id,
            target,
            qualifier: None,
            mode: Mode::Wait,
            payload: payload.into(),
            attributes: Vec::new(),
            head: None,
            cause,
            wants_log: false,
            stream: None,
        }
    }
}

impl fmt::Debug for Invoke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invoke").field("id", &self.id).field("target", &self.target).finish_non_exhaustive()
    }
}

/// The answer to an [`Invoke`] that was admitted.
#[derive(Debug)]
pub enum Reply {
    Done(Box<Outcome>),
    Accepted,
    WouldRun,
}

/// Which limit stopped a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttle {
    /// The function's own reservation is used up.
    Reserved,
    /// The account's concurrency is used up.
    Account,
}

/// Why an invocation was not admitted. Each cloud has its own words for these, in its `fault` module.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("there is no function `{name}`")]
    NoFunction { name: String },
    #[error("function `{name}` has no revision `{qualifier}`")]
    NoRevision { name: String, qualifier: String },
    #[error("the event is {size} bytes, more than the {limit} allowed")]
    TooLarge { size: u64, limit: u64 },
    #[error("throttled: {0:?}")]
    Throttled(Throttle),
    #[error("the daemon is stopping")]
    Stopping,
}
