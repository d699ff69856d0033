//! Which messages were sent a short while ago, so that the same one is accepted once.

use super::keep::Item;
use super::{Sent, TopicId};
use crate::store::Diary;
use mlemu_core::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How long a key is remembered.
const WINDOW: Duration = Duration::from_mins(5);

/// The keys of the last minutes and what became of their first message.
#[derive(Clone)]
pub(super) struct Dedupe {
    /// Until when, and what became of it.
    seen: HashMap<Arc<str>, (Timestamp, Sent)>,
    /// In the order in which they are forgotten.
    order: VecDeque<(Timestamp, Arc<str>)>,
    of: TopicId,
    diary: Diary<Item>,
}

impl Dedupe {
    pub fn new(of: &TopicId, diary: &Diary<Item>) -> Self {
        Self { seen: HashMap::new(), order: VecDeque::new(), of: of.clone(), diary: diary.clone() }
    }

    fn note(&self, key: &Arc<str>) {
        self.diary.note(|| Item::Sent(self.of.clone(), key.clone()));
    }

    pub fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.seen.keys()
    }

    pub fn entry(&self, key: &str) -> Option<&(Timestamp, Sent)> {
        self.seen.get(key)
    }

    /// As it was remembered once; in the order of time.
    pub fn put_back(&mut self, key: Arc<str>, sent: Sent, until: Timestamp) {
        self.order.push_back((until, key.clone()));
        self.seen.insert(key, (until, sent));
    }

    /// The first message of this key, if that was not too long ago.
    pub fn find(&mut self, key: &str, now: Timestamp) -> Option<Sent> {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, key)) = self.order.pop_front() {
                self.seen.remove(&key);
                self.note(&key);
            }
        }
        let (_, first) = self.seen.get(key)?;
        Some(Sent { duplicate: true, ..first.clone() })
    }

    pub fn remember(&mut self, key: Arc<str>, sent: Sent, now: Timestamp) {
        self.note(&key);
        self.put_back(key, sent, now.plus(WINDOW));
    }
}
