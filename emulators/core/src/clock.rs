//! Time, as the engine sees it.
//!
//! The one implementation that reads the machine's clock is in the engine; everything else asks a
//! `dyn Clock`, so that a test or the control API can own time.

use crate::Boxed;
use serde::Serialize;
use std::time::Duration;

/// Wall time in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }
}

pub trait Clock: Send + Sync {
    /// Wall time; may jump when a test says so.
    fn now(&self) -> Timestamp;

    /// Time since the clock was made; never goes back. Durations are measured with this one.
    fn elapsed(&self) -> Duration;

    /// Completes when `wait` has passed on this clock.
    fn sleep(&self, wait: Duration) -> Boxed<'static, ()>;
}

/// Writes a duration as milliseconds with a fraction, the unit of every report.
pub fn as_millis<S: serde::Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(duration.as_secs_f64() * 1000.0)
}
