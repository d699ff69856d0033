//! Concurrency limits: who may enter, and who is told to come back later.

use mlemu_core::{Mode, Throttle};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the invocations of all functions against the account's limit.
pub(crate) struct Admission {
    limit: usize,
    used: Arc<AtomicUsize>,
}

/// Holds one place among a function's invocations and one among all; dropping it frees both. A queued invocation
/// takes them when it begins.
#[derive(Debug)]
pub(crate) struct Permit {
    function: Arc<AtomicUsize>,
    account: Arc<AtomicUsize>,
    counts: bool,
}

impl Permit {
    /// It runs from now on.
    pub(crate) fn begin(&mut self) {
        if !std::mem::replace(&mut self.counts, true) {
            self.function.fetch_add(1, Ordering::AcqRel);
            self.account.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.counts {
            self.function.fetch_sub(1, Ordering::AcqRel);
            self.account.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Admission {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, used: Arc::default() }
    }

    /// A queued invocation always enters: it waits in the function's queue until an instance may run it, and takes
    /// nobody's place as long as it waits.
    pub(crate) fn enter(
        &self,
        function: &Arc<AtomicUsize>,
        reserved: Option<u32>,
        mode: Mode,
    ) -> Result<Permit, Throttle> {
        let permit = |counts| Permit { function: function.clone(), account: self.used.clone(), counts };
        if mode == Mode::Queue {
            return Ok(permit(false));
        }
        if !take(function, reserved.map_or(usize::MAX, |limit| limit as usize)) {
            return Err(Throttle::Reserved);
        }
        if !take(&self.used, self.limit) {
            function.fetch_sub(1, Ordering::AcqRel);
            return Err(Throttle::Account);
        }
        Ok(permit(true))
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
        let mut queued = admission.enter(&function, Some(1), Mode::Queue).expect("queued calls wait instead");
        drop(first);
        drop(admission.enter(&function, Some(1), Mode::Wait).expect("what waits has no place"));
        queued.begin();
        queued.begin();
        assert_eq!(admission.enter(&function, Some(1), Mode::Wait).err(), Some(Throttle::Reserved));
        drop(queued);
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
