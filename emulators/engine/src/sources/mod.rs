//! Source mappings: from a queue to the function that works it off.
//!
//! Each mapping is one task that waits in its queue as any receiver does, gathers a batch, and hands it to a
//! task of its own, at most so many at once. It takes nothing that it could not hand over at once. What the
//! event looks like, which messages concern the function, and what its answer means is the cloud's
//! ([`BatchShape`]); what becomes of messages is the queue core's.

#[cfg(test)]
mod advance;
mod deliver;
mod gather;
#[cfg(test)]
mod tests;

use crate::ids::Ids;
use crate::queues::{Queues, Received, SubscriptionId};
use crate::triggers::Invoker;
use bytes::Bytes;
use mlemu_core::{
    Answer, Boxed, Clock, FunctionFailure, FunctionId, InvocationId, Invoke, Refusal, Reply, Sink, Subject,
    What,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// What a function's answer says of its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Done,
    Failed,
    /// Only these failed, by their place in the batch.
    Partly(Vec<usize>),
}

/// Turns batches into a vendor's events, and a function's answers into verdicts.
pub trait BatchShape: Send + Sync {
    /// Whether the function wants a message; what it does not want is done with.
    fn wants(&self, one: &Received) -> bool;
    /// The event for a batch, which is never empty.
    fn event(&self, batch: &[Received]) -> Bytes;
    /// What the answer of an invocation that went well says.
    fn verdict(&self, batch: &[Received], answer: &Answer) -> Verdict;
    /// What an invocation that failed says.
    fn failed(&self, _batch: &[Received], _failure: &FunctionFailure) -> Verdict {
        Verdict::Failed
    }
}

/// Which queue feeds which function, and how.
#[derive(Clone)]
pub struct Mapping {
    pub id: Arc<str>,
    pub from: SubscriptionId,
    pub target: FunctionId,
    /// Which revision, by the vendor's label; `None` is the latest.
    pub qualifier: Option<String>,
    /// Most messages of an invocation.
    pub batch: usize,
    /// How long a batch that is not full waits for more.
    pub window: Duration,
    /// Largest event, in bytes; a larger batch is split.
    pub event_limit: usize,
    /// Most invocations at once; `None`: as many as this machine runs well.
    pub concurrency: Option<usize>,
    pub shape: Arc<dyn BatchShape>,
}

/// What the mappings live on.
pub struct SourceParts<I> {
    pub queues: Queues,
    pub invoker: I,
    pub sink: Arc<dyn Sink>,
    /// Makes an id for each invocation.
    pub new_id: fn(&Ids) -> InvocationId,
    /// Most invocations of one mapping at once on this machine: more would wait while their leases run out.
    pub cap: usize,
}

type Run = Arc<dyn Fn(Invoke) -> Boxed<'static, Result<Reply, Refusal>> + Send + Sync>;

/// The same, for every mapping's task.
struct Ground {
    queues: Queues,
    invoke: Run,
    sink: Arc<dyn Sink>,
    new_id: fn(&Ids) -> InvocationId,
    cap: usize,
}

impl Ground {
    fn clock(&self) -> &dyn Clock {
        &**self.queues.clock()
    }
}

/// The running mappings. A cheap handle; clones share them.
#[derive(Clone)]
pub struct Sources {
    ground: Arc<Ground>,
    table: Arc<Mutex<BTreeMap<Arc<str>, Arc<Driver>>>>,
}

/// One mapping at work.
struct Driver {
    ground: Arc<Ground>,
    mapping: Mapping,
    stop: CancellationToken,
    slots: Arc<Semaphore>,
    /// Batches that are gathered or being worked on.
    busy: AtomicUsize,
    standing: Mutex<Standing>,
}

/// Whether a mapping takes messages.
#[derive(Default)]
struct Standing {
    halted: Option<String>,
    /// How often its function was made anew: a refusal that was given before says nothing.
    revivals: u64,
}

