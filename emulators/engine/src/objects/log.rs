//! The change log: every commit in order, kept until each reader has seen it.

use super::{Objects, Shared};
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
    pub fn push(&mut self, occurrence: Occurrence) {
        if self.readers.is_empty() {
            return;
        }
        let Fact::Object(fact) = &occurrence.fact;
        let work = Work::Change { bucket: fact.bucket.clone(), key: fact.key.clone() };
        let pending = self.settle.enter(&fact.scope, settle::trace(&occurrence.cause), work);
        self.entries.push_back(Entry { occurrence: Arc::new(occurrence), pending: Arc::new(pending) });
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    fn take(&mut self, reader: u64) -> Option<Entry> {
        let first = self.entries.front()?.occurrence.sequence;
        let wanted = *self.readers.get(&reader)?;
        let entry = self.entries.get(wanted.saturating_sub(first) as usize)?.clone();
        self.readers.insert(reader, entry.occurrence.sequence + 1);
        self.trim();
        Some(entry)
    }

    fn trim(&mut self) {
        let needed = self.readers.values().min().copied().unwrap_or(u64::MAX);
        while self.entries.front().is_some_and(|entry| entry.occurrence.sequence < needed) {
            self.entries.pop_front();
        }
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

impl Objects {
    /// A reader of every commit from now on.
    pub fn changes(&self) -> Changes {
        let mut store = self.lock();
        let next = store.sequence + 1;
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
            let taken = self.objects().lock().log.take(self.reader);
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
        store.log.readers.remove(&self.reader);
        store.log.trim();
    }
}
