//! After a flood the memory that it needed goes back to the system.
//!
//! The allocator keeps what is freed. So when the daemon holds clearly more than after the last time, and has stopped
//! growing, it is asked to give it back.

use mlemu_core::Clock;
use mlemu_sandbox::memory;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::AbortOnDropHandle;

/// Between two looks; it really passes.
const PAUSE: Duration = Duration::from_secs(5);
/// Less is not worth the while, in bytes.
const WORTH: u64 = 16 * 1024 * 1024;
/// Looks after which it is tried again, though nothing has grown.
const LONG: u32 = 12;
/// What grows by more has not ended, in bytes.
const STILL: u64 = 1024 * 1024;

/// Until the handle is dropped.
pub fn start(clock: Arc<dyn Clock>) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(watch(clock)))
}

async fn watch(clock: Arc<dyn Clock>) {
    let Some(least) = memory::resident() else { return };
    let mut look = Look { least, given: least, before: least, rests: 0 };
    loop {
        clock.sleep(PAUSE).await;
        let Some(now) = memory::resident() else { return };
        if look.is_over(now) && tokio::task::spawn_blocking(memory::give_back).await.is_ok() {
            look.given = memory::resident().unwrap_or(now);
            look.rests = 0;
        }
        look = Look { least: look.least.min(now), before: now, rests: look.rests + 1, ..look };
    }
}

/// What was held so far, in bytes.
struct Look {
    /// The least of all.
    least: u64,
    /// After memory was given back the last time.
    given: u64,
    /// At the last look.
    before: u64,
    /// Looks since memory was given back.
    rests: u32,
}

impl Look {
    /// Whether something has grown and is no longer growing, or there may be something since long ago.
    fn is_over(&self, now: u64) -> bool {
        let has_grown = now > self.given.saturating_add(WORTH);
        let is_much = now > self.least.saturating_add(WORTH);
        is_much && now <= self.before.saturating_add(STILL) && (has_grown || self.rests >= LONG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn a_flood_is_over_when_it_has_stopped_growing() {
        let look = |given: u64, before: u64, rests: u32| Look {
            least: 20 * MIB,
            given: given * MIB,
            before: before * MIB,
            rests,
        };
        assert!(!look(20, 20, 0).is_over(30 * MIB), "too little");
        assert!(!look(20, 30, 0).is_over(60 * MIB), "it goes on");
        assert!(look(20, 60, 0).is_over(60 * MIB));
        assert!(look(20, 60, 0).is_over(40 * MIB));
        assert!(!look(60, 60, 0).is_over(60 * MIB), "it was asked just now");
        assert!(look(60, 60, LONG).is_over(60 * MIB), "something may have been freed since");
        assert!(!look(20, 22, LONG).is_over(22 * MIB));
    }
}
