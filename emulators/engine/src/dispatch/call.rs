//! A call on its way: admitted, not completed.

use crate::admission::Permit;
use crate::faults::CallFault;
use crate::history::{Ended, History, Past};
use crate::parts::Parts;
use crate::settle::Pending;
use mlemu_core::record::Status;
use mlemu_core::{
    Answer, BuildFailure, FunctionFailure, FunctionId, Invoke, Outcome, Refusal, Revision, StartKind,
    Subject, Usage, What,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// Dropping a call without completing it tells its caller that the function is gone or the daemon stopping,
/// and the records too.
pub(crate) struct Call {
    pub(crate) parts: Parts,
    pub(crate) invoke: Invoke,
    /// The revision asked for; `None`: whatever is the newest when it begins.
    pub(crate) pinned: Option<Arc<Revision>>,
    /// How often a reload took away the instance that was starting for it.
    pub(crate) moved: u32,
    /// On the clock's monotonic side.
    pub(crate) arrived: Duration,
    /// From when on an instance could have served it: when it came, or when its revision was built.
    pub(crate) startable: Duration,
    /// None once it is completed.
    pub(crate) done: Option<oneshot::Sender<Box<Outcome>>>,
    pub(crate) permit: Option<Permit>,
    /// Its function was deleted.
    pub(crate) deleted: Arc<AtomicBool>,
    /// What goes wrong with it, as a test wants it.
    pub(crate) fault: Option<CallFault>,
    pub(crate) history: History,
    pub(crate) past: Arc<Past>,
    /// Until the process has asked for more, something may come of it.
    pub(crate) pending: Arc<Pending>,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.permit = None;
        if self.done.is_some() {
            let why = dropped(&self.deleted, &self.invoke.target).to_string();
            self.parts.record(subject(&self.invoke), What::Refused { why });
        }
        self.remember(Err(FunctionFailure::Stopped), None);
    }
}

/// What the caller of a dropped call hears.
pub(crate) fn dropped(deleted: &AtomicBool, target: &FunctionId) -> Refusal {
    if deleted.load(Ordering::Acquire) {
        Refusal::NoFunction { name: target.name.to_string() }
    } else {
        Refusal::Stopping
    }
}

impl Call {
    /// Gives the caller its outcome. Only the first completion counts; a caller that left is no fault.
    pub(crate) fn complete(&mut self, outcome: Outcome) {
        // Its place is free before the caller can know: it may call again at once.
        self.permit = None;
        if let Some(done) = self.done.take() {
            let _ = done.send(Box::new(outcome));
        }
    }

    /// Tells the history how it ended; the first word counts.
    pub(crate) fn remember(&self, result: Result<Answer, FunctionFailure>, usage: Option<Usage>) {
        let at = self.parts.clock.now();
        self.history.end(&self.past, Ended { at, status: Status::of(&result), result, usage });
    }

    pub(crate) fn subject(&self, revision: &Revision) -> Subject {
        Subject { revision: Some(revision.label.as_str().into()), ..subject(&self.invoke) }
    }

    /// Completes a call whose revision could not be built.
    pub(crate) fn not_startable(mut self, revision: &Revision, failure: &BuildFailure) {
        let parts = self.parts.clone();
        let why = match &failure.hint {
            Some(hint) => format!("{}\nhint: {hint}", failure.why),
            None => failure.why.clone(),
        };
        let usage = Usage {
            queued: parts.clock.elapsed().saturating_sub(self.arrived),
            start: StartKind::Cold,
            init: None,
            handler: Duration::ZERO,
            peak_memory: 0,
            memory_limit: revision.limits.memory,
            enforcement: parts.sandbox.enforcement(),
            cpu: None,
        };
        let result = Err(FunctionFailure::NotStartable { why });
        let ended = What::Ended { status: Status::of(&result), usage: usage.clone(), answered: None };
        parts.record(self.subject(revision), ended);
        self.remember(result.clone(), Some(usage.clone()));
        self.complete(Outcome {
            id: self.invoke.id.clone(),
            revision: revision.label.clone(),
            result,
            usage,
            log: Vec::new(),
        });
    }
}

/// What records of a call are about, as long as no revision serves it.
pub(crate) fn subject(invoke: &Invoke) -> Subject {
    Subject {
        function: Some(invoke.target.clone()),
        invocation: Some(invoke.id.clone()),
        cause: Some(invoke.cause.clone()),
        ..Subject::default()
    }
}
