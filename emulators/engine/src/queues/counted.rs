//! What of a subscription counts as under way: its messages for as long as a consumer may receive them.
//!
//! A message only waits, visible or hidden, and the clock may go on meanwhile. It may not where somebody has yet to
//! look: whenever something changes that a consumer can act on, or the next deadline is another, time stands until
//! a receiver has looked and waits for the new deadline.

use super::message::Message;
use super::subscription::{Subscription, SubscriptionId};
use super::topic::TopicId;
use super::{Fault, Queues};
use crate::settle::{self, Moving, Pending, Settle, Work};
use mlemu_core::Timestamp;
use std::sync::Arc;
use tokio::sync::Notify;

/// What a message holds while it counts. A copy of a message does not count.
#[derive(Debug, Default)]
pub(super) struct Counted(#[expect(dead_code, reason = "it counts for as long as it lives")] Option<Pending>);

impl Clone for Counted {
    fn clone(&self) -> Self {
        Self(None)
    }
}

pub(super) struct Counting {
    settle: Settle,
    topic: TopicId,
    pub consumers: usize,
    /// Those of them that will not look before some time has come.
    away: usize,
    unseen: Option<Moving>,
}

impl Counting {
    pub fn new(settle: Settle, topic: TopicId) -> Self {
        Self { settle, topic, consumers: 0, away: 0, unseen: None }
    }

    /// For a message that arrives.
    pub fn count(&self, message: &Message) -> Counted {
        let work = || Work::Message { queue: self.topic.name.clone(), id: message.id.clone() };
        let enter = || self.settle.enter_waiting(&self.topic.scope, settle::trace(&message.cause), work());
        Counted((self.consumers > 0).then(enter))
    }

    /// Something has changed: time stands until somebody has looked.
    pub fn changed(&mut self) {
        if self.consumers > self.away {
            self.unseen.get_or_insert_with(|| self.settle.moving());
        } else {
            self.unseen = None;
        }
    }

    /// Somebody has looked, and waits for what comes next.
    pub fn seen(&mut self) {
        self.unseen = None;
    }
}

/// Somebody who takes everything that a subscription gets, for as long as this lives.
#[must_use]
pub struct Consumer(Part);

/// Says that a consumer will not look before some time has come.
#[must_use]
pub(crate) struct Away(Part);

/// In the counts of one subscription, not of another that has its name later.
struct Part {
    queues: Queues,
    id: SubscriptionId,
    wake: Arc<Notify>,
}

impl Part {
    fn change(&self, change: impl FnOnce(&mut Subscription)) {
        if let Ok((subscription, _)) = self.queues.lock().open(&self.id)
            && Arc::ptr_eq(&subscription.wake, &self.wake)
        {
            change(subscription);
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.0.change(|subscription| {
            subscription.counting.consumers -= 1;
            if subscription.counting.consumers == 0 {
                subscription.recount();
            }
            subscription.stir();
        });
        self.0.queues.tell();
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        self.0.change(|subscription| {
            subscription.counting.away -= 1;
            subscription.stir();
        });
    }
}

impl Subscription {
    /// Each message counts, or none does.
    pub fn recount(&mut self) {
        let counting = &self.counting;
        self.backlog.recount(|message| counting.count(message));
    }

    /// Rouses one waiting receiver, since something has changed.
    pub fn stir(&mut self) {
        self.counting.changed();
        self.wake.notify_one();
    }
}

impl Queues {
    /// Says that everything which comes here will be taken.
    pub fn consumer(&self, id: &SubscriptionId) -> Result<Consumer, Fault> {
        let mut store = self.lock();
        let (subscription, _) = store.open(id)?;
        subscription.counting.consumers += 1;
        if subscription.counting.consumers == 1 {
            subscription.recount();
        }
        subscription.stir();
        let wake = subscription.wake.clone();
        drop(store);
        self.tell();
        Ok(Consumer(Part { queues: self.clone(), id: id.clone(), wake }))
    }

    /// One of the consumers will not look until the answer is dropped.
    pub(crate) fn away(&self, id: &SubscriptionId) -> Result<Away, Fault> {
        let mut store = self.lock();
        let (subscription, _) = store.open(id)?;
        subscription.counting.away += 1;
        subscription.counting.changed();
        let wake = subscription.wake.clone();
        drop(store);
        Ok(Away(Part { queues: self.clone(), id: id.clone(), wake }))
    }

    /// A receiver waits for `alarm`. If that is still the next that time alone brings, time may go on.
    pub(super) fn seen(&self, id: &SubscriptionId, alarm: Option<Timestamp>) {
        if let Ok((subscription, _)) = self.lock().open(id)
            && !subscription.offers()
            && subscription.backlog.next_alarm() == alarm
        {
            subscription.counting.seen();
        }
    }
}
