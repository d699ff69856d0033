//! A clock that tests own: real, offset, frozen, faster, or advanced.
//!
//! Whoever waits for emulated time has a timer in one ordered table. [`SteeredClock::forward`] goes from timer to
//! timer up to its goal: it sets the time to that of the earliest, wakes that one alone, and waits until
//! everything that came of it has settled, or waits for a later time, before it looks for the next. Timers
//! that are set on the way count. So six hours of retries take as long as the retries themselves, and happen in
//! the order of their times.

use super::SystemClock;
use crate::settle::{Settle, Work};
use mlemu_core::{Boxed, Clock, Due, Scope, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How emulated time passes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "mode")]
pub enum Course {
    /// As the machine's.
    Real,
    /// From `at` on, `rate` times as fast as the machine's; 0 stands still.
    Steered { at: Timestamp, rate: f64 },
}

/// A way to go forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    By(Duration),
    To(Timestamp),
}

/// Cheap to share; the timers hold on to it.
pub struct SteeredClock {
    shared: Arc<Shared>,
    /// One goes forward at a time.
    going: tokio::sync::Mutex<()>,
}

struct Shared {
    machine: SystemClock,
    /// Whether the table must be asked for the time at all.
    steered: AtomicBool,
    table: Mutex<Table>,
    /// Rings when time passes in another way than before.
    changed: Notify,
}

struct Table {
    course: Course,
    /// When `course` began, on the machine's monotonic clock.
    since: Duration,
    /// Somebody goes from timer to timer: none completes by itself.
    stepping: bool,
    timers: BTreeMap<(Timestamp, u64), Arc<Bell>>,
    next: u64,
}

/// Wakes one timer, and carries what it must hold on to.
#[derive(Default)]
struct Bell {
    due: Mutex<Option<Due>>,
    rung: Notify,
}

impl Bell {
    fn ring(&self, due: Due) {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = Some(due);
        self.rung.notify_one();
    }

    fn take(&self) -> Option<Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// How long a timer has yet to wait.
enum Left {
    Nothing,
    /// So long in real time, if nobody steers.
    Real(Duration),
    /// Until somebody steers.
    Unknown,
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self, table: &Table) -> Timestamp {
        match table.course {
            Course::Real => self.machine.now(),
            Course::Steered { at, rate } => {
                let passed = self.machine.elapsed().saturating_sub(table.since);
                at.plus(passed.mul_f64(rate))
            }
        }
    }

    /// From now on time passes so. The caller rings `changed` when timers may complete by themselves.
    fn set(&self, table: &mut Table, course: Course) {
        table.since = self.machine.elapsed();
        table.course = course;
        self.steered.store(course != Course::Real, Ordering::Release);
    }

    fn left(&self, at: Timestamp) -> Left {
        let table = self.table();
        let left = at.0.saturating_sub(self.now(&table).0);
        if table.stepping {
            return Left::Unknown;
        }
        let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) else { return Left::Nothing };
        let left = Duration::from_micros(left);
        match table.course {
            Course::Real => Left::Real(left),
            Course::Steered { rate, .. } if rate > 0.0 => Left::Real(left.div_f64(rate)),
            Course::Steered { .. } => Left::Unknown,
        }
    }
}

/// One who waits for a time. Its place in the table is free when it is dropped.
struct Timer {
    shared: Arc<Shared>,
    key: (Timestamp, u64),
    bell: Arc<Bell>,
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.shared.table().timers.remove(&self.key);
    }
}

impl Timer {
    fn new(shared: Arc<Shared>, at: Timestamp) -> Self {
        let bell = Arc::<Bell>::default();
        let mut table = shared.table();
        table.next += 1;
        let key = (at, table.next);
        table.timers.insert(key, bell.clone());
        drop(table);
        Self { shared, key, bell }
    }

    async fn completed(self) -> Due {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if let Some(due) = self.bell.take() {
                return due;
            }
            let left = match self.shared.left(self.key.0) {
                Left::Nothing => return Due::unwatched(),
                Left::Real(left) => Some(left),
                Left::Unknown => None,
            };
            tokio::select! {
                () = self.bell.rung.notified() => {}
                () = changed => {}
                () = tokio::time::sleep(left.unwrap_or_default()), if left.is_some() => {}
            }
        }
    }
}

impl Clock for SteeredClock {
    fn now(&self) -> Timestamp {
        if self.shared.steered.load(Ordering::Acquire) {
            let table = self.shared.table();
            return self.shared.now(&table);
        }
        self.shared.machine.now()
    }

    fn machine(&self) -> Timestamp {
        self.shared.machine.now()
    }

