//! One timer for everything that an instance waits for.
//!
//! A timer that is the next to fire costs a system call to set, and an instance in use sets several for each
//! invocation that none lives to see. So a pending one is kept: when it fires too early for what is waited
//! for by then, it is set again for the rest.

use mlemu_core::{Boxed, Clock};
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Alarm {
    clock: Arc<dyn Clock>,
    /// When it fires, on the clock's monotonic side.
    pending: Option<(Duration, Boxed<'static, ()>)>,
}

impl Alarm {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, pending: None }
    }

    /// Completes at `time` on the clock's monotonic side, or at once when that has passed. Cancel-safe.
    pub(super) async fn at(&mut self, time: Duration) {
        loop {
            let left = time.saturating_sub(self.clock.elapsed());
            if left.is_zero() {
                return;
            }
            let pending = self.pending.take().filter(|(fires, _)| *fires <= time);
            let pending = pending.unwrap_or_else(|| (time, self.clock.sleep(left)));
            (&mut self.pending.insert(pending).1).await;
            self.pending = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemClock;
    use futures_util::FutureExt;

    const STEP: Duration = Duration::from_millis(10);

    #[tokio::test(start_paused = true)]
    async fn it_fires_when_it_was_asked_to_whatever_it_was_asked_before() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let mut alarm = Alarm::new(clock.clone());
        let began = clock.elapsed();
        for forgotten in [5, 1, 9, 3] {
            assert!(alarm.at(began + STEP * forgotten).now_or_never().is_none());
        }
        for time in [2, 4, 4, 8, 7] {
            let due = (began + STEP * time).max(clock.elapsed());
            alarm.at(began + STEP * time).await;
            let late = clock.elapsed().saturating_sub(due);
            assert!(clock.elapsed() >= due && late < STEP, "{late:?} late");
        }
    }
}
