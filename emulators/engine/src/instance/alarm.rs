//! One timer for everything that an instance waits for on one side of its clock.
//!
//! A timer costs a system call or a place in a table to set, and an instance in use sets several for each
//! invocation that none lives to see. So a pending one is kept: when it fires too early for what is waited
//! for by then, it is set again for the rest.

use mlemu_core::{Boxed, Clock, Due, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// A side of the clock: in what it counts, and what its timers say when they fire.
pub(super) trait Side {
    type Time: Copy + Ord;
    type Fired;

    /// What a time that has come says; `None`: it is yet to come.
    fn come(&self, time: Self::Time) -> Option<Self::Fired>;
    fn timer(&self, time: Self::Time) -> Boxed<'static, Self::Fired>;
}

/// Time that really passes, since the clock was made.
pub(super) struct Real(pub(super) Arc<dyn Clock>);

impl Side for Real {
    type Time = Duration;
    type Fired = ();

    fn come(&self, time: Duration) -> Option<()> {
        (self.0.elapsed() >= time).then_some(())
    }

    fn timer(&self, time: Duration) -> Boxed<'static, ()> {
        self.0.sleep(time.saturating_sub(self.0.elapsed()))
    }
}

/// Time that a test may steer. Whoever steers waits until what fired is told from here.
pub(super) struct Emulated(pub(super) Arc<dyn Clock>);

impl Side for Emulated {
    type Time = Timestamp;
    type Fired = Due;

    fn come(&self, time: Timestamp) -> Option<Due> {
        (self.0.now() >= time).then(Due::unwatched)
    }

    fn timer(&self, time: Timestamp) -> Boxed<'static, Due> {
        self.0.until(time)
    }
}

pub(super) struct Alarm<S: Side> {
    side: S,
    /// When it fires.
    pending: Option<(S::Time, Boxed<'static, S::Fired>)>,
}

impl<S: Side> Alarm<S> {
    pub(super) fn new(side: S) -> Self {
        Self { side, pending: None }
    }

    /// Completes at `time`, or at once when that has passed. Cancel-safe.
    pub(super) async fn at(&mut self, time: S::Time) -> S::Fired {
        let mut fired = None;
        loop {
            if let Some(come) = self.side.come(time) {
                return fired.unwrap_or(come);
            }
            let pending = self.pending.take().filter(|(fires, _)| *fires <= time);
            let pending = self.pending.insert(pending.unwrap_or_else(|| (time, self.side.timer(time))));
            // An early one is done with only now that the next is set: no step of a steered clock gets between.
            drop(fired.take());
            fired = Some((&mut pending.1).await);
            self.pending = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Forward, SteeredClock};
    use crate::{Settle, SystemClock};
    use futures_util::FutureExt;

    const STEP: Duration = Duration::from_millis(10);

    #[tokio::test(start_paused = true)]
    async fn it_fires_when_it_was_asked_to_whatever_it_was_asked_before() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let mut alarm = Alarm::new(Real(clock.clone()));
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

    #[tokio::test(start_paused = true)]
    async fn steered_time_goes_past_an_early_timer_to_the_one_that_is_meant() {
        let clock = Arc::new(SteeredClock::new());
        let settle = Settle::default();
        let mut alarm = Alarm::new(Emulated(clock.clone()));
        let hour = |hours| Duration::from_hours(hours);
        let began = clock.now();
        assert!(alarm.at(began.plus(hour(1))).now_or_never().is_none());
        let meant = began.plus(hour(2));
        let waiting = async {
            let due = alarm.at(meant).await;
            assert!(due.is_watched() && clock.now() >= meant);
            drop(due);
        };
        tokio::join!(waiting, clock.forward(Forward::By(hour(3)), &settle));
    }
}