    fn elapsed(&self) -> Duration {
        self.shared.machine.elapsed()
    }

    fn sleep(&self, wait: Duration) -> Boxed<'static, ()> {
        self.shared.machine.sleep(wait)
    }

    fn until(&self, at: Timestamp) -> Boxed<'static, Due> {
        if at <= self.now() {
            return Box::pin(std::future::ready(Due::unwatched()));
        }
        Box::pin(Timer::new(self.shared.clone(), at).completed())
    }
}

/// Puts time back on its course, also when whoever went forward gave up.
struct Stepping<'a> {
    shared: &'a Shared,
    /// How time passed before.
    before: Course,
    now: Timestamp,
}

impl Drop for Stepping<'_> {
    fn drop(&mut self) {
        let mut table = self.shared.table();
        table.stepping = false;
        let rate = match self.before {
            Course::Real => 1.0,
            Course::Steered { rate, .. } => rate,
        };
        self.shared.set(&mut table, Course::Steered { at: self.now, rate });
        drop(table);
        self.shared.changed.notify_waiters();
    }
}

impl Stepping<'_> {
    /// Stands at the earliest timer up to `goal` and rings it; `false`: there is none.
    fn step(&mut self, goal: Timestamp, settle: &Settle) -> bool {
        let mut table = self.shared.table();
        let Some((&(at, _), _)) = table.timers.first_key_value().filter(|((at, _), _)| *at <= goal) else {
            return false;
        };
        let Some((_, bell)) = table.timers.pop_first() else { return false };
        self.now = self.now.max(at);
        self.shared.set(&mut table, Course::Steered { at: self.now, rate: 0.0 });
        drop(table);
        let nowhere = Arc::new(Scope::new("", "", ""));
        let work = Work::Due { what: "a timer".into() };
        bell.ring(Due::watched(settle.enter(&nowhere, "".into(), work)));
        true
    }
}

impl SteeredClock {
    #[expect(clippy::new_without_default, reason = "reading the clock is no default")]
    pub fn new() -> Self {
        Self::on(Course::Real)
    }

    /// Time stands still from the beginning on.
    pub fn frozen(at: Timestamp) -> Self {
        Self::on(Course::Steered { at, rate: 0.0 })
    }

    fn on(course: Course) -> Self {
        let table =
            Table { course, since: Duration::ZERO, stepping: false, timers: BTreeMap::new(), next: 0 };
        let shared = Shared {
            machine: SystemClock::new(),
            steered: AtomicBool::new(course != Course::Real),
            table: Mutex::new(table),
            changed: Notify::new(),
        };
        Self { shared: Arc::new(shared), going: tokio::sync::Mutex::default() }
    }

    /// How emulated time passes, as of now.
    pub fn course(&self) -> Course {
        let table = self.shared.table();
        match table.course {
            Course::Real => Course::Real,
            Course::Steered { rate, .. } => Course::Steered { at: self.shared.now(&table), rate },
        }
    }

    /// The next times that somebody waits for, earliest first.
    pub fn next_due(&self, most: usize) -> Vec<Timestamp> {
        self.shared.table().timers.keys().take(most).map(|(at, _)| *at).collect()
    }

    /// From now on time passes so. What falls due by a jump ahead happens in no order: [`Self::forward`] keeps it.
    pub async fn set(&self, course: Course) {
        let _alone = self.going.lock().await;
        let mut table = self.shared.table();
        self.shared.set(&mut table, course);
        drop(table);
        self.shared.changed.notify_waiters();
    }

    /// Goes forward; whatever falls due on the way happens in its order, and has settled when this completes. Time
    /// then passes as before, from there. A goal in the past is reached already. When this is dropped on the way,
    /// time goes on from where it had come to.
    pub async fn forward(&self, forward: Forward, settle: &Settle) -> Timestamp {
        let _alone = self.going.lock().await;
        let mut stepping = self.stop();
        let goal = match forward {
            Forward::By(wait) => stepping.now.plus(wait),
            Forward::To(at) => at.max(stepping.now),
        };
        loop {
            settle.still().await;
            if !stepping.step(goal, settle) {
                break;
            }
        }
        stepping.now = goal;
        goal
    }

    fn stop(&self) -> Stepping<'_> {
        let mut table = self.shared.table();
        let (now, before) = (self.shared.now(&table), table.course);
        table.stepping = true;
        self.shared.set(&mut table, Course::Steered { at: now, rate: 0.0 });
        drop(table);
        Stepping { shared: &self.shared, before, now }
    }
}

#[cfg(test)]
mod tests;
