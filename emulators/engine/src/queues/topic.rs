//! Topics: their identity, and what one holds. A queue is a topic with one subscription.

use super::archive::Archive;
use super::counted::Counting;
use super::dedupe::Dedupe;
use super::keep::Item;
use super::subscription::{Settings, Subscription, SubscriptionId};
use super::trace::Trace;
use super::{Fault, Queues, Store};
use mlemu_core::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What a dialect keeps beside a topic, for itself.
pub type Notes = BTreeMap<String, String>;

/// A topic's identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TopicId {
    pub scope: Arc<Scope>,
    pub name: Arc<str>,
}

impl TopicId {
    pub fn new(scope: &Arc<Scope>, name: &str) -> Self {
        Self { scope: scope.clone(), name: name.into() }
    }

    /// The one subscription of a topic that is a plain queue.
    pub fn only(&self) -> SubscriptionId {
        SubscriptionId { topic: self.clone(), name: "".into() }
    }

    pub(super) fn missing(&self) -> Fault {
        Fault::NoTopic { name: self.name.to_string() }
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What there is to know of a topic.
#[derive(Clone, Debug)]
pub struct TopicView {
    pub id: TopicId,
    pub created: Timestamp,
    /// When its notes or a subscription's settings were last changed.
    pub modified: Timestamp,
    pub notes: Notes,
    pub tags: Notes,
}

pub(super) struct Topic {
    pub created: Timestamp,
    pub modified: Timestamp,
    pub notes: Notes,
    pub tags: Notes,
    pub dedupe: Dedupe,
    pub archive: Archive,
    pub subscriptions: BTreeMap<Arc<str>, Subscription>,
}

impl Topic {
    /// Every waiting receiver looks again.
    pub fn wake_all(&self) {
        self.subscriptions.values().for_each(|subscription| subscription.wake.notify_waiters());
    }

    pub fn view(&self, id: &TopicId) -> TopicView {
        TopicView {
            id: id.clone(),
            created: self.created,
            modified: self.modified,
            notes: self.notes.clone(),
            tags: self.tags.clone(),
        }
    }
}

impl Store {
    fn add_topic(&mut self, id: &TopicId, notes: Notes, tags: Notes, now: Timestamp) -> Result<(), Fault> {
        if self.topics.contains_key(id) {
            return Err(Fault::TopicExists { name: id.name.to_string() });
        }
        let (dedupe, archive) = (Dedupe::new(id, &self.diary), Archive::new(id, &self.diary));
        let subscriptions = BTreeMap::new();
        let topic = Topic { created: now, modified: now, notes, tags, dedupe, archive, subscriptions };
        self.topics.insert(id.clone(), topic);
        self.diary.note(|| Item::Topic(id.clone()));
        Ok(())
    }

    fn add_subscription(&mut self, id: &SubscriptionId, settings: Settings) -> Result<(), Fault> {
        let counting = Counting::new(self.settle.clone(), id.topic.clone());
        let trace = Trace::new(id, &self.diary);
        let topic = self.topic_mut(&id.topic)?;
        if topic.subscriptions.contains_key(&id.name) {
            return Err(Fault::SubscriptionExists { name: id.name.to_string() });
        }
        topic.subscriptions.insert(id.name.clone(), Subscription::new(settings, counting, trace));
        self.diary.note(|| Item::Subscription(id.clone()));
        Ok(())
    }
}

impl Queues {
    /// Makes a topic that nobody hears yet. Fails with [`Fault::TopicExists`].
    pub fn create_topic(&self, id: &TopicId, notes: Notes, tags: Notes) -> Result<(), Fault> {
        let now = self.shared.clock.now();
        let made = self.lock().add_topic(id, notes, tags, now);
        self.tell();
        made
    }

    /// Makes a topic with its one subscription. Fails with [`Fault::TopicExists`].
    pub fn create_queue(
        &self,
        id: &TopicId,
        settings: Settings,
        notes: Notes,
        tags: Notes,
    ) -> Result<(), Fault> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        store.add_topic(id, notes, tags, now)?;
        store.add_subscription(&id.only(), settings)?;
        drop(store);
        self.tell();
        Ok(())
    }

    /// From now on the subscription gets what the topic gets. Fails with [`Fault::SubscriptionExists`].
    pub fn subscribe(&self, id: &SubscriptionId, settings: Settings) -> Result<(), Fault> {
        let made = self.lock().add_subscription(id, settings);
        self.tell();
        made
    }

    /// Forgets a subscription with its messages; who waits there is told.
    pub fn unsubscribe(&self, id: &SubscriptionId) -> Result<(), Fault> {
        let mut store = self.lock();
        store.note_subscription(id);
        let gone = store.topic_mut(&id.topic)?.subscriptions.remove(&id.name);
        drop(store);
        let gone = gone.ok_or_else(|| id.missing())?;
        gone.wake.notify_waiters();
        self.tell();
        Ok(())
    }

    /// Forgets a topic, but not its subscriptions with their messages: they are those of another topic from now on.
    pub fn orphan(&self, id: &TopicId, to: &TopicId) -> Result<(), Fault> {
        let mut store = self.lock();
        store.topic(to)?;
        store.note_topic(id);
        let mut gone = store.topics.remove(id).ok_or_else(|| id.missing())?;
        // Receivers that wait ask again, by the new name.
        gone.wake_all();
        for (name, subscription) in &mut gone.subscriptions {
            let place = SubscriptionId { topic: to.clone(), name: name.clone() };
            subscription.backlog.trace = Trace::new(&place, &store.diary);
        }
        let names: Vec<_> = gone.subscriptions.keys().cloned().collect();
        store.topic_mut(to)?.subscriptions.extend(gone.subscriptions);
        for name in names {
            store.note_subscription(&SubscriptionId { topic: to.clone(), name });
        }
        drop(store);
        self.tell();
        Ok(())
    }

    /// Forgets a topic with all that it holds; who waits there is told.
    pub fn delete_topic(&self, id: &TopicId) -> Result<(), Fault> {
        let mut store = self.lock();
        store.note_topic(id);
        let gone = store.topics.remove(id);
        drop(store);
        let gone = gone.ok_or_else(|| id.missing())?;
        gone.wake_all();
        self.tell();
        Ok(())
    }

    pub fn topic(&self, id: &TopicId) -> Result<TopicView, Fault> {
        self.lock().topic(id).map(|topic| topic.view(id))
    }

    /// The topics of a scope, by name.
    pub fn topics(&self, scope: &Arc<Scope>) -> Vec<TopicView> {
        let first = TopicId::new(scope, "");
        let store = self.lock();
        let all = store.topics.range(&first..).take_while(|(id, _)| id.scope == first.scope);
        all.map(|(id, topic)| topic.view(id)).collect()
    }

    /// Changes what a dialect keeps beside a topic.
    pub fn note<T>(
        &self,
        id: &TopicId,
        change: impl FnOnce(&mut Notes, &mut Notes) -> T,
    ) -> Result<T, Fault> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let topic = store.topic_mut(id)?;
        topic.modified = now;
        let changed = change(&mut topic.notes, &mut topic.tags);
        store.diary.note(|| Item::Topic(id.clone()));
        Ok(changed)
    }

    /// Changes how a subscription behaves; what is out already keeps its lease.
    pub fn configure(
        &self,
        id: &SubscriptionId,
        change: impl FnOnce(&mut Settings),
    ) -> Result<Settings, Fault> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let (subscription, sequence) = store.open(id)?;
        subscription.settle(now, sequence);
        change(&mut subscription.settings);
        let settings = subscription.settings.clone();
        subscription.backlog.obey(&settings);
        subscription.settle(now, sequence);
        subscription.stir();
        store.diary.note(|| Item::Subscription(id.clone()));
        drop(store);
        self.tell();
        Ok(settings)
    }

    pub fn settings(&self, id: &SubscriptionId) -> Result<Settings, Fault> {
        self.lock().open(id).map(|(subscription, _)| subscription.settings.clone())
    }
}
