//! Concurrency limits: who may enter, and who is told to come back later.

use mlemu_core::{Mode, Throttle};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the invocations of all functions against the account's limit.
pub(crate) struct Admission {
    limit: usize,
    used: Arc<AtomicUsize>,
}

/// Holds one place among a function's invocations and one among all; dropping it frees both.
#[derive(Debug)]
pub(crate) struct Permit {
    function: Arc<AtomicUsize>,
    account: Arc<AtomicUsize>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.function.fetch_sub(1, Ordering::AcqRel);
        self.account.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Admission {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, used: Arc::default() }
    }

    /// A queued invocation always enters: it waits in the function's queue until an instance may run it.
    pub(crate) fn enter(
        &self,
        function: &Arc<AtomicUsize>,
        reserved: Option<u32>,
        mode: Mode,
    ) -> Result<Permit, Throttle> {
        let unlimited = mode == Mode::Queue;
        let reserved = reserved.map_or(usize::MAX, |limit| limit as usize);
        if !take(function, if unlimited { usize::MAX } else { reserved }) {
            return Err(Throttle::Reserved);
        }
        if !take(&self.used, if unlimited { usize::MAX } else { self.limit }) {
            function.fetch_sub(1, Ordering::AcqRel);
            return Err(Throttle::Account);
        }
        Ok(Permit { function: function.clone(), account: self.used.clone() })
    }
}

fn take(count: &AtomicUsize, limit: usize) -> bool {
    let grown = |used| if used < limit { Some(used + 1) } else { None };
    count.fetch_update(Ordering::AcqRel, Ordering::Acquire, grown).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_throttles_waiting_calls_and_frees_its_places() {
        let admission = Admission::new(10);
        let function = Arc::new(AtomicUsize::new(0));
        let first = admission.enter(&function, Some(1), Mode::Wait).expect("room for one");
        assert_eq!(admission.enter(&function, Some(1), Mode::Wait).err(), Some(Throttle::Reserved));
        let queued = admission.enter(&function, Some(1), Mode::Queue).expect("queued calls wait instead");
        drop((first, queued));
        assert!(admission.enter(&function, Some(1), Mode::Wait).is_ok());
    }

    #[test]
    fn the_account_has_a_limit_of_its_own() {
        let admission = Admission::new(1);
        let (one, other) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let held = admission.enter(&one, None, Mode::Wait).expect("room for one");
        assert_eq!(admission.enter(&other, None, Mode::Wait).err(), Some(Throttle::Account));
        assert_eq!(other.load(Ordering::Acquire), 0, "a refused call holds no place");
        drop(held);
        assert!(admission.enter(&other, None, Mode::Wait).is_ok());
    }
}
