//! The clock of tests on a paused runtime: both of its sides run with it.

use mlemu_core::{Boxed, Clock, Timestamp};
use std::time::Duration;
use tokio::time::Instant;

/// Wall time that runs with the runtime's paused clock.
pub struct TestClock(Instant);

impl TestClock {
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_767_225_600_000_000).plus(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, wait: Duration) -> Boxed<'static, ()> {
        Box::pin(tokio::time::sleep(wait))
    }
}
