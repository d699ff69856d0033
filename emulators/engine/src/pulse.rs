//! Wakes those who wait until something is so, and costs next to nothing while nobody waits.

use std::sync::atomic::{AtomicUsize, Ordering, fence};
use tokio::sync::Notify;

/// Rung after every change that somebody may wait for.
#[derive(Debug, Default)]
pub struct Pulse {
    waiters: AtomicUsize,
    rung: Notify,
}

/// Counted among the waiters for as long as it lives.
struct Waiter<'a>(&'a Pulse);

impl<'a> Waiter<'a> {
    fn new(pulse: &'a Pulse) -> Self {
        pulse.waiters.fetch_add(1, Ordering::SeqCst);
        // Pairs with the fence in `ring`: either the waiter sees the change, or the ringer sees the waiter.
        fence(Ordering::SeqCst);
        Self(pulse)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.waiters.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Pulse {
    /// Call it after the change is visible.
    pub fn ring(&self) {
        fence(Ordering::SeqCst);
        if self.waiters.load(Ordering::SeqCst) > 0 {
            self.rung.notify_waiters();
        }
    }

    /// Asks `check` now and after every ring until it gives something. Cancel-safe.
    pub async fn until<T>(&self, mut check: impl FnMut() -> Option<T>) -> T {
        let _waiter = Waiter::new(self);
        loop {
            let rung = self.rung.notified();
            tokio::pin!(rung);
            // From here on no ring is missed, also those before the first poll.
            rung.as_mut().enable();
            if let Some(found) = check() {
                return found;
            }
            rung.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_change_is_missed() {
        for _ in 0..2000 {
            let (pulse, value) = (Arc::new(Pulse::default()), Arc::new(AtomicUsize::new(0)));
            let (ringer, changed) = (pulse.clone(), value.clone());
            let task = tokio::spawn(async move {
                changed.store(1, Ordering::Relaxed);
                ringer.ring();
            });
            pulse.until(|| (value.load(Ordering::Relaxed) == 1).then_some(())).await;
            task.await.unwrap();
            assert_eq!(pulse.waiters.load(Ordering::SeqCst), 0);
        }
    }
}