impl Sources {
    pub fn new<I: Invoker>(parts: SourceParts<I>) -> Self {
        let invoker = Arc::new(parts.invoker);
        let invoke: Run = Arc::new(move |invoke| {
            let invoker = invoker.clone();
            Box::pin(async move { invoker.invoke(invoke).await })
        });
        let SourceParts { queues, sink, new_id, cap, .. } = parts;
        Self { ground: Arc::new(Ground { queues, invoke, sink, new_id, cap }), table: Arc::default() }
    }

    /// Starts a mapping; one of the same id stops taking first. Must be called inside a tokio runtime.
    pub fn put(&self, mapping: Mapping) {
        self.start(&mut self.table(), mapping);
    }

    fn start(&self, table: &mut BTreeMap<Arc<str>, Arc<Driver>>, mapping: Mapping) {
        let wanted = mapping.concurrency.unwrap_or(usize::MAX).min(self.ground.cap).max(1);
        let driver = Arc::new(Driver {
            ground: self.ground.clone(),
            stop: CancellationToken::new(),
            slots: Arc::new(Semaphore::new(wanted)),
            busy: AtomicUsize::new(0),
            standing: Mutex::default(),
            mapping,
        });
        let old = table.insert(driver.mapping.id.clone(), driver.clone());
        if let Some(old) = old {
            old.stop.cancel();
        }
        // From here on its messages count as under way, before the task has begun.
        let consumer = self.ground.queues.consumer(&driver.mapping.from).ok();
        tokio::spawn(driver.run(consumer));
    }

    /// Stops taking messages. Invocations under way end as they will; a batch that is still gathered goes back
    /// untouched. `false`: there is no such mapping.
    pub fn remove(&self, id: &str) -> bool {
        let gone = self.table().remove(id);
        gone.inspect(|driver| driver.stop.cancel()).is_some()
    }

    /// Starts again those that stopped because the function was not there; those that are about to stop ask again.
    pub fn revive(&self, target: &FunctionId) {
        // One lock for all of it: a mapping that is removed or changed meanwhile must not come back as it was.
        let mut table = self.table();
        let of_target = table.values().filter(|driver| driver.mapping.target == *target);
        let halted: Vec<Mapping> =
            of_target.filter(|driver| driver.revive()).map(|driver| driver.mapping.clone()).collect();
        for mapping in halted {
            self.start(&mut table, mapping);
        }
    }

    /// Batches of a mapping that are gathered or being worked on; `None`: there is no such mapping.
    pub fn busy(&self, id: &str) -> Option<usize> {
        self.table().get(id).map(|driver| driver.busy.load(Ordering::Acquire))
    }

    /// Why a mapping takes nothing, if it does not.
    pub fn halted(&self, id: &str) -> Option<String> {
        self.table().get(id)?.why_halted()
    }

    /// Stops them all.
    pub fn stop(&self) {
        for driver in std::mem::take(&mut *self.table()).values() {
            driver.stop.cancel();
        }
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<Driver>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver {
    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn why_halted(&self) -> Option<String> {
        self.standing().halted.clone()
    }

    /// To be read before the function is asked for, and given to [`Driver::halt`].
    fn revivals(&self) -> u64 {
        self.standing().revivals
    }

    /// The function is there. `true`: too late, this one has halted.
    fn revive(&self) -> bool {
        let mut standing = self.standing();
        standing.revivals += 1;
        standing.halted.is_some()
    }

    /// Takes nothing any more, and says why. `false`: the function was made anew since `revivals` was read.
    fn halt(&self, why: String, revivals: u64) -> bool {
        let mut standing = self.standing();
        if standing.revivals != revivals {
            return false;
        }
        if standing.halted.is_none() {
            let subject = Subject { function: Some(self.mapping.target.clone()), ..Subject::default() };
            let text = format!("{} is not worked off any more: {why}", self.mapping.from.topic);
            self.ground.sink.send(self.ground.clock().now(), subject, What::Warning { text });
            standing.halted = Some(why);
        }
        self.stop.cancel();
        true
    }
}
