//! The whole store as it was at one moment, and going back to it.
//!
//! Messages never change once they are there, so a snapshot shares them and their bytes with the store.

use super::backlog::Backlog;
use super::counted::Counting;
use super::keep::Item;
use super::subscription::{Settings, Subscription, SubscriptionId};
use super::topic::{Topic, TopicId, TopicView};
use super::trace::Trace;
use super::{Queues, Store};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Cheap to keep: it shares the bodies.
#[derive(Clone, Default)]
pub struct Snapshot {
    topics: BTreeMap<TopicId, Kept>,
}

#[derive(Clone)]
struct Kept {
    view: TopicView,
    dedupe: super::dedupe::Dedupe,
    archive: super::archive::Archive,
    subscriptions: BTreeMap<Arc<str>, (Settings, Backlog)>,
}

impl Kept {
    fn of(id: &TopicId, topic: &Topic) -> Self {
        let subscriptions = topic.subscriptions.iter().map(|(name, subscription)| {
            (name.clone(), (subscription.settings.clone(), subscription.backlog.clone()))
        });
        let (dedupe, archive) = (topic.dedupe.clone(), topic.archive.clone());
        Self { view: topic.view(id), dedupe, archive, subscriptions: subscriptions.collect() }
    }
}

impl Queues {
    pub fn snapshot(&self) -> Snapshot {
        let store = self.lock();
        Snapshot {
            topics: store.topics.iter().map(|(id, topic)| (id.clone(), Kept::of(id, topic))).collect(),
        }
    }

    /// Drops every message, lent out or not, and begins the next epoch: no receipt of before means anything.
    pub fn forget_messages(&self) {
        let mut store = self.lock();
        store.epoch.0 += 1;
        let all = store.topics.values_mut().flat_map(|topic| topic.subscriptions.values_mut());
        for subscription in all {
            subscription.backlog.clear();
            subscription.stir();
        }
        store.diary.note(|| Item::Counter);
        drop(store);
        self.tell();
    }

    /// Goes back to a snapshot and begins the next epoch. Who waits or consumes goes on where its subscription is
    /// still there. What was lent out then is visible again, since no receipt holds it any more.
    pub fn restore(&self, snapshot: &Snapshot) {
        let mut store = self.lock();
        store.epoch.0 += 1;
        let mut old = std::mem::take(&mut store.topics);
        for (id, kept) in &snapshot.topics {
            let topic = store.restored(id, kept, old.get_mut(id));
            store.topics.insert(id.clone(), topic);
        }
        store.note_all();
        drop(store);
        old.values().for_each(Topic::wake_all);
        drop(old);
        self.tell();
    }
}

impl Store {
    fn restored(&mut self, id: &TopicId, kept: &Kept, mut old: Option<&mut Topic>) -> Topic {
        let mut subscriptions = BTreeMap::new();
        for (name, (settings, backlog)) in &kept.subscriptions {
            let there = old.as_mut().and_then(|old| old.subscriptions.remove(name));
            let mut subscription = there.unwrap_or_else(|| {
                let place = SubscriptionId { topic: id.clone(), name: name.clone() };
                let counting = Counting::new(self.settle.clone(), id.clone());
                Subscription::new(settings.clone(), counting, Trace::new(&place, &self.diary))
            });
            subscription.settings = settings.clone();
            subscription.backlog = backlog.clone();
            subscription.backlog.return_all(&mut self.sequence);
            subscription.recount();
            subscription.stir();
            subscriptions.insert(name.clone(), subscription);
        }
        let TopicView { created, modified, notes, tags, .. } = kept.view.clone();
        let (dedupe, archive) = (kept.dedupe.clone(), kept.archive.clone());
        Topic { created, modified, notes, tags, dedupe, archive, subscriptions }
    }
}
