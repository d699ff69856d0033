//! The change log: every commit in order, kept until each reader has seen it.

use super::{Objects, Shared};
use mlemu_core::Occurrence;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::watch;

/// Entries have consecutive sequences. Nothing is kept while nobody reads.
#[derive(Default)]
pub(super) struct Log {
    entries: VecDeque<Arc<Occurrence>>,
    /// The sequence that each reader wants next.
    readers: BTreeMap<u64, u64>,
    reader_count: u64,
}

impl Log {
    pub fn push(&mut self, occurrence: Occurrence) {
        if !self.readers.is_empty() {
            self.entries.push_back(Arc::new(occurrence));
        }
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    fn take(&mut self, reader: u64) -> Option<Arc<Occurrence>> {
        let first = self.entries.front()?.sequence;
        let wanted = *self.readers.get(&reader)?;
        let entry = self.entries.get(wanted.saturating_sub(first) as usize)?.clone();
        self.readers.insert(reader, entry.sequence + 1);
        self.trim();
        Some(entry)
    }

    fn trim(&mut self) {
        let needed = self.readers.values().min().copied().unwrap_or(u64::MAX);
        while self.entries.front().is_some_and(|entry| entry.sequence < needed) {
            self.entries.pop_front();
        }
    }
}

/// One reader of the change log, with its own place in it.
pub struct Changes {
    shared: Arc<Shared>,
    reader: u64,
    newest: watch::Receiver<u64>,
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
        Changes { shared: self.shared.clone(), reader, newest: self.shared.newest.subscribe() }
    }
}

impl Changes {
    /// The next commit; waits for it. Cancel-safe.
    pub async fn next(&mut self) -> Arc<Occurrence> {
        loop {
            self.newest.borrow_and_update();
            if let Some(occurrence) = self.objects().lock().log.take(self.reader) {
                return occurrence;
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
