//! Holds instances to their CPUs where no control group may: by stopping and continuing their processes.
//!
//! One thread looks at every instance that has a share. CPU time that it may take grows with real time, up to what
//! a tenth of a second gives, as the kernel's own periods do; what its processes took is taken off. Who has taken
//! more than that stands still until it is paid for. So a short burst runs at full speed, and over any longer
//! time the share is met exactly, however late the thread comes: being late only makes the next stop longer.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

/// An instance as the pacer sees it.
pub trait Paced: Send + Sync {
    /// CPU time of all its processes so far; `None`: it has ended.
    fn spent(&self) -> Option<Duration>;
    /// It stands still anyway, and takes nothing.
    fn rests(&self) -> bool;
    fn pause(&self);
    fn go_on(&self);
}

/// What can be saved up, as time at full share.
const SAVED: f64 = 0.1;
const SHORTEST: f64 = 0.001;
const LONGEST: f64 = 0.02;

/// Ends its thread when dropped.
pub struct Pacer {
    lane: Arc<Lane>,
}

#[derive(Default)]
struct Lane {
    runners: Mutex<Runners>,
    change: Condvar,
}

#[derive(Default)]
struct Runners {
    all: Vec<Runner>,
    changed: bool,
    closed: bool,
}

struct Runner {
    who: Weak<dyn Paced>,
    credit: Credit,
    paused: bool,
    /// When it is to be looked at, in seconds of the monotonic clock.
    due: f64,
}

/// CPU time that may yet be taken, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Credit {
    share: f64,
    left: f64,
    /// Both as of the last look.
    at: f64,
    spent: f64,
}

impl Credit {
    fn new(share: f64, at: f64, spent: f64) -> Self {
        Self { share, left: share * SAVED, at, spent }
    }

    fn look(&mut self, at: f64, spent: f64) {
        self.left += (at - self.at) * self.share - (spent - self.spent);
        self.left = self.left.min(self.share * SAVED);
        (self.at, self.spent) = (at, spent);
    }

    /// How long it must stand still, if it must; else how long it may be left alone on that many cores.
    fn next(&self, cores: f64) -> (bool, f64) {
        if self.left <= 0.0 {
            // As long as it takes, and so much longer that it is worth going on.
            return (true, -self.left / self.share + SHORTEST);
        }
        (false, (self.left / cores).clamp(SHORTEST, LONGEST))
    }
}

impl Pacer {
    pub fn start() -> std::io::Result<Self> {
        let lane = Arc::new(Lane::default());
        let own = lane.clone();
        thread::Builder::new().name("mlemu-pacer".into()).spawn(move || own.run())?;
        Ok(Self { lane })
    }

    /// From now on `who` may take so many CPUs; `None`: as many as there are.
    pub fn pace(&self, who: &Arc<dyn Paced>, cpus: Option<f64>) {
        let mut runners = self.lane.lock();
        let known =
            runners.all.iter().position(|runner| std::ptr::addr_eq(runner.who.as_ptr(), Arc::as_ptr(who)));
        match (known, cpus) {
            (Some(at), Some(cpus)) => runners.all[at].credit.share = cpus,
            (Some(at), None) => {
                if runners.all.swap_remove(at).paused {
                    who.go_on();
                }
            }
            (None, Some(cpus)) => {
                let (now, spent) = (now(), who.spent().unwrap_or_default().as_secs_f64());
                let credit = Credit::new(cpus, now, spent);
                runners.all.push(Runner { who: Arc::downgrade(who), credit, paused: false, due: now });
            }
            (None, None) => {}
        }
        runners.changed = true;
        drop(runners);
        self.lane.change.notify_one();
    }

    /// Somebody goes on who rested.
    pub fn wakes(&self) {
        let mut runners = self.lane.lock();
        if !runners.all.is_empty() {
            runners.changed = true;
            drop(runners);
            self.lane.change.notify_one();
        }
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.lane.lock().closed = true;
        self.lane.change.notify_one();
    }
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, Runners> {
        self.runners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        // Being late makes stops coarser; an ordinary user may not ask for this and does without.
        let _ = rustix::process::setpriority_process(None, -10);
        let cores = thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64);
        let mut runners = self.lock();
        while !runners.closed {
            runners.changed = false;
            let now = now();
            runners.all.retain_mut(|runner| runner.look(now, cores));
            let awake = runners.all.iter().filter(|runner| runner.due.is_finite());
            let next = awake.map(|runner| runner.due).fold(f64::INFINITY, f64::min);
            let undisturbed = |runners: &mut Runners| !runners.closed && !runners.changed;
            runners = if next.is_finite() {
                let wait = Duration::from_secs_f64((next - self::now()).max(0.0));
                self.change
                    .wait_timeout_while(runners, wait, undisturbed)
                    .map_or_else(|e| e.into_inner().0, |woken| woken.0)
            } else {
                self.change.wait_while(runners, undisturbed).unwrap_or_else(PoisonError::into_inner)
            };
        }
        for runner in runners.all.drain(..).filter(|runner| runner.paused) {
            runner.who.upgrade().inspect(|who| who.go_on());
        }
    }
}

impl Runner {
    /// `false`: it has ended.
    fn look(&mut self, now: f64, cores: f64) -> bool {
        let Some(who) = self.who.upgrade() else { return false };
        if now < self.due && self.due.is_finite() && self.paused {
            return true;
        }
        let Some(spent) = who.spent() else { return false };
        self.credit.look(now, spent.as_secs_f64());
        let (must, wait) = self.credit.next(cores);
        match (self.paused, must) {
            // Again, since processes that were made meanwhile run.
            (_, true) => who.pause(),
            (true, false) => who.go_on(),
            (false, false) => {}
        }
        self.paused = must;
        self.due = if who.rests() && !must { f64::INFINITY } else { now + wait };
        true
    }
}

/// Seconds of the monotonic clock.
fn now() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function that takes all it can on one core, and a pacer that looks whenever it is due, and `late`.
    fn raced(share: f64, late: f64, seconds: f64) -> f64 {
        let (mut now, mut spent) = (0.0, 0.0);
        let mut credit = Credit::new(share, now, spent);
        while now < seconds {
            let (paused, wait) = credit.next(2.0);
            let wait = wait + late;
            now += wait;
            spent += if paused { 0.0 } else { wait };
            credit.look(now, spent);
        }
        spent / now
    }

    #[test]
    fn a_share_is_met_however_late_the_looks_are() {
        for share in [0.0724, 0.167, 0.583, 0.9] {
            for late in [0.0, 0.000_5, 0.005, 0.02] {
                let got = raced(share, late, 20.0);
                let over = SAVED * share / 20.0 / share;
                assert!((got / share - 1.0).abs() < 0.015 + over, "{share} {late}: {got}");
            }
        }
    }

    #[test]
    fn idleness_is_not_saved_up() {
        let mut credit = Credit::new(0.5, 0.0, 0.0);
        credit.look(1_000.0, 0.0);
        assert!((credit.left - 0.05).abs() < 1e-9, "{credit:?}");
        credit.look(1_000.1, 0.2);
        assert!(credit.next(1.0).0, "it must stand still");
        assert!((credit.next(1.0).1 - 0.201).abs() < 0.002, "{:?}", credit.next(1.0));
    }
}
