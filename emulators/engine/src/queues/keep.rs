//! What of the queues outlives the daemon, record by record, and how it comes back.
//!
//! The mark of a change is the key of its record. A message is written once; where it stands is a small record
//! beside it, which each lease writes anew. Who waits and who consumes is of the daemon and is not kept.

use super::archive::Archive;
use super::backlog::{Backlog, Entry, Phase};
use super::counted::Counting;
use super::dedupe::Dedupe;
use super::message::Message;
use super::send::Sent;
use super::subscription::{Settings, Subscription, SubscriptionId};
use super::topic::{Notes, Topic, TopicId};
use super::trace::Trace;
use super::{Queues, Store};
use crate::ids::Ids;
use crate::store::{Diary, Keeps, Shelf, StoreError, decode, encode};
use mlemu_core::{Clock, Epoch, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What a record is of. In this order they are read: whatever belongs to something comes after it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Item {
    /// The epoch and the commit counter.
    Counter,
    Topic(TopicId),
    Subscription(SubscriptionId),
    Message(SubscriptionId, u64),
    /// Where a message stands.
    Standing(SubscriptionId, u64),
    Archived(TopicId, u64),
    /// That a key was sent.
    Sent(TopicId, Arc<str>),
}

#[derive(Serialize, Deserialize)]
struct TopicRecord {
    created: Timestamp,
    modified: Timestamp,
    notes: Notes,
    tags: Notes,
    retention: Option<Duration>,
}

#[derive(Serialize, Deserialize)]
struct StandingRecord {
    phase: Phase,
    count: u32,
    first: Option<Timestamp>,
    leased_at: Timestamp,
    token: u64,
}

impl StandingRecord {
    fn of(entry: &Entry) -> Self {
        let Entry { phase, count, first, leased_at, token, .. } = *entry;
        Self { phase, count, first, leased_at, token }
    }

    fn entry(self, message: Arc<Message>) -> Entry {
        let Self { phase, count, first, leased_at, token } = self;
        let (counted, part) = Default::default();
        Entry { message, counted, phase, count, first, leased_at, token, part }
    }
}

impl Keeps for Store {
    fn hand_over(&mut self) {
        if !self.diary.keeps() {
            return;
        }
        if self.sequence != self.handed {
            self.handed = self.sequence;
            self.diary.note(|| Item::Counter);
        }
        self.diary.write(|mark| self.spelled(mark));
    }
}

impl Store {
    /// The record of a mark; `None`: there is no such thing any more.
    fn spelled(&self, mark: &Item) -> Option<Vec<u8>> {
        let topic = |id: &TopicId| self.topics.get(id);
        let subscription = |id: &SubscriptionId| self.topics.get(&id.topic)?.subscriptions.get(&id.name);
        Some(match mark {
            Item::Counter => encode(&(self.epoch, self.sequence)),
            Item::Topic(id) => {
                let Topic { created, modified, notes, tags, archive, .. } = topic(id)?;
                let (notes, tags) = (notes.clone(), tags.clone());
                let retention = archive.retention;
                encode(&TopicRecord { created: *created, modified: *modified, notes, tags, retention })
            }
            Item::Subscription(id) => encode(&subscription(id)?.settings),
            Item::Message(id, sequence) => encode(&*subscription(id)?.backlog.entry(*sequence)?.message),
            Item::Standing(id, sequence) => {
                encode(&StandingRecord::of(subscription(id)?.backlog.entry(*sequence)?))
            }
            Item::Archived(id, sequence) => encode(&**topic(id)?.archive.messages.get(sequence)?),
            Item::Sent(id, key) => encode(&topic(id)?.dedupe.entry(key)?),
        })
    }

    /// A subscription with its messages.
    pub(super) fn note_subscription(&self, id: &SubscriptionId) {
        let held = self.topics.get(&id.topic).and_then(|topic| topic.subscriptions.get(&id.name));
        let Some(held) = held.filter(|_| self.diary.keeps()) else { return };
        self.diary.note(|| Item::Subscription(id.clone()));
        for message in held.backlog.messages() {
            self.diary.note(|| Item::Message(id.clone(), message.sequence));
            self.diary.note(|| Item::Standing(id.clone(), message.sequence));
        }
    }

    /// A topic with everything in it.
    pub(super) fn note_topic(&self, id: &TopicId) {
        let Some(topic) = self.topics.get(id).filter(|_| self.diary.keeps()) else { return };
        self.diary.note(|| Item::Topic(id.clone()));
        for name in topic.subscriptions.keys() {
            self.note_subscription(&SubscriptionId { topic: id.clone(), name: name.clone() });
        }
        for sequence in topic.archive.messages.keys() {
            self.diary.note(|| Item::Archived(id.clone(), *sequence));
        }
        for key in topic.dedupe.keys() {
            self.diary.note(|| Item::Sent(id.clone(), key.clone()));
        }
    }

    /// Nothing of before is left.
    pub(super) fn note_all(&self) {
        self.diary.begin_anew();
        self.diary.note(|| Item::Counter);
        self.topics.keys().for_each(|id| self.note_topic(id));
    }
}

/// Puts records back, in their order.
struct Reader {
    store: Store,
    /// Messages whose standing is still to come.
    messages: BTreeMap<(SubscriptionId, u64), Arc<Message>>,
    /// What was sent, by the time until which it is remembered.
    sent: Vec<(Timestamp, TopicId, Arc<str>, Sent)>,
}

impl Reader {
    /// `Err`: why that cannot be.
    fn put(&mut self, mark: Item, bytes: &[u8]) -> Result<(), String> {
        let lost = |id: &TopicId| format!("there is something of `{id}`, which is missing");
        match mark {
            Item::Counter => (self.store.epoch, self.store.sequence) = decode::<(Epoch, u64)>(bytes)?,
            Item::Topic(id) => {
                let topic = self.topic(&id, decode(bytes)?);
                self.store.topics.insert(id, topic);
            }
            Item::Subscription(id) => {
                let settings: Settings = decode(bytes)?;
                let (counting, trace) = (
                    Counting::new(self.store.settle.clone(), id.topic.clone()),
                    Trace::new(&id, &self.store.diary),
                );
                let topic = self.store.topics.get_mut(&id.topic).ok_or_else(|| lost(&id.topic))?;
                topic.subscriptions.insert(id.name, Subscription::new(settings, counting, trace));
            }
            Item::Message(id, sequence) => {
                self.messages.insert((id, sequence), Arc::new(decode(bytes)?));
            }
            Item::Standing(id, sequence) => {
                let at = (id, sequence);
                let message = self.messages.remove(&at).ok_or_else(|| lost(&at.0.topic))?;
                let standing: StandingRecord = decode(bytes)?;
                self.backlog(&at.0).ok_or_else(|| lost(&at.0.topic))?.put_back(standing.entry(message));
            }
            Item::Archived(id, sequence) => {
                let topic = self.store.topics.get_mut(&id).ok_or_else(|| lost(&id))?;
                topic.archive.messages.insert(sequence, Arc::new(decode(bytes)?));
            }
            Item::Sent(id, key) => {
                let (until, sent) = decode(bytes)?;
                self.sent.push((until, id, key, sent));
            }
        }
        Ok(())
    }

    fn topic(&self, id: &TopicId, record: TopicRecord) -> Topic {
        let TopicRecord { created, modified, notes, tags, retention } = record;
        let diary = &self.store.diary;
        let (dedupe, mut archive) = (Dedupe::new(id, diary), Archive::new(id, diary));
        archive.retention = retention;
        Topic { created, modified, notes, tags, dedupe, archive, subscriptions: BTreeMap::new() }
    }

    fn backlog(&mut self, id: &SubscriptionId) -> Option<&mut Backlog> {
        Some(&mut self.store.topics.get_mut(&id.topic)?.subscriptions.get_mut(&id.name)?.backlog)
    }

    fn finish(mut self) -> Store {
        self.sent.sort_by_key(|(until, ..)| *until);
        for (until, id, key, sent) in self.sent {
            if let Some(topic) = self.store.topics.get_mut(&id) {
                topic.dedupe.put_back(key, sent, until);
            }
        }
        self.store
    }
}

impl Queues {
    /// The queues as they were left on `shelf`, and kept there from now on. What was lent out stays so until its
    /// time, and its receipts are good.
    pub fn kept_on(shelf: &Shelf, clock: Arc<dyn Clock>, ids: Ids) -> Result<Self, StoreError> {
        let shelf = shelf.part("queues");
        let mut records: Vec<(Item, Vec<u8>)> = Vec::new();
        for (key, value) in shelf.found() {
            records.push((shelf.read(&key)?, value));
        }
        records.sort_by(|(a, _), (b, _)| a.cmp(b));
        let store = Store { diary: Diary::new(shelf.clone()), ..Store::default() };
        let mut reader = Reader { store, messages: BTreeMap::new(), sent: Vec::new() };
        for (mark, bytes) in records {
            reader.put(mark, &bytes).map_err(|why| shelf.unreadable(why))?;
        }
        Ok(Self::with(reader.finish(), clock, ids))
    }
}
