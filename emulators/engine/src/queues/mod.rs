//! The queue core: one store under every cloud's dialect.
//!
//! A topic hands each message to all its subscriptions; a plain queue is a topic with one. A subscription
//! lends messages out under leases, keeps order within groups where it is told to, hides what is delayed and
//! sends on what was lent too often. All deadlines are points in wall time. Nothing runs in the background: what
//! is due is settled by whoever asks next, and a waiting receiver sleeps until the next deadline or until the
//! event that concerns it.
//!
//! The core knows no dialect: names, limits, receipts on the wire and who may do what are the caller's.
//! Everything that must survive is in [`Store`], and written as it changes where there is a store ([`keep`]); what is
//! not (who waits, who consumes) is beside it.

mod allowance;
mod archive;
mod backlog;
mod byhand;
mod counted;
mod dedupe;
mod keep;
mod message;
mod receive;
mod redrive;
mod rule;
mod send;
mod settle;
mod snapshot;
mod subscription;
#[cfg(test)]
pub(crate) mod tests;
mod topic;
mod trace;

pub use allowance::Allowance;
pub use archive::{Bookmark, Seek};
pub use counted::Consumer;
pub use message::{Attribute, Message, NewMessage};
pub use receive::{Lent, Received, Want};
pub use redrive::Moved;
pub use rule::{BackOff, Filter, Mark};
pub use send::{Heard, Sent};
pub use settle::{Extended, Extension, Receipt, Standing};
pub use snapshot::Snapshot;
pub use subscription::{Counts, DeadLetter, Peeked, Settings, Sight, SubscriptionId};
pub use topic::{Notes, TopicId, TopicView};

use crate::faults::Faults;
use crate::gate::Gate;
use crate::ids::Ids;
use crate::settle::Settle;
use crate::store::{Diary, Held};
use crate::turns::Turns;
use keep::Item;
use mlemu_core::{Clock, Epoch};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use subscription::Subscription;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use topic::Topic;

/// What the store itself refuses. Each dialect has its own words for these.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    #[error("there is no topic `{name}`")]
    NoTopic { name: String },
    #[error("the topic `{name}` exists already")]
    TopicExists { name: String },
    #[error("there is no subscription `{name}`")]
    NoSubscription { name: String },
    #[error("the subscription `{name}` exists already")]
    SubscriptionExists { name: String },
    #[error("{limit} messages are in flight already")]
    TooManyLeased { limit: usize },
    #[error("the store was reset in the meantime")]
    Stale,
}

/// A cheap handle; clones share one store.
#[derive(Clone)]
pub struct Queues {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    ids: Ids,
    store: Mutex<Store>,
    /// The newest commit; wakes those who watch the whole.
    newest: watch::Sender<u64>,
}

/// All topics and their messages, and the one order of commits.
#[derive(Default)]
struct Store {
    epoch: Epoch,
    /// The commit counter: sends, leases and returns each take a number.
    sequence: u64,
    topics: BTreeMap<TopicId, Topic>,
    settle: Settle,
    faults: Faults,
    gate: Gate,
    turns: Turns,
    /// Hears every message that is sent.
    ear: Option<mpsc::UnboundedSender<Heard>>,
    /// The commit that the store knows.
    handed: u64,
    diary: Diary<Item>,
}

impl Store {
    fn topic(&self, id: &TopicId) -> Result<&Topic, Fault> {
        self.topics.get(id).ok_or_else(|| id.missing())
    }

    fn topic_mut(&mut self, id: &TopicId) -> Result<&mut Topic, Fault> {
        self.topics.get_mut(id).ok_or_else(|| id.missing())
    }

    /// The subscription beside the commit counter, which most changes of it need.
    fn open(&mut self, id: &SubscriptionId) -> Result<(&mut Subscription, &mut u64), Fault> {
        let topic = self.topics.get_mut(&id.topic).ok_or_else(|| id.topic.missing())?;
        let subscription = topic.subscriptions.get_mut(&id.name).ok_or_else(|| id.missing())?;
        Ok((subscription, &mut self.sequence))
    }
}

impl Queues {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::named_by(clock, Ids::default())
    }

    /// The same, whose messages get their ids from `ids`.
    pub fn named_by(clock: Arc<dyn Clock>, ids: Ids) -> Self {
        Self::with(Store::default(), clock, ids)
    }

    fn with(store: Store, clock: Arc<dyn Clock>, ids: Ids) -> Self {
        let (newest, _) = watch::channel(store.sequence);
        Self { shared: Arc::new(Shared { clock, ids, store: Mutex::new(store), newest }) }
    }

    /// Counts messages as under way in `settle` while a consumer may receive them. To be said first: what is there
    /// already does not count.
    #[must_use]
    pub fn counted_in(self, settle: Settle) -> Self {
        self.lock().settle = settle;
        self
    }

    /// What these rules say goes wrong with messages does.
    #[must_use]
    pub fn meddled_by(self, faults: Faults) -> Self {
        self.lock().faults = faults;
        self
    }

    /// Functions are fed from here only while this is open.
    #[must_use]
    pub fn behind(self, gate: Gate) -> Self {
        self.lock().gate = gate;
        self
    }

    /// Who takes messages for functions waits for a turn here.
    #[must_use]
    pub fn in_turns(self, turns: Turns) -> Self {
        self.lock().turns = turns;
        self
    }

    pub(crate) fn turns(&self) -> Turns {
        self.lock().turns.clone()
    }

    pub(crate) fn gate(&self) -> Gate {
        self.lock().gate.clone()
    }

    pub fn settle(&self) -> Settle {
        self.lock().settle.clone()
    }

    /// Where ids come from.
    pub fn ids(&self) -> &Ids {
        &self.shared.ids
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    /// The number of the newest commit.
    pub fn sequence(&self) -> u64 {
        self.lock().sequence
    }

    /// Changes whenever something was committed, also by time alone once somebody has looked.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.shared.newest.subscribe()
    }

    /// Forgets everything and begins the next epoch. Receivers that wait are told that their queue is gone,
    /// and receipts of before mean nothing any more.
    pub fn reset(&self) {
        let mut store = self.lock();
        store.epoch.0 += 1;
        let topics = std::mem::take(&mut store.topics);
        store.note_all();
        drop(store);
        topics.values().for_each(Topic::wake_all);
        self.tell();
    }

    fn lock(&self) -> Held<'_, Store> {
        Held(self.shared.store.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells those who watch the whole; not to be called under the lock.
    fn tell(&self) {
        let store = self.lock();
        let (newest, pulse) = (store.sequence, store.settle.pulse().clone());
        drop(store);
        self.shared.newest.send_replace(newest);
        pulse.ring();
    }
}
