//! Care for queued calls: nobody waits for their answers, so somebody must try again when they fail, and say in the
//! end what became of them.
//!
//! A cloud says how patient it is ([`Patience`]) and hears how each call ended ([`Care`]); the tries, the waits
//! between them and the age of an event are the same for every cloud and are here. A wait is under way as a hidden
//! message is: it counts, and lets the clock go on. With a store, calls are [`owed`](crate::owed) beyond the end of
//! the daemon.

use crate::face::Admitted;
use crate::faults::Fate;
use crate::owed::Progress;
use crate::queues::BackOff;
use crate::settle::{self, Pending, Work};
use crate::{Engine, Shelf};
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
    Runs {
        outcome: oneshot::Receiver<Box<Outcome>>,
        pending: Arc<Pending>,
        /// Whether its function was deleted.
        deleted: Arc<AtomicBool>,
    },
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
    progress: Progress,
}

impl Course {
    pub fn new(engine: &Engine, care: Arc<dyn Care>, invoke: Invoke) -> Self {
        let born = engine.parts().clock.now();
        let course = Self::at(engine, care, invoke, Progress { born, runs: 0, refusals: 0, due: None });
        course.note();
        course
    }

    /// One that has come so far.
    fn at(engine: &Engine, care: Arc<dyn Care>, invoke: Invoke, progress: Progress) -> Self {
        let patience = care.patience(&invoke);
        Self { engine: engine.clone(), care, patience, invoke, progress }
    }

    fn note(&self) {
        self.engine.owed().note(&self.invoke, self.progress);
    }

    fn forget(&self) {
        self.engine.owed().forget(&self.invoke.id);
    }

    /// Goes on where it was when the daemon ended.
    async fn go_on(self, pending: Arc<Pending>) {
        let mut waited = None;
        match self.progress.due {
            Some(at) if at > self.engine.parts().clock.now() => {
                waited = self.wait(at, pending).await;
                if waited.is_none() {
                    return;
                }
            }
            _ => drop(pending),
        }
        match self.try_again() {
            Ok(first) => {
                drop(waited);
                self.follow(first).await;
            }
            // The records have heard of it.
            Err(_) => self.forget(),
        }
    }

    /// Until it is over. Something of it is under way at every moment.
    pub async fn follow(mut self, first: Try) {
        let mut next = first;
        loop {
            let (pending, failed, wait) = match next {
                Try::NoRoom(pending) => return self.end(Verdict::NoRoom, None, pending).await,
                Try::Throttled(pending) => {
                    self.progress.refusals += 1;
                    (pending, None, self.patience.after_refusal.after(self.progress.refusals))
                }
                Try::Runs { outcome, pending, deleted } => {
                    let Ok(outcome) = outcome.await else {
                        // Otherwise the daemon is stopping.
                        if deleted.load(Ordering::Acquire) {
                            self.forget();
                        }
                        return;
                    };
                    self.progress.runs += 1;
                    match &outcome.result {
                        Ok(_) => return self.end(Verdict::Done, Some(outcome), pending).await,
                        Err(FunctionFailure::Stopped) => return,
                        Err(_) if self.progress.runs >= self.patience.runs => {
                            return self.end(Verdict::Exhausted, Some(outcome), pending).await;
                        }
                        Err(_) => {
                            (pending, Some(outcome), self.patience.after_failure.after(self.progress.runs))
                        }
                    }
                }
            };
            let at = self.engine.parts().clock.now().plus(wait);
            if at > self.progress.born.plus(self.patience.age) {
                return self.end(Verdict::TooOld, failed, pending).await;
            }
            self.tell_of_wait(wait);
            self.progress.due = Some(at);
            self.note();
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
            biased;
            () = cleared => None,
            due = due => Some((due, waiting)),
        }
    }

    /// `Err`: its function is gone, or the daemon is stopping.
    fn try_again(&self) -> Result<Try, Refusal> {
        self.engine.attempt(&self.invoke, self.engine.fate_of_call(&self.invoke))
    }

    async fn end(self, verdict: Verdict, outcome: Option<Box<Outcome>>, pending: Arc<Pending>) {
        let (engine, id) = (self.engine.clone(), self.invoke.id.clone());
        self.care.ended(End { invoke: self.invoke, verdict, runs: self.progress.runs, outcome }).await;
        // After what its end has written: it is told again rather than not at all.
        engine.owed().forget(&id);
        drop(pending);
    }

    fn tell_of_wait(&self, wait: Duration) {
        let (runs, most) = (self.progress.runs, self.patience.runs);
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

    /// Queued calls that are cared for outlive the daemon there. To be said before there are any.
    pub fn keep_calls_on(&self, shelf: Shelf) {
        self.owed().keep_on(shelf);
    }

    /// Goes on with the calls that were left when the daemon ended; their functions are there by now.
    pub fn go_on(&self) {
        for (invoke, progress) in self.owed().left() {
            let Some(care) = self.carers().of(&invoke) else { continue };
            let pending = self.under_way(&invoke);
            tokio::spawn(Course::at(self, care, invoke, progress).go_on(pending));
        }
    }

    /// No call is owed any more. Those under way are to be ended first.
    pub fn forget_calls(&self) {
        self.owed().forget_all();
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
            Ok(Admitted::Outcome { outcome, pending, deleted }) => {
                Ok(Try::Runs { outcome, pending, deleted })
            }
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
