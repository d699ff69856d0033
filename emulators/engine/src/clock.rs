//! The clock of the machine: the only place that reads it. [`SteeredClock`] is the one that tests can steer.

#[cfg(test)]
pub(crate) mod paused;
mod steered;

pub use steered::{Course, Forward, SteeredClock};

use mlemu_core::{Boxed, Clock, Timestamp};
use std::time::Duration;

/// Wall time as the system tells it; intervals on the monotonic clock of the runtime.
#[derive(Debug)]
pub struct SystemClock {
    start: tokio::time::Instant,
}

impl SystemClock {
    #[expect(clippy::new_without_default, reason = "reading the clock is no default")]
    pub fn new() -> Self {
        Self { start: tokio::time::Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, wait: Duration) -> Boxed<'static, ()> {
        Box::pin(tokio::time::sleep(wait))
    }
}
