//! What a topic keeps of what it was given, for subscriptions that go back in time.

use super::keep::Item;
use super::message::Message;
use super::subscription::SubscriptionId;
use super::{Fault, Queues, TopicId};
use crate::store::Diary;
use mlemu_core::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A moment of a subscription: what was not done then, and everything later. The topic keeps messages for it
/// while it lives.
#[derive(Clone, Debug)]
pub struct Bookmark {
    waiting: Vec<Arc<Message>>,
    /// The newest commit then.
    sequence: u64,
    _alive: Arc<()>,
}

/// Where a subscription goes.
#[derive(Clone, Debug)]
pub enum Seek {
    /// Older messages are done with, and those since then are not.
    Time(Timestamp),
    To(Bookmark),
}

/// The newest messages of a topic, as far back as anybody wants them.
#[derive(Clone)]
pub(super) struct Archive {
    pub messages: BTreeMap<u64, Arc<Message>>,
    /// How long the topic itself keeps them.
    pub retention: Option<Duration>,
    bookmarks: Vec<(Weak<()>, u64)>,
    of: TopicId,
    diary: Diary<Item>,
}

impl Archive {
    pub fn new(of: &TopicId, diary: &Diary<Item>) -> Self {
        let (messages, retention, bookmarks) = Default::default();
        Self { messages, retention, bookmarks, of: of.clone(), diary: diary.clone() }
    }

    fn note(&self, sequence: u64) {
        self.diary.note(|| Item::Archived(self.of.clone(), sequence));
    }

    /// Keeps a message, if the topic, a bookmark or a subscription (`longest` of them) wants that; forgets what is
    /// too old for all.
    pub fn add(&mut self, message: &Arc<Message>, longest: Option<Duration>, now: Timestamp) {
        self.bookmarks.retain(|(alive, _)| alive.strong_count() > 0);
        let keep = self.retention.max(longest);
        let marked = self.bookmarks.iter().map(|(_, sequence)| *sequence).min();
        let is_wanted = |message: &Message| {
            keep.is_some_and(|keep| message.enqueued.plus(keep) > now)
                || marked.is_some_and(|marked| message.sequence > marked)
        };
        while self.messages.first_entry().is_some_and(|oldest| !is_wanted(oldest.get())) {
            if let Some((sequence, _)) = self.messages.pop_first() {
                self.note(sequence);
            }
        }
        if is_wanted(message) {
            self.messages.insert(message.sequence, message.clone());
            self.note(message.sequence);
        }
    }

    fn mark(&mut self, sequence: u64) -> Arc<()> {
        let alive = Arc::new(());
        self.bookmarks.push((Arc::downgrade(&alive), sequence));
        alive
    }
}

impl Queues {
    /// How long a topic keeps its messages for those who go back; `None`: only as its subscriptions want.
    pub fn retain(&self, topic: &TopicId, retention: Option<Duration>) -> Result<(), Fault> {
        let mut store = self.lock();
        store.topic_mut(topic)?.archive.retention = retention;
        store.diary.note(|| Item::Topic(topic.clone()));
        Ok(())
    }

    /// Remembers this moment of a subscription.
    pub fn bookmark(&self, of: &SubscriptionId) -> Result<Bookmark, Fault> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let (subscription, commits) = store.open(of)?;
        subscription.settle(now, commits);
        let (waiting, sequence) = (subscription.backlog.messages(), *commits);
        let alive = store.topic_mut(&of.topic)?.archive.mark(sequence);
        Ok(Bookmark { waiting, sequence, _alive: alive })
    }

    /// Makes a subscription's messages done or not, as they were at a moment. What is lent out and still not done
    /// stays lent out.
    pub fn seek(&self, id: &SubscriptionId, to: &Seek) -> Result<(), Fault> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let (subscription, commits) = store.open(id)?;
        subscription.settle(now, commits);
        *commits += 1;
        let topic = store.topic_mut(&id.topic)?;
        let archive = &topic.archive;
        let Some(subscription) = topic.subscriptions.get_mut(&id.name) else { return Err(id.missing()) };
        let keeps = archive.retention.is_some() || subscription.settings.keeps_done;
        let back: Vec<Arc<Message>> = match to {
            Seek::Time(_) if !keeps => Vec::new(),
            Seek::Time(at) => archive.messages.values().filter(|one| one.enqueued >= *at).cloned().collect(),
            Seek::To(bookmark) => {
                let later = archive.messages.range(bookmark.sequence + 1..).map(|(_, one)| one);
                bookmark.waiting.iter().chain(later).cloned().collect()
            }
        };
        let there = subscription.backlog.messages();
        let kept: BTreeSet<u64> = back.iter().map(|one| one.sequence).collect();
        let is_done = |one: &Message| match to {
            Seek::Time(at) => one.enqueued < *at,
            Seek::To(_) => !kept.contains(&one.sequence),
        };
        let done: Vec<_> = there.iter().filter(|one| is_done(one)).collect();
        let gone: Vec<_> = done.iter().filter_map(|one| subscription.backlog.remove(one.sequence)).collect();
        for message in back {
            subscription.accept(&message, Duration::ZERO, now);
        }
        subscription.stir();
        drop(store);
        drop(gone);
        self.tell();
        Ok(())
    }
}
