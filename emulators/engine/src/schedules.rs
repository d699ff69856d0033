//! Schedules: functions, and whatever else a cloud has, that start by emulated time alone.
//!
//! Each is one task that waits for its next time. What a jump of the clock leaves behind is skipped; an advance
//! meets each time in its order.

use crate::Engine;
use crate::ids::Ids;
use bytes::Bytes;
use mlemu_core::{Boxed, Cause, Due, FunctionId, InvocationId, Invoke, Mode, Sink, Subject, Timestamp, What};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;

/// Who comes later than this comes from a jump of the clock.
const LATE: Duration = Duration::from_secs(30);

/// Gives the first time after one; asked anew from each time that has come, and from now when the clock was set.
pub type Next = Arc<dyn Fn(Timestamp) -> Option<Timestamp> + Send + Sync>;
/// Makes the vendor's event for a time.
pub type Event = Arc<dyn Fn(Timestamp, &Ids) -> Bytes + Send + Sync>;

/// Starts something of a cloud's own, for a time that has come; what comes of it is under way when it completes, and
/// is of this cause.
pub type Start = Arc<dyn Fn(Timestamp, Cause) -> Boxed<'static, ()> + Send + Sync>;

/// What a schedule starts.
#[derive(Clone)]
pub enum Starts {
    Function { target: FunctionId, event: Event },
    Other { name: Arc<str>, start: Start },
}

impl fmt::Display for Starts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Starts::Function { target, .. } => target.fmt(f),
            Starts::Other { name, .. } => name.fmt(f),
        }
    }
}

#[derive(Clone)]
pub struct Schedule {
    pub id: Arc<str>,
    pub starts: Starts,
    /// As it was declared.
    pub expression: String,
    pub next: Next,
}

/// The schedules of one world. Dropping it stops them.
pub struct Schedules {
    engine: Engine,
    table: Mutex<BTreeMap<Arc<str>, Followed>>,
}

/// The time that one waits for.
type Awaited = Arc<Mutex<Option<Timestamp>>>;

struct Followed {
    schedule: Schedule,
    awaits: Awaited,
    task: AbortHandle,
}

impl Followed {
    fn coming(&self) -> Option<Timestamp> {
        *self.awaits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Schedules {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Schedules {
    pub fn new(engine: Engine) -> Self {
        Self { engine, table: Mutex::default() }
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Followed>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a schedule, in the place of one of the same id. Must be called inside a tokio runtime.
    pub fn put(&self, schedule: Schedule) {
        // It waits from now on, whenever its task begins: time may go forward at once.
        let awaits = Awaited::default();
        let coming = coming(&self.engine, &schedule, &awaits, self.engine.parts().clock.now());
        let following = follow(self.engine.clone(), schedule.clone(), awaits.clone(), coming);
        let task = tokio::spawn(following).abort_handle();
        if let Some(old) = self.table().insert(schedule.id.clone(), Followed { schedule, awaits, task }) {
            old.task.abort();
        }
    }

    /// Stops those of a function.
    pub fn withdraw(&self, function: &FunctionId) {
        let is_its =
            |starts: &Starts| matches!(starts, Starts::Function { target, .. } if target == function);
        self.keep(|schedule| !is_its(&schedule.starts));
    }

    /// Stops one, if it is there.
    pub fn remove(&self, id: &str) {
        self.keep(|schedule| *schedule.id != *id);
    }

    /// Stops those whose id is not wanted any more.
    pub fn retain(&self, wanted: impl Fn(&str) -> bool) {
        self.keep(|schedule| wanted(&schedule.id));
    }

    fn keep(&self, stays: impl Fn(&Schedule) -> bool) {
        self.table().retain(|_, followed| {
            let stays = stays(&followed.schedule);
            if !stays {
                followed.task.abort();
            }
            stays
        });
    }

    /// Each looks for its next time anew, since the clock was set.
    pub fn restart(&self) {
        let all: Vec<Schedule> = self.table().values().map(|followed| followed.schedule.clone()).collect();
        for schedule in all {
            self.put(schedule);
        }
    }

    /// None starts anything until [`Self::restart`].
    pub fn hold(&self) {
        self.table().values().for_each(|followed| followed.task.abort());
    }

    pub fn stop(&self) {
        for followed in std::mem::take(&mut *self.table()).values() {
            followed.task.abort();
        }
    }

    /// All of them, and when each comes next.
    pub fn all(&self) -> Vec<(Schedule, Option<Timestamp>)> {
        self.table().values().map(|followed| (followed.schedule.clone(), followed.coming())).collect()
    }

    /// When one comes next; `None`: never, or there is no such schedule.
    pub fn coming(&self, id: &str) -> Option<Timestamp> {
        self.table().get(id).and_then(Followed::coming)
    }

    /// Starts it now. `false`: there is no such schedule.
    pub async fn fire(&self, id: &str) -> bool {
        let found = self.table().get(id).map(|followed| followed.schedule.clone());
        let Some(schedule) = found else { return false };
        let now = self.engine.parts().clock.now();
        fire(&self.engine, &schedule, now).await;
        true
    }
}

/// The first time after one, and who waits for it.
type Coming = Option<(Timestamp, Boxed<'static, Due>)>;

fn coming(engine: &Engine, schedule: &Schedule, awaits: &Awaited, after: Timestamp) -> Coming {
    let next = (schedule.next)(after);
    *awaits.lock().unwrap_or_else(PoisonError::into_inner) = next;
    next.map(|at| (at, engine.parts().clock.until(at)))
}

async fn follow(engine: Engine, schedule: Schedule, awaits: Awaited, mut next: Coming) {
    let clock = engine.parts().clock.clone();
    while let Some((at, due)) = next {
        let (mut due, mut turn) = (Some(due.await), None);
        let now = clock.now();
        if now <= at.plus(LATE) {
            if engine.gate().is_closed() {
                // Time goes on for whoever closed it.
                drop(due.take());
            }
            engine.gate().opened().await;
            let moving = engine.turns().moving();
            if engine.turns().are_kept() {
                // It would wait for itself.
                drop(due.take());
            }
            turn = Some(engine.turns().wait(format!("schedule {}", schedule.id), moving).await);
            fire(&engine, &schedule, at).await;
        }
        // Before it lets time go on, so that no time is missed.
        next = coming(&engine, &schedule, &awaits, now.max(at));
        drop((due, turn));
    }
}

async fn fire(engine: &Engine, schedule: &Schedule, at: Timestamp) {
    match &schedule.starts {
        Starts::Function { target, event } => invoke(engine, target, event(at, engine.ids())).await,
        Starts::Other { start, .. } => {
            let trace = engine.ids().fresh("trace").hex();
            start(at, Cause::Schedule(trace.as_str().into())).await;
        }
    }
}

async fn invoke(engine: &Engine, target: &FunctionId, payload: Bytes) {
    let id = InvocationId(engine.ids().fresh("invocation").uuid().into());
    let cause = Cause::Schedule(id.0.clone());
    let subject = Subject {
        function: Some(target.clone()),
        invocation: Some(id.clone()),
        cause: Some(cause.clone()),
        ..Subject::default()
    };
    let invoke = Invoke { mode: Mode::Queue, ..Invoke::of(id, target.clone(), payload, cause) };
    if let Err(refusal) = engine.invoke(invoke).await {
        let text = format!("{target} was not started by its schedule: {refusal}");
        let parts = engine.parts();
        parts.journal.send(parts.clock.now(), subject, What::Warning { text });
    }
}
