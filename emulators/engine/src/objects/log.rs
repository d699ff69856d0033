//! The change log: every commit in order, kept until each reader has seen it.

use super::keep::Item;
use super::{Objects, Shared, Store};
use crate::settle::{self, Pending, Settle, Work};
use mlemu_core::Occurrence;
use mlemu_core::occurrence::Fact;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::watch;

/// Entries have consecutive sequences. Nothing is kept while nobody reads.
#[derive(Default)]
pub(super) struct Log {
    entries: VecDeque<Entry>,
    /// What was left when the daemon ended, until somebody reads.
    left: Vec<Occurrence>,
    /// Nobody gets anything: those who are told of changes are not there yet.
    asleep: bool,
    /// The sequence that each reader wants next.
    readers: BTreeMap<u64, u64>,
    reader_count: u64,
    pub settle: Settle,
}

/// A commit, and that something may come of it until the last reader has gone on.
#[derive(Clone)]
struct Entry {
    occurrence: Arc<Occurrence>,
    pending: Arc<Pending>,
}

impl Log {
    /// One that was left when the daemon ended; they come in order.
    pub fn leave(&mut self, occurrence: Occurrence) {
        self.left.push(occurrence);
        self.asleep = true;
    }

    /// `false`: nobody reads, and it is not kept.
    pub fn push(&mut self, occurrence: Occurrence) -> bool {
        if self.readers.is_empty() {
            return false;
        }
        self.enter(occurrence);
        true
    }

    fn enter(&mut self, occurrence: Occurrence) {
        let Fact::Object(fact) = &occurrence.fact;
        let work = Work::Change { bucket: fact.bucket.clone(), key: fact.key.clone() };
        let pending = self.settle.enter(&fact.scope, settle::trace(&occurrence.cause), work);
        self.entries.push_back(Entry { occurrence: Arc::new(occurrence), pending: Arc::new(pending) });
    }

    pub fn clear(&mut self) {
        self.entries.clear();
        self.left.clear();
    }

    /// The commit of that number, if somebody has still to act on it.
    pub fn entry(&self, sequence: u64) -> Option<&Occurrence> {
        let first = self.entries.front()?.occurrence.sequence;
        let place = usize::try_from(sequence.checked_sub(first)?).ok()?;
        self.entries.get(place).map(|entry| &*entry.occurrence)
    }

    /// The first commit that is still to be acted on by those who were not there when the daemon began.
    fn first_left(&self) -> Option<u64> {
        let left = self.left.first().map(|occurrence| occurrence.sequence);
        left.or_else(|| self.entries.front().filter(|_| self.asleep).map(|entry| entry.occurrence.sequence))
    }

    fn take(&mut self, reader: u64) -> Option<Entry> {
        if self.asleep {
            return None;
        }
        let first = self.entries.front()?.occurrence.sequence;
        let wanted = *self.readers.get(&reader)?;
        let entry = self.entries.get(wanted.saturating_sub(first) as usize)?.clone();
        self.readers.insert(reader, entry.occurrence.sequence + 1);
        Some(entry)
    }

    /// Forgets what every reader has acted on, and says what that was.
    fn trim(&mut self) -> Vec<u64> {
        let needed = self.readers.values().min().copied().unwrap_or(u64::MAX);
        let mut gone = Vec::new();
        while self.entries.front().is_some_and(|entry| entry.occurrence.sequence < needed) {
            gone.extend(self.entries.pop_front().map(|entry| entry.occurrence.sequence));
        }
        gone
    }
}

/// One reader of the change log, with its own place in it.
pub struct Changes {
    shared: Arc<Shared>,
    reader: u64,
    newest: watch::Receiver<u64>,
    /// The commit that its reader acts on: it counts as under way until the next one is asked for.
    current: Option<Arc<Pending>>,
}

impl Store {
    /// Commits up to this one concern nobody who is told of changes from now on.
    fn since(&self) -> u64 {
        self.log.first_left().map_or(self.sequence, |first| first.saturating_sub(1))
    }

    /// A reader has acted on all that it got, and wants the next.
    fn next_of(&mut self, reader: u64) -> Option<Entry> {
        for gone in self.log.trim() {
            self.diary.note(|| Item::Change(gone));
        }
        self.log.take(reader)
    }
}

impl Objects {
    /// Commits up to this one concern nobody who is told of changes from now on.
    pub fn since(&self) -> u64 {
        self.lock().since()
    }

    /// Those who are told of changes are there: readers get what was left when the daemon ended.
    pub fn go_on(&self) {
        let mut store = self.lock();
        store.log.asleep = false;
        let sequence = store.sequence;
        drop(store);
        self.wake(sequence);
    }

    /// A reader of every commit from now on, and of those that were left when the daemon ended.
    pub fn changes(&self) -> Changes {
        let mut store = self.lock();
        for occurrence in std::mem::take(&mut store.log.left) {
            store.log.enter(occurrence);
        }
        let next = store.since() + 1;
        store.log.reader_count += 1;
        let reader = store.log.reader_count;
        store.log.readers.insert(reader, next);
        drop(store);
        Changes { shared: self.shared.clone(), reader, newest: self.shared.newest.subscribe(), current: None }
    }
}

impl Changes {
    /// The next commit; waits for it. Asking says that whatever comes of the one before is under way.
    /// Cancel-safe.
    pub async fn next(&mut self) -> Arc<Occurrence> {
        self.current = None;
        loop {
            self.newest.borrow_and_update();
            let taken = self.objects().lock().next_of(self.reader);
            if let Some(entry) = taken {
                self.current = Some(entry.pending);
                return entry.occurrence;
            }
            if self.newest.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn objects(&self) -> Objects {
        Objects { shared: self.shared.clone() }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        let objects = self.objects();
        let mut store = objects.lock();
        // With a store, what it had not acted on is for the next daemon.
        if !store.diary.keeps() {
            store.log.readers.remove(&self.reader);
            store.log.trim();
        }
    }
}
