//! What a receiver does with a message that it was lent: done with it, needs longer, gives it back.

use super::backlog::{Backlog, Entry, Phase};
use super::message::Message;
use super::send::Sent;
use super::{Fault, Queues, SubscriptionId};
use bytes::Bytes;
use mlemu_core::{Epoch, Timestamp};
use std::time::Duration;

/// Proof of one lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub epoch: Epoch,
    pub sequence: u64,
    /// The commit that lent it out.
    pub token: u64,
}

/// What a receipt is worth at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds the message.
    Held,
    /// Its lease is over, and nobody got the message since.
    Lapsed,
    /// Its lease is over, and somebody got the message after it.
    Superseded,
    /// There is no such message, or not any more.
    Gone,
}

/// How a lease shall change.
#[derive(Clone, Debug)]
pub struct Extension {
    /// From now; zero gives the message back at once.
    pub lease: Duration,
    /// Most time from when it was lent out.
    pub longest: Option<Duration>,
    /// Make a new receipt and void the old one.
    pub renew: bool,
    /// Other words for the message.
    pub body: Option<Bytes>,
    /// A message whose lease is over, and that nobody got since, is lent out again, which does not count.
    pub revives: bool,
}

impl Extension {
    pub fn of(lease: Duration) -> Self {
        Self { lease, longest: None, renew: false, body: None, revives: false }
    }
}

/// What came of a change that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extended {
    /// With the receipt that is good from now on, and the end of the lease.
    Done(Receipt, Timestamp),
    /// Nothing changed: the receipt does not hold the message.
    NotHeld(Standing),
    /// Nothing changed: that would be longer than the longest.
    TooLong,
}

impl Backlog {
    fn standing(&self, receipt: &Receipt, epoch: Epoch) -> Standing {
        let Some(entry) = self.entry(receipt.sequence).filter(|_| receipt.epoch == epoch) else {
            return Standing::Gone;
        };
        match entry.phase {
            _ if entry.token != receipt.token => Standing::Superseded,
            Phase::Leased { .. } => Standing::Held,
            _ => Standing::Lapsed,
        }
    }
}

impl Queues {
    /// Removes a message for good. With `held` only while the receipt holds it, otherwise also when its lease
    /// is over and nobody got the message since. Says how the receipt stood before.
    pub fn acknowledge(
        &self,
        from: &SubscriptionId,
        receipt: &Receipt,
        held: bool,
    ) -> Result<Standing, Fault> {
        let standings = self.acknowledge_all(from, std::slice::from_ref(receipt), held)?;
        Ok(standings.first().copied().unwrap_or(Standing::Gone))
    }

    /// The same for several, in one go and in their order.
    pub fn acknowledge_all(
        &self,
        from: &SubscriptionId,
        receipts: &[Receipt],
        held: bool,
    ) -> Result<Vec<Standing>, Fault> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let epoch = store.epoch;
        let (subscription, commits) = store.open(from)?;
        subscription.settle(now, commits);
        let mut gone: Vec<Entry> = Vec::new();
        let mut standings = Vec::with_capacity(receipts.len());
        for receipt in receipts {
            let standing = subscription.backlog.standing(receipt, epoch);
            if standing == Standing::Held || standing == Standing::Lapsed && !held {
                gone.extend(subscription.backlog.remove(receipt.sequence));
            }
            standings.push(standing);
        }
        if !gone.is_empty() {
            *commits += gone.len() as u64;
            // Their groups may be free now.
            subscription.stir();
        }
        drop(store);
        self.tell();
        drop(gone);
        Ok(standings)
    }

    /// What a receipt is worth for the message of that id, which may be another one's.
    pub fn standing(&self, from: &SubscriptionId, receipt: &Receipt, id: &str) -> Result<Standing, Fault> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let epoch = store.epoch;
        let (subscription, commits) = store.open(from)?;
        subscription.settle(now, commits);
        let backlog = &subscription.backlog;
        let is_its_own = backlog.entry(receipt.sequence).is_some_and(|entry| *entry.message.id == *id);
        Ok(if is_its_own {
            backlog.standing(receipt, epoch)
        } else if backlog.named(id).is_some() {
            Standing::Superseded
        } else {
            Standing::Gone
        })
    }

    /// The receipt of who sent a message: it holds nothing yet.
    pub fn receipt_of(&self, sent: &Sent) -> Receipt {
        Receipt { epoch: self.lock().epoch, sequence: sent.sequence, token: 0 }
    }

    /// Changes how long a message stays lent out.
    pub fn extend(
        &self,
        from: &SubscriptionId,
        receipt: &Receipt,
        wanted: Extension,
    ) -> Result<Extended, Fault> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let epoch = store.epoch;
        let (subscription, commits) = store.open(from)?;
        subscription.settle(now, commits);
        let backlog = &mut subscription.backlog;
        if wanted.revives && backlog.standing(receipt, epoch) == Standing::Lapsed {
            backlog.appear(receipt.sequence, commits);
            backlog.lease(receipt.sequence, now, now, receipt.token);
            backlog.uncount(receipt.sequence);
        }
        let standing = backlog.standing(receipt, epoch);
        let entry = match (standing, backlog.entry(receipt.sequence)) {
            (Standing::Held, Some(entry)) => entry,
            (standing, _) => return Ok(Extended::NotHeld(standing)),
        };
        let end = now.plus(wanted.lease);
        if wanted.longest.is_some_and(|longest| end > entry.leased_at.plus(longest)) {
            return Ok(Extended::TooLong);
        }
        *commits += 1;
        let token = if wanted.renew { *commits } else { receipt.token };
        let rewritten = wanted.body.map(|body| Message { body, ..Message::clone(&entry.message) });
        backlog.extend(receipt.sequence, end, token);
        if let Some(message) = rewritten {
            backlog.rewrite(receipt.sequence, message);
        }
        if wanted.lease.is_zero() {
            backlog.come_back(receipt.sequence, now, commits);
        }
        // Something is there, or the next deadline is another.
        subscription.stir();
        drop(store);
        self.tell();
        Ok(Extended::Done(Receipt { token, ..*receipt }, end))
    }

    /// Gives messages back as if they had never been lent out.
    pub fn release(&self, from: &SubscriptionId, receipts: &[Receipt]) -> Result<(), Fault> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let epoch = store.epoch;
        let (subscription, commits) = store.open(from)?;
        subscription.settle(now, commits);
        for receipt in receipts {
            if subscription.backlog.standing(receipt, epoch) == Standing::Held {
                subscription.backlog.uncount(receipt.sequence);
                subscription.backlog.appear(receipt.sequence, commits);
            }
        }
        subscription.stir();
        drop(store);
        self.tell();
        Ok(())
    }
}
