//! Looks at every running instance often enough that none gets far past its memory limit.
//!
//! The control groups' own limit is only a backstop: it cannot tell `/tmp` from memory, nor count pages that
//! somebody else was charged for. The thread sleeps without a timer when everything has been frozen for a while.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

/// An instance as the watchdog sees it.
pub trait Watched: Send + Sync {
    /// Looks, kills if need be, and says how far it still is from its limit, in bytes. `None`: there is no
    /// more to watch.
    fn check(&self) -> Option<u64>;
    fn is_frozen(&self) -> bool;
}

/// Faster than programs fill memory.
const BYTES_PER_MILLISECOND: u64 = 4_000_000;
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(10);
/// Looks in vain before the timer is given up.
const IDLE_ROUNDS: u32 = 20;

/// Ends its thread when dropped.
pub struct Watchdog {
    kennel: Arc<Kennel>,
}

#[derive(Default)]
struct Kennel {
    watched: Mutex<Yard>,
    change: Condvar,
}

#[derive(Default)]
struct Yard {
    entries: Vec<Entry>,
    /// Somebody must be looked at before the timer ends.
    changed: bool,
    /// Sleeping without a timer.
    dormant: bool,
    closed: bool,
}

struct Entry {
    who: Weak<dyn Watched>,
    /// Until its next look.
    wait: Duration,
}

impl Watchdog {
    pub fn start() -> std::io::Result<Self> {
        let kennel = Arc::new(Kennel::default());
        let own = kennel.clone();
        thread::Builder::new().name("mlemu-watchdog".into()).spawn(move || own.run())?;
        Ok(Self { kennel })
    }

    pub fn watch(&self, who: Weak<dyn Watched>) {
        let mut yard = self.kennel.lock();
        yard.entries.push(Entry { who, wait: Duration::ZERO });
        yard.changed = true;
        drop(yard);
        self.kennel.change.notify_one();
    }

    /// An instance was thawed. A running timer will find it soon enough, unless it is `near` its limit: a
    /// warm invocation shall not pay for waking a thread.
    pub fn thawed(&self, near: bool) {
        let mut yard = self.kennel.lock();
        if near || yard.dormant {
            yard.changed = true;
            drop(yard);
            self.kennel.change.notify_one();
        }
    }
}

/// Whether an instance that far from its limit must be looked at as soon as it runs.
pub fn is_near(left: u64) -> bool {
    interval(left) < LONGEST
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.kennel.lock().closed = true;
        self.kennel.change.notify_one();
    }
}

impl Kennel {
    fn lock(&self) -> MutexGuard<'_, Yard> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        // Being late costs the machine's memory; an ordinary user may not ask for this and does without.
        let _ = rustix::process::setpriority_process(None, -10);
        let mut waited = Duration::ZERO;
        let mut idle = 0;
        loop {
            let next = self.round(waited);
            idle = if next.is_some() { 0 } else { idle + 1 };
            let next = next.or((idle < IDLE_ROUNDS).then_some(LONGEST));
            match self.sleep(next) {
                Some(slept) => waited = slept,
                None => return,
            }
        }
    }

    /// Says how long it slept at least; `None`: this was closed.
    fn sleep(&self, wait: Option<Duration>) -> Option<Duration> {
        let mut yard = self.lock();
        let undisturbed = |yard: &mut Yard| !yard.closed && !yard.changed;
        let (mut yard, slept) = if let Some(wait) = wait {
            let asleep = self.change.wait_timeout_while(yard, wait, undisturbed);
            let (yard, end) = asleep.unwrap_or_else(PoisonError::into_inner);
            (yard, if end.timed_out() { wait } else { SHORTEST })
        } else {
            yard.dormant = true;
            let asleep = self.change.wait_while(yard, undisturbed);
            (asleep.unwrap_or_else(PoisonError::into_inner), LONGEST)
        };
        yard.changed = false;
        yard.dormant = false;
        (!yard.closed).then_some(slept)
    }

    /// Looks at those whose time has come; says when the next one is due. `None`: nothing runs.
    fn round(&self, waited: Duration) -> Option<Duration> {
        let mut entries = std::mem::take(&mut self.lock().entries);
        let mut next: Option<Duration> = None;
        entries.retain_mut(|entry| {
            let Some(who) = entry.who.upgrade() else { return false };
            if who.is_frozen() {
                entry.wait = Duration::ZERO;
                return true;
            }
            entry.wait = entry.wait.saturating_sub(waited);
            if entry.wait.is_zero() {
                let Some(left) = who.check() else { return false };
                entry.wait = interval(left);
            }
            next = Some(next.map_or(entry.wait, |next| next.min(entry.wait)));
            true
        });
        let mut yard = self.lock();
        entries.append(&mut yard.entries);
        yard.entries = entries;
        next
    }
}

/// How long an instance that far from its limit may be left alone.
fn interval(left: u64) -> Duration {
    Duration::from_micros(left / (BYTES_PER_MILLISECOND / 1000)).clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::sync::mpsc;

    #[test]
    fn the_nearer_the_limit_the_closer_the_watch() {
        assert_eq!(interval(0), SHORTEST);
        assert_eq!(interval(20_000_000), Duration::from_millis(5));
        assert_eq!(interval(u64::MAX), LONGEST);
    }

    struct Dummy {
        frozen: AtomicBool,
        left: AtomicU64,
        seen: mpsc::Sender<()>,
    }

    impl Watched for Dummy {
        fn check(&self) -> Option<u64> {
            let _ = self.seen.send(());
            (self.left.fetch_sub(1, Ordering::SeqCst) > 1).then_some(0)
        }
        fn is_frozen(&self) -> bool {
            self.frozen.load(Ordering::SeqCst)
        }
    }

    fn dummy(frozen: bool, looks: u64) -> (Arc<Dummy>, mpsc::Receiver<()>) {
        let (seen, looked) = mpsc::channel();
        (Arc::new(Dummy { frozen: AtomicBool::new(frozen), left: AtomicU64::new(looks), seen }), looked)
    }

    #[test]
    fn looks_until_there_is_no_more_to_watch() {
        let watchdog = Watchdog::start().unwrap();
        let (who, looked) = dummy(false, 3);
        let weak: Weak<dyn Watched> = Arc::<Dummy>::downgrade(&who);
        watchdog.watch(weak);
        for _ in 0..3 {
            looked.recv_timeout(Duration::from_secs(5)).unwrap();
        }
        drop(who);
        assert!(looked.recv_timeout(Duration::from_secs(5)).is_err(), "watched on after the end");
    }

    #[test]
    fn the_frozen_are_left_alone_until_they_are_thawed() {
        let watchdog = Watchdog::start().unwrap();
        let (who, looked) = dummy(true, 2);
        let weak: Weak<dyn Watched> = Arc::<Dummy>::downgrade(&who);
        watchdog.watch(weak);
        assert!(looked.recv_timeout(Duration::from_millis(50)).is_err());
        who.frozen.store(false, Ordering::SeqCst);
        watchdog.thawed(false);
        looked.recv_timeout(Duration::from_secs(5)).unwrap();
    }
}
