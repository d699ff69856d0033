//! What can still cause work, counted exactly: the ground under every "wait until settled".
//!
//! Each thing under way holds a [`Pending`] for as long as something may come of it: a call from its admission
//! until its process asks for more, a commit until the last reader of the change log has acted on it, a message
//! while some consumer may receive it. Who makes work out of work takes the new `Pending` before it drops its
//! own, so a chain has no gap in which it seems to have ended. Because the answer to whoever began the chain
//! comes after its first `Pending`, nothing settled here means that nothing is left of anything answered.
//!
//! Some of it does nothing but wait for its time, such as a message that is hidden until its delay or its lease is
//! over. It counts as the rest does, but [`Settle::still`] does not wait for it: an advance of the clock goes on.
//!
//! Everything is filed under its trace: the id of the request that began the chain. Shards keep the hot path
//! free of contention; entering and leaving are one short lock each.

use crate::pulse::Pulse;
use foldhash::quality::RandomState;
use mlemu_core::{Cause, FunctionId, InvocationId, Scope};
use serde::Serialize;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SHARDS: usize = 16;

/// One thing under way, for people who ask why it is not settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Work {
    /// A call that was admitted and has not ended.
    Invocation { id: InvocationId, function: FunctionId },
    /// A commit that the triggers have not acted on.
    Change { bucket: Arc<str>, key: Arc<str> },
    /// A message that a consumer may receive, or has received and not yet settled.
    Message { queue: Arc<str>, id: Arc<str> },
    /// Something that falls due and is due.
    Due { what: Arc<str> },
}

/// A thing under way and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Open {
    pub scope: Arc<Scope>,
    pub trace: Arc<str>,
    pub work: Work,
}

/// Which part of everything under way is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    Everything,
    /// What lives in one of these accounts, in whichever cloud.
    Accounts(Vec<Arc<str>>),
    /// What one request caused.
    Trace(Arc<str>),
}

/// A cheap handle; clones share one table.
#[derive(Clone, Default)]
pub struct Settle {
    table: Arc<Table>,
}

#[derive(Default)]
struct Table {
    shards: [Mutex<Shard>; SHARDS],
    /// Names of traces come from outside, so it is seeded.
    hasher: RandomState,
    /// How much of it does not only wait for its time.
    moving: AtomicUsize,
    pulse: Arc<Pulse>,
}

type Shard = HashMap<Arc<str>, Chain, RandomState>;

/// Where a thing belongs, and what it is.
type Thing = (Arc<Scope>, Work);

/// What is under way of one trace: one thing, mostly. A place is used again when it is free.
#[derive(Default)]
struct Chain {
    places: SmallVec<[Option<Thing>; 1]>,
    free: Vec<usize>,
}

impl Chain {
    fn enter(&mut self, scope: Arc<Scope>, work: Work) -> usize {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[place] = Some((scope, work));
        place
    }

    /// What was there; the chain is over when nothing else is.
    fn leave(&mut self, place: usize) -> (Option<Thing>, bool) {
        let gone = self.places[place].take();
        let over = self.free.len() + 1 == self.places.len();
        if !over {
            self.free.push(place);
        }
        (gone, over)
    }
}

/// Something under way; dropping it says that it is over.
pub struct Pending {
    table: Arc<Table>,
    trace: Arc<str>,
    place: usize,
    _moving: Option<Moving>,
}

/// Says that something will happen without that time must pass; dropping it says that it has.
pub struct Moving(Arc<Table>);

impl Drop for Moving {
    fn drop(&mut self) {
        self.0.moving.fetch_sub(1, Ordering::SeqCst);
        self.0.pulse.ring();
    }
}

impl std::fmt::Debug for Moving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Moving")
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut shard = self.table.shard(&self.trace);
        let (gone, over) = shard.get_mut(&self.trace).map(|chain| chain.leave(self.place)).unzip();
        let chain = over.unwrap_or_default().then(|| shard.remove(&self.trace));
        drop(shard);
        drop((gone, chain));
        self.table.pulse.ring();
    }
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").field("trace", &self.trace).finish_non_exhaustive()
    }
}

impl Table {
    fn shard(&self, trace: &str) -> MutexGuard<'_, Shard> {
        let index = self.hasher.hash_one(trace) as usize % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The id of the request that began a chain; empty where mlemu itself did.
pub fn trace(cause: &Cause) -> Arc<str> {
    cause.trace()
}

impl Settle {
    /// Rings whenever something has ended; others ring it for what else can be waited for.
    pub fn pulse(&self) -> &Arc<Pulse> {
        &self.table.pulse
    }

    /// Counts `work` until the answer is dropped.
    #[must_use = "it counts for as long as it lives"]
    pub fn enter(&self, scope: &Arc<Scope>, trace: Arc<str>, work: Work) -> Pending {
        let moving = self.moving();
        self.file(scope, trace, work, Some(moving))
    }

    /// The same for what only waits: for its time, or for something that is counted by itself.
    #[must_use = "it counts for as long as it lives"]
    pub fn enter_waiting(&self, scope: &Arc<Scope>, trace: Arc<str>, work: Work) -> Pending {
        self.file(scope, trace, work, None)
    }

    fn file(&self, scope: &Arc<Scope>, trace: Arc<str>, work: Work, moving: Option<Moving>) -> Pending {
        let mut shard = self.table.shard(&trace);
        let place = shard.entry(trace.clone()).or_default().enter(scope.clone(), work);
        drop(shard);
        Pending { table: self.table.clone(), trace, place, _moving: moving }
    }

