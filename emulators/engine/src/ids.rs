//! The one source of what differs from one thing to the next: ids of requests, messages, invocations, events.
//!
//! Each world has its own, as it has its own clock. Without a seed ids are random. With one, every kind of id is a
//! row that the seed decides: the third message of a run is called the same in the next run, whatever else has
//! been given an id in between.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// Between the steps of a row (the golden ratio of 2^64).
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A cheap handle; clones share their rows.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    seeded: AtomicBool,
    rows: Mutex<Rows>,
    instances: AtomicU64,
}

#[derive(Debug, Default)]
struct Rows {
    seed: u64,
    /// How many ids of each kind there are.
    given: BTreeMap<&'static str, u64>,
}

/// 128 bits that nothing else has, in whichever spelling a vendor has for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(Uuid);

impl Id {
    /// `8-4-4-4-12` hex digits.
    pub fn uuid(self) -> String {
        self.0.to_string()
    }

    /// 32 hex digits.
    pub fn hex(self) -> String {
        self.0.simple().to_string()
    }

    pub fn number(self) -> u64 {
        self.0.as_u64_pair().0
    }

    pub fn bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }
}

impl Ids {
    /// Ids that `seed` decides.
    pub fn seeded(seed: u64) -> Self {
        let ids = Self::default();
        ids.seed(seed);
        ids
    }

    /// From now on the seed decides; every row begins again.
    pub fn seed(&self, seed: u64) {
        *self.rows() = Rows { seed, given: BTreeMap::new() };
        self.shared.seeded.store(true, Ordering::Release);
    }

    /// From now on chance decides.
    pub fn unseed(&self) {
        self.shared.seeded.store(false, Ordering::Release);
    }

    /// Every row begins again, if a seed decides.
    pub fn begin_again(&self) {
        self.rows().given.clear();
    }

    pub fn is_seeded(&self) -> bool {
        self.shared.seeded.load(Ordering::Acquire)
    }

    /// The next id of a kind.
    pub fn fresh(&self, kind: &'static str) -> Id {
        if !self.is_seeded() {
            return random();
        }
        let mut rows = self.rows();
        let seed = rows.seed;
        let given = rows.given.entry(kind).or_default();
        *given += 1;
        nth(seed, kind, *given)
    }

    /// Counts the instances of a world.
    pub(crate) fn next_instance(&self) -> u64 {
        self.shared.instances.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.shared.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 32 hex digits that nobody can guess and no seed decides: for tokens, and for names of files of ours.
pub fn unguessable() -> String {
    random().hex()
}

#[expect(clippy::disallowed_methods, reason = "this is the source")]
fn random() -> Id {
    Id(Uuid::new_v4())
}

fn nth(seed: u64, kind: &str, number: u64) -> Id {
    let named = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let row = kind.bytes().fold(0xcbf2_9ce4_8422_2325, named) ^ mixed(seed.wrapping_add(STEP));
    let place = row.wrapping_add(number.wrapping_mul(2).wrapping_mul(STEP));
    let (high, low) = (mixed(place), mixed(place.wrapping_add(STEP)));
    let bits = (u128::from(high) << 64) | u128::from(low);
    Id(uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid())
}

/// SplitMix64.
fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn row(ids: &Ids, kind: &'static str) -> Vec<String> {
        (0..1000).map(|_| ids.fresh(kind).uuid()).collect()
    }

    #[test]
    fn a_seed_decides_each_row_whatever_else_is_asked_for() {
        let (one, two) = (Ids::seeded(7), Ids::seeded(7));
        let alone = row(&one, "message");
        for _ in 0..50 {
            two.fresh("request");
        }
        assert_eq!(row(&two, "message"), alone);
        assert_ne!(row(&Ids::seeded(8), "message"), alone);
        one.begin_again();
        assert_eq!(row(&one, "message"), alone);
    }

    #[test]
    fn no_id_comes_twice() {
        for ids in [Ids::seeded(0), Ids::seeded(1), Ids::default()] {
            let all = ["message", "request", "trace"].map(|kind| row(&ids, kind)).concat();
            assert_eq!(all.iter().collect::<HashSet<_>>().len(), 3000);
            assert!(all.iter().all(|id| id.len() == 36 && &id[14..15] == "4"));
        }
        assert_ne!(unguessable(), unguessable());
    }

    #[test]
    fn worlds_do_not_disturb_each_other() {
        let (one, two) = (Ids::seeded(7), Ids::seeded(7));
        let both = || (one.fresh("message"), two.fresh("message"));
        assert!((0..10).all(|_| matches!(both(), (a, b) if a == b)));
        assert_eq!((one.next_instance(), one.next_instance(), two.next_instance()), (1, 2, 1));
    }
}
