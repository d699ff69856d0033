//! Care for queued calls: nobody waits for their answers, so somebody must try again when they fail, and say in the
//! end what became of them.
//!
//! A cloud says how patient it is ([`Patience`]) and hears how each call ended ([`Care`]); the tries, the waits
//! between them and the age of an event are the same for every cloud and are here. A wait is under way as a hidden
//! message is: it counts, and lets the clock go on.

use crate::Engine;
use crate::face::Admitted;
use crate::faults::Fate;
use crate::queues::BackOff;
use crate::settle::{self, Pending, Work};
use mlemu_core::{
    Boxed, Due, FunctionFailure, Invoke, Outcome, Refusal, Reply, Sink, Subject, Timestamp, What,
};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a queued call is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often it may run, the first time included.
    pub runs: u32,
    /// From its arrival on; what could only be tried later is not tried any more.
    pub age: Duration,
    /// Between a run that failed and the next.
    pub after_failure: BackOff,
    /// Between a refusal and the next try; refusals are not counted as runs.
    pub after_refusal: BackOff,
}

/// Why a queued call is not tried any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Done,
    /// It failed as often as it may.
    Exhausted,
    /// The next try would come too late.
    TooOld,
    /// Its function may not run at all.
    NoRoom,
}

/// How a queued call ended.
#[derive(Clone, Debug)]
pub struct End {
    pub invoke: Invoke,
    pub verdict: Verdict,
    pub runs: u32,
    /// Of the last run, if it ever ran.
    pub outcome: Option<Box<Outcome>>,
}

/// What a cloud does for its queued calls.
pub trait Care: Send + Sync {
    /// Asked anew for each call, when it arrives.
    fn patience(&self, invoke: &Invoke) -> Patience;

    /// Told once for each call that ran, or that never will. What it begins must be under way when it completes.
    fn ended(&self, end: End) -> Boxed<'_, ()>;
}

/// Who cares for the calls of which cloud.
#[derive(Default)]
pub(crate) struct Carers {
    /// Fast to know that nobody does.
    any: AtomicBool,
    table: RwLock<HashMap<Arc<str>, Arc<dyn Care>>>,
}

impl Carers {
    pub fn set(&self, cloud: &str, care: Arc<dyn Care>) {
        self.table.write().unwrap_or_else(PoisonError::into_inner).insert(cloud.into(), care);
        self.any.store(true, Ordering::Release);
    }

    pub fn of(&self, invoke: &Invoke) -> Option<Arc<dyn Care>> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.get(&invoke.target.scope.cloud).cloned()
    }
}

/// How a try began.
pub(crate) enum Try {
    Runs(oneshot::Receiver<Box<Outcome>>, Arc<Pending>),
    Throttled(Arc<Pending>),
    /// Its function may not run at all.
    NoRoom(Arc<Pending>),
}

/// One queued call on its way.
pub(crate) struct Course {
    engine: Engine,
    care: Arc<dyn Care>,
    patience: Patience,
    invoke: Invoke,
    born: Timestamp,
    runs: u32,
    refusals: u32,
}

impl Course {
    pub fn new(engine: &Engine, care: Arc<dyn Care>, invoke: Invoke) -> Self {
        let patience = care.patience(&invoke);
        let born = engine.parts().clock.now();
        Self { engine: engine.clone(), care, patience, invoke, born, runs: 0, refusals: 0 }
    }

    /// Until it is over. Something of it is under way at every moment.
    pub async fn follow(mut self, first: Try) {
        let mut next = first;
        loop {
            let (pending, failed, wait) = match next {
                Try::NoRoom(pending) => return self.end(Verdict::NoRoom, None, pending).await,
                Try::Throttled(pending) => {
                    self.refusals += 1;
                    (pending, None, self.patience.after_refusal.after(self.refusals))
                }
                Try::Runs(outcome, pending) => {
                    // Without an outcome its function is gone, or the daemon is stopping.
                    let Ok(outcome) = outcome.await else { return };
                    self.runs += 1;
                    match &outcome.result {
                        Ok(_) => return self.end(Verdict::Done, Some(outcome), pending).await,
                        Err(FunctionFailure::Stopped) => return,
                        Err(_) if self.runs >= self.patience.runs => {
                            return self.end(Verdict::Exhausted, Some(outcome), pending).await;
                        }
                        Err(_) => (pending, Some(outcome), self.patience.after_failure.after(self.runs)),
                    }
                }
            };
            let at = self.engine.parts().clock.now().plus(wait);
            if at > self.born.plus(self.patience.age) {
                return self.end(Verdict::TooOld, failed, pending).await;
            }
            self.tell_of_wait(wait);
            let Some((due, waited)) = self.wait(at, pending).await else { return };
            let Ok(again) = self.try_again() else { return };
            next = again;
            drop((due, waited));
        }
    }

