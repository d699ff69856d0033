//! Time, as the engine sees it.
//!
//! The one implementation that reads the machine's clock is in the engine; everything else asks a
//! `dyn Clock`, so that a test or the control API can own time.

use crate::Boxed;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Wall time in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// That something fell due. Whoever acts on it keeps it until what comes of it is under way, so that an advance
/// of the clock knows when all of it has settled.
#[must_use = "keep it until what comes of it is under way"]
pub struct Due(Option<Box<dyn Send + Sync>>);

impl Due {
    /// Nobody waits for what comes of it.
    pub fn unwatched() -> Self {
        Self(None)
    }

    /// `watch` is dropped when all that comes of it is under way.
    pub fn watched(watch: impl Send + Sync + 'static) -> Self {
        Self(Some(Box::new(watch)))
    }

    pub fn is_watched(&self) -> bool {
        self.0.is_some()
    }
}

/// Two times: the emulated one, which a test may freeze, set or advance, and the one that really passes, in which
/// processes run and waits on them are measured.
pub trait Clock: Send + Sync {
    /// Emulated wall time: what events, objects and records are dated by. May jump when a test says so.
    fn now(&self) -> Timestamp;

    /// Wall time as processes read it themselves.
    fn machine(&self) -> Timestamp {
        self.now()
    }

    /// Completes when emulated time has reached `at`: for leases, delays, schedules, retries and keep-alive.
    fn until(&self, at: Timestamp) -> Boxed<'static, Due> {
        let left = at.0.saturating_sub(self.now().0);
        let slept = self.sleep(Duration::from_micros(u64::try_from(left).unwrap_or_default()));
        Box::pin(async move {
            slept.await;
            Due::unwatched()
        })
    }

    /// Time since the clock was made; never goes back. Durations are measured with this one.
    fn elapsed(&self) -> Duration;

    /// Completes when `wait` has really passed: for limits on running processes and on clients who wait.
    fn sleep(&self, wait: Duration) -> Boxed<'static, ()>;
}

/// Writes a duration as milliseconds with a fraction, the unit of every report.
pub fn as_millis<S: serde::Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(duration.as_secs_f64() * 1000.0)
}
