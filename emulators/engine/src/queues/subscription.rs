//! A subscription: how it behaves, what it holds, and who is there to take it.

use super::backlog::Backlog;
use super::counted::Counting;
use super::message::Message;
use super::rule::{BackOff, Filter, Mark};
use super::trace::Trace;
use super::{Fault, Queues, TopicId};
use mlemu_core::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// A subscription's identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SubscriptionId {
    pub topic: TopicId,
    /// Empty for the one subscription of a plain queue.
    pub name: Arc<str>,
}

impl SubscriptionId {
    pub(super) fn missing(&self) -> Fault {
        Fault::NoSubscription { name: self.name.to_string() }
    }
}

/// Where messages go that were lent out too often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    pub to: TopicId,
    /// How often a message may be lent out; one time more sends it on.
    pub after: u32,
    /// Retention counts anew there.
    pub restamps: bool,
}

/// How a subscription behaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// A group's messages are lent out in order, and only while none of them is out.
    pub ordered: bool,
    /// How long a receiver has a message that does not say.
    pub lease: Duration,
    /// How long a new message stays hidden that does not say.
    pub delay: Duration,
    /// How long a receiver waits that does not say.
    pub wait: Duration,
    /// Age at which a message is dropped; `None`: never.
    pub retention: Option<Duration>,
    /// Without effect while the topic that it names is missing.
    pub dead_letter: Option<DeadLetter>,
    /// What is added to messages that go there.
    /// Not kept by a store: whoever made it says it again.
    #[serde(skip)]
    pub mark: Option<Mark>,
    /// Most messages out at once.
    pub most_leased: Option<usize>,
    /// Which messages it gets at all; `None`: every one.
    /// Not kept by a store either.
    #[serde(skip)]
    pub filter: Option<Filter>,
    /// How long a message that came back stays hidden; `None`: not at all.
    pub back_off: Option<BackOff>,
    /// A message that comes back takes along the later ones of its group that are out.
    pub rewinds: bool,
    /// What is done with can be gone back to, within the retention.
    pub keeps_done: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ordered: false,
            lease: Duration::from_secs(30),
            delay: Duration::ZERO,
            wait: Duration::ZERO,
            retention: None,
            dead_letter: None,
            mark: None,
            most_leased: None,
            filter: None,
            back_off: None,
            rewinds: false,
            keeps_done: false,
        }
    }
}

/// How much there is, exactly, at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Neither out nor delayed; in an ordered subscription some may wait for their group.
    pub visible: usize,
    /// Lent out.
    pub leased: usize,
    pub delayed: usize,
    /// Receivers that wait now.
    pub waiting: usize,
    /// Those who said that they will take everything, such as source mappings.
    pub consumers: usize,
    /// When time alone will change something.
    pub next_change: Option<Timestamp>,
}

/// Where a message is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    Visible,
    Delayed { until: Timestamp },
    Leased { until: Timestamp },
}

/// A message as somebody sees it who does not take it.
#[derive(Clone, Debug)]
pub struct Peeked {
    pub message: Arc<Message>,
    pub sight: Sight,
    /// How often it was lent out.
    pub count: u32,
    pub first: Option<Timestamp>,
}

pub(super) struct Subscription {
    pub settings: Settings,
    pub backlog: Backlog,
    /// Rouses one waiting receiver. Each that leaves rouses the next, so that there is always one that knows
    /// the next deadline.
    pub wake: Arc<Notify>,
    pub waiting: usize,
    pub counting: Counting,
}

impl Subscription {
    pub fn new(settings: Settings, counting: Counting, trace: Trace) -> Self {
        let backlog = Backlog::new(&settings, trace);
        Self { settings, backlog, wake: Arc::default(), waiting: 0, counting }
    }

    /// Does what time has brought since somebody last looked.
    pub fn settle(&mut self, now: Timestamp, sequence: &mut u64) {
        self.backlog.settle(now, sequence);
    }

    /// Takes a message in, if it is one that it gets and it is not there yet.
    pub fn accept(&mut self, message: &Arc<Message>, delay: Duration, now: Timestamp) {
        let is_wanted = self.settings.filter.as_ref().is_none_or(|filter| filter.wants(message));
        if is_wanted && self.backlog.entry(message.sequence).is_none() {
            let counted = self.counting.count(message);
            self.backlog.add(message.clone(), counted, delay, now);
        }
    }

    /// Whether a receiver would get something now.
    pub fn offers(&self) -> bool {
        let has_room = self.settings.most_leased.is_none_or(|most| self.backlog.leased() < most);
        has_room && self.backlog.has_turn()
    }

    fn counts(&self) -> Counts {
        Counts { waiting: self.waiting, consumers: self.counting.consumers, ..self.backlog.counts() }
    }
}

impl Queues {
    /// How much there is in a subscription.
    pub fn counts(&self, id: &SubscriptionId) -> Result<Counts, Fault> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let (subscription, sequence) = store.open(id)?;
        subscription.settle(now, sequence);
        Ok(subscription.counts())
    }

    /// The same of all, at one moment.
    pub fn all_counts(&self) -> Vec<(SubscriptionId, Counts)> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let store = &mut *store;
        let mut all = Vec::new();
        for (topic, held) in &mut store.topics {
            for (name, subscription) in &mut held.subscriptions {
                subscription.settle(now, &mut store.sequence);
                let id = SubscriptionId { topic: topic.clone(), name: name.clone() };
                all.push((id, subscription.counts()));
            }
        }
        all
    }

    /// The oldest messages, at most `most`, without taking them.
    pub fn peek(&self, id: &SubscriptionId, most: usize) -> Result<Vec<Peeked>, Fault> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let (subscription, sequence) = store.open(id)?;
        subscription.settle(now, sequence);
        Ok(subscription.backlog.peek(most))
    }

    /// The messages that would be lent out next, at most `most`, without taking them.
    pub fn peek_next(&self, id: &SubscriptionId, most: usize) -> Result<Vec<Peeked>, Fault> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let (subscription, sequence) = store.open(id)?;
        subscription.settle(now, sequence);
        Ok(subscription.backlog.peek_turns(most))
    }

    /// Drops every message, lent out or not.
    pub fn purge(&self, id: &SubscriptionId) -> Result<(), Fault> {
        let mut store = self.lock();
        let (subscription, sequence) = store.open(id)?;
        *sequence += 1;
        let gone = subscription.backlog.clear();
        subscription.stir();
        drop(store);
        drop(gone);
        self.tell();
        Ok(())
    }
}
