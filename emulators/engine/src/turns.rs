//! One after the other: in a seeded run nothing starts a function by itself before everything else stands still.
//!
//! Whoever is about to act on a change, a message or a time asks for its turn. It comes when nothing moves but those
//! who wait for theirs, and then to the first of them by name. So what happens does not depend on which task was
//! quicker, and neither does the journal. Requests from outside take no turns, and neither does a function that
//! calls another and waits for it. Without a seed nobody waits.

use crate::ids::Ids;
use crate::settle::{Moving, Settle};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A cheap handle; clones share one row of waiters.
#[derive(Clone, Default)]
pub struct Turns {
    ids: Ids,
    settle: Settle,
    row: Arc<Row>,
}

#[derive(Default)]
struct Row {
    waiting: Mutex<BTreeSet<Ticket>>,
    newest: AtomicU64,
}

type Ticket = (String, u64);

impl Row {
    fn waiting(&self) -> MutexGuard<'_, BTreeSet<Ticket>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the row; it is free when this is dropped.
struct Place<'a> {
    turns: &'a Turns,
    ticket: Ticket,
}

impl<'a> Place<'a> {
    fn take(turns: &'a Turns, name: String) -> Self {
        let ticket = (name, turns.row.newest.fetch_add(1, Ordering::Relaxed));
        turns.row.waiting().insert(ticket.clone());
        turns.settle.pulse().ring();
        Self { turns, ticket }
    }

    /// Whether this one may go on now; it has left the row then.
    fn has_come(&self) -> bool {
        let mut waiting = self.turns.row.waiting();
        let is_next = self.turns.settle.count_moving() == waiting.len()
            && waiting.first().is_some_and(|first| *first == self.ticket);
        is_next && waiting.remove(&self.ticket)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.turns.row.waiting().remove(&self.ticket);
        self.turns.settle.pulse().ring();
    }
}

impl Turns {
    pub fn new(ids: Ids, settle: Settle) -> Self {
        Self { ids, settle, row: Arc::default() }
    }

    /// Whether anybody waits for a turn at all.
    pub fn are_kept(&self) -> bool {
        self.ids.is_seeded()
    }

    pub(crate) fn settle(&self) -> &Settle {
        &self.settle
    }

    /// Something that keeps time standing, to wait for a turn with.
    pub fn moving(&self) -> Moving {
        self.settle.moving()
    }

    /// Completes when it is the turn of `name`, of which `moving` must be the only thing that moves. Cancel-safe.
    pub async fn wait(&self, name: String, moving: Moving) -> Moving {
        if self.are_kept() {
            let place = Place::take(self, name);
            self.settle.pulse().until(|| place.has_come().then_some(())).await;
        }
        moving
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    fn seeded() -> Turns {
        Turns::new(Ids::seeded(1), Settle::default())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn turns_come_by_name_when_nothing_else_moves() {
        for _ in 0..100 {
            let turns = seeded();
            let other = turns.moving();
            let (sender, mut order) = mpsc::unbounded_channel();
            for name in ["c", "a", "d", "b"] {
                let (turns, sender, moving) = (turns.clone(), sender.clone(), turns.moving());
                tokio::spawn(async move {
                    let turn = turns.wait(name.to_owned(), moving).await;
                    sender.send(name).unwrap();
                    tokio::task::yield_now().await;
                    drop(turn);
                });
            }
            drop(sender);
            turns.settle.pulse().until(|| (turns.row.waiting().len() == 4).then_some(())).await;
            assert!(order.try_recv().is_err());
            drop(other);
            let mut came = String::new();
            while let Some(name) = order.recv().await {
                came += name;
            }
            assert_eq!(came, "abcd");
            assert!(turns.settle.is_still());
        }
    }

    #[tokio::test]
    async fn who_gives_up_is_not_waited_for() {
        let turns = seeded();
        let (first, second) = (turns.moving(), turns.moving());
        let mut gone = Box::pin(turns.wait("a".into(), first));
        let blocked = turns.moving();
        assert!(futures_util::FutureExt::now_or_never(&mut gone).is_none());
        drop((gone, blocked));
        turns.wait("b".into(), second).await;
    }

    #[tokio::test]
    async fn without_a_seed_nobody_waits() {
        let turns = Turns::default();
        let _other = turns.moving();
        turns.wait("a".into(), turns.moving()).await;
    }
}