    /// Keeps an advance of the clock from going on, until the answer is dropped.
    pub fn moving(&self) -> Moving {
        self.table.moving.fetch_add(1, Ordering::SeqCst);
        Moving(self.table.clone())
    }

    /// How much of it does not only wait for its time.
    pub(crate) fn count_moving(&self) -> usize {
        self.table.moving.load(Ordering::SeqCst)
    }

    /// Whether everything under way only waits for its time.
    pub fn is_still(&self) -> bool {
        self.count_moving() == 0
    }

    /// Completes once nothing will happen any more before its time has come. Cancel-safe.
    pub async fn still(&self) {
        self.table.pulse.until(|| self.is_still().then_some(())).await;
    }

    /// Whether nothing of it is under way.
    pub fn is_settled(&self, which: &Which) -> bool {
        !self.any(which, |_, _, _| true)
    }

    /// Completes once nothing of it is under way. Cancel-safe.
    pub async fn settled(&self, which: &Which) {
        self.table.pulse.until(|| self.is_settled(which).then_some(())).await;
    }

    /// What is under way.
    pub fn open(&self, which: &Which) -> Vec<Open> {
        let mut open = Vec::new();
        self.any(which, |trace, scope, work| {
            open.push(Open { scope: scope.clone(), trace: trace.clone(), work: work.clone() });
            false
        });
        open
    }

    /// Whether `found` says yes to something under way; asks no further then.
    fn any(&self, which: &Which, mut found: impl FnMut(&Arc<str>, &Arc<Scope>, &Work) -> bool) -> bool {
        if let Which::Trace(trace) = which {
            let shard = self.table.shard(trace);
            return shard.get(trace).is_some_and(|chain| chain.things().any(|(s, w)| found(trace, s, w)));
        }
        let within = |scope: &Scope| match which {
            Which::Accounts(accounts) => accounts.contains(&scope.account),
            Which::Everything | Which::Trace(_) => true,
        };
        // Work moves on only forwards, but perhaps into a shard that was looked at: all are held at once.
        let shards = self.table.shards.each_ref();
        let shards = shards.map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner));
        shards
            .iter()
            .flat_map(|shard| shard.iter())
            .flat_map(|(trace, chain)| chain.things().map(move |(scope, work)| (trace, scope, work)))
            .filter(|(_, scope, _)| within(scope))
            .any(|(trace, scope, work)| found(trace, scope, work))
    }
}

impl Chain {
    fn things(&self) -> impl Iterator<Item = (&Arc<Scope>, &Work)> {
        self.places.iter().flatten().map(|(scope, work)| (scope, work))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(what: &str) -> Work {
        Work::Due { what: what.into() }
    }

    fn scope(account: &str) -> Arc<Scope> {
        Arc::new(Scope::new("cloud", account, "here"))
    }

    #[test]
    fn traces_and_accounts_settle_by_themselves() {
        let settle = Settle::default();
        let (one, two) = (scope("1"), scope("2"));
        let first = settle.enter(&one, "a".into(), due("x"));
        let second = settle.enter(&two, "b".into(), due("y"));
        let (a, account) = (Which::Trace("a".into()), Which::Accounts(vec!["1".into()]));
        assert!(!settle.is_settled(&a) && !settle.is_settled(&account));
        assert_eq!(settle.open(&account)[0].work, due("x"));
        drop(first);
        assert!(settle.is_settled(&a) && settle.is_settled(&account));
        assert!(!settle.is_settled(&Which::Everything));
        drop(second);
        assert!(settle.is_settled(&Which::Everything));
        assert!(settle.is_settled(&Which::Trace("never seen".into())));
    }

    #[test]
    fn a_place_is_used_again_and_a_chain_that_is_over_leaves_nothing() {
        let settle = Settle::default();
        let here = scope("1");
        let kept = settle.enter(&here, "t".into(), due("kept"));
        for _ in 0..100 {
            drop(settle.enter(&here, "t".into(), due("short")));
        }
        assert_eq!(settle.table.shard("t")["t"].places.len(), 2);
        drop(kept);
        assert!(settle.table.shard("t").is_empty());
    }

    #[test]
    fn what_only_waits_counts_but_lets_time_pass() {
        let settle = Settle::default();
        let hidden = settle.enter_waiting(&scope("1"), "t".into(), due("hidden"));
        assert!(settle.is_still() && !settle.is_settled(&Which::Everything));
        let moving = settle.enter(&scope("1"), "t".into(), due("moving"));
        drop(hidden);
        assert!(!settle.is_still());
        drop(moving);
        assert!(settle.is_still() && settle.is_settled(&Which::Everything));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_chain_without_a_gap_is_never_seen_as_settled() {
        let settle = Settle::default();
        let which = Which::Everything;
        let mut link = settle.enter(&scope("1"), "0".into(), due("first"));
        let chain = settle.clone();
        let task = tokio::spawn(async move {
            for next in 1..20_000 {
                let next = chain.enter(&scope("1"), next.to_string().into(), due("next"));
                drop(std::mem::replace(&mut link, next));
            }
            link
        });
        while !task.is_finished() {
            assert!(!settle.is_settled(&which), "{:?}", settle.open(&which));
            tokio::task::yield_now().await;
        }
        let link = task.await.unwrap();
        let waiting = tokio::spawn({
            let settle = settle.clone();
            async move { settle.settled(&Which::Everything).await }
        });
        drop(link);
        waiting.await.unwrap();
    }
}