    /// `None`: everything that waits was sent away.
    async fn wait(&self, at: Timestamp, moving: Arc<Pending>) -> Option<(Due, Pending)> {
        let (engine, trace) = (&self.engine, settle::trace(&self.invoke.cause));
        let what = format!("the next try of {} ({})", self.invoke.target, self.invoke.id);
        let work = Work::Due { what: what.into() };
        let cleared = engine.gate().cleared();
        let waiting = engine.settle().enter_waiting(&self.invoke.target.scope, trace, work);
        drop(moving);
        let due = async {
            let due = engine.parts().clock.until(at).await;
            engine.gate().opened().await;
            due
        };
        tokio::select! {
            () = cleared => None,
            due = due => Some((due, waiting)),
        }
    }

    /// `Err`: its function is gone, or the daemon is stopping.
    fn try_again(&self) -> Result<Try, Refusal> {
        self.engine.attempt(&self.invoke, self.engine.fate_of_call(&self.invoke))
    }

    async fn end(self, verdict: Verdict, outcome: Option<Box<Outcome>>, pending: Arc<Pending>) {
        self.care.ended(End { invoke: self.invoke, verdict, runs: self.runs, outcome }).await;
        drop(pending);
    }

    fn tell_of_wait(&self, wait: Duration) {
        let (runs, most) = (self.runs, self.patience.runs);
        let text = format!("tried again in {} s, after {runs} of {most} runs", wait.as_secs());
        let parts = self.engine.parts();
        let subject = Subject {
            function: Some(self.invoke.target.clone()),
            invocation: Some(self.invoke.id.clone()),
            cause: Some(self.invoke.cause.clone()),
            ..Subject::default()
        };
        parts.journal.send(parts.clock.now(), subject, What::Warning { text });
    }
}

impl Engine {
    /// From now on queued calls to functions of this cloud are cared for.
    pub fn cared_for_by(&self, cloud: &str, care: Arc<dyn Care>) {
        self.carers().set(cloud, care);
    }

    /// Begins a queued call, whose caller hears only whether it was taken.
    pub(crate) fn begin(&self, invoke: Invoke, fate: Fate) -> Result<Reply, Refusal> {
        let Some(care) = self.carers().of(&invoke) else { return self.begin_once(invoke, fate) };
        if let Fate::Ends(Ok(reply)) = fate {
            return Ok(reply);
        }
        let first = self.attempt(&invoke, fate)?;
        tokio::spawn(Course::new(self, care, invoke).follow(first));
        Ok(Reply::Accepted)
    }

    /// One try of a call that is cared for.
    fn attempt(&self, invoke: &Invoke, fate: Fate) -> Result<Try, Refusal> {
        let fault = match fate {
            Fate::Goes(fault) => fault,
            Fate::Ends(_) => return Ok(Try::Throttled(self.under_way(invoke))),
        };
        let view = self.function(&invoke.target);
        if view.is_some_and(|view| view.reserved == Some(0)) {
            return Ok(Try::NoRoom(self.under_way(invoke)));
        }
        match self.admit_or_record(invoke.clone(), fault) {
            Ok(Admitted::Outcome { deleted, .. }) if deleted.load(Ordering::Acquire) => {
                Err(Refusal::NoFunction { name: invoke.target.name.to_string() })
            }
            Ok(Admitted::Outcome { outcome, pending, .. }) => Ok(Try::Runs(outcome, pending)),
            Ok(Admitted::WouldRun) => Err(Refusal::Stopping),
            Err(Refusal::Throttled(_)) => Ok(Try::Throttled(self.under_way(invoke))),
            Err(refusal) => Err(refusal),
        }
    }

    fn under_way(&self, invoke: &Invoke) -> Arc<Pending> {
        let work = Work::Invocation { id: invoke.id.clone(), function: invoke.target.clone() };
        Arc::new(self.settle().enter(&invoke.target.scope, settle::trace(&invoke.cause), work))
    }
}
