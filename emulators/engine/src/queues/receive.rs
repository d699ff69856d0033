//! Lending messages out, at once or as soon as there are some.

use super::allowance::Allowance;
use super::backlog::{Entry, Phase};
use super::message::Message;
use super::settle::Receipt;
use super::subscription::DeadLetter;
use super::{Fault, Queues, Store, SubscriptionId};
use crate::faults::{Effect, RECEIVE};
use crate::settle::Moving;
use mlemu_core::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// What a receiver wants.
#[derive(Clone, Debug)]
pub struct Want {
    /// Most messages.
    pub most: usize,
    /// Most bytes of all messages together, but always at least one message.
    pub bytes: usize,
    /// `None`: as the subscription says.
    pub lease: Option<Duration>,
    /// How long to wait for the first; `None`: as the subscription says.
    pub wait: Option<Duration>,
    /// Against which the leases count.
    pub allowance: Option<Arc<Allowance>>,
    /// Nothing is lent out while the gate is closed.
    pub gated: bool,
    /// Where no more may be out it waits, instead of hearing so.
    pub patient: bool,
}

impl Want {
    /// Up to `most` of what is there.
    pub fn now(most: usize) -> Self {
        Self {
            most,
            bytes: usize::MAX,
            lease: None,
            wait: Some(Duration::ZERO),
            allowance: None,
            gated: false,
            patient: false,
        }
    }

    /// Up to `most` as soon as there is one.
    pub fn next(most: usize) -> Self {
        Self { wait: Some(Duration::MAX), patient: true, ..Self::now(most) }
    }
}

/// A message lent out.
#[derive(Clone, Debug)]
pub struct Received {
    pub message: Arc<Message>,
    pub receipt: Receipt,
    /// How often it was lent out, this time included.
    pub count: u32,
    pub first: Timestamp,
    /// When the lease ends by itself.
    pub until: Timestamp,
}

/// What was lent out, for a consumer.
pub struct Lent {
    pub received: Vec<Received>,
    /// Time stands while the receiver has this.
    pub moving: Moving,
    /// There is something to lend out, also where nothing was wanted.
    ready: bool,
}

/// Counts a waiting receiver for as long as it waits, and rouses another when it leaves.
struct Seat<'a> {
    queues: &'a Queues,
    id: &'a SubscriptionId,
    wake: Arc<Notify>,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Ok((subscription, _)) = self.queues.lock().open(self.id)
            && Arc::ptr_eq(&subscription.wake, &self.wake)
        {
            subscription.waiting = subscription.waiting.saturating_sub(1);
            // This one may have been the only one that knew the next deadline.
            subscription.stir();
        } else {
            self.wake.notify_one();
        }
    }
}

impl Queues {
    /// Lends out messages, waiting for the first if there is none. An empty list: the wait is over, which passes in
    /// real time. Cancel-safe: whoever stops waiting has taken nothing.
    pub async fn receive(&self, from: &SubscriptionId, want: Want) -> Result<Vec<Received>, Fault> {
        self.lend(from, want).await.map(|lent| lent.received)
    }

    /// The same for a consumer: time stands while it has not put down what it was lent.
    pub async fn lend(&self, from: &SubscriptionId, want: Want) -> Result<Lent, Fault> {
        let clock = &self.shared.clock;
        let began = clock.elapsed();
        let (lent, _) = self.take(from, &want)?;
        let wait = match want.wait {
            Some(wait) => wait,
            None => self.settings(from)?.wait,
        };
        let found = !lent.received.is_empty() || (want.most == 0 && lent.ready);
        if found || wait.is_zero() {
            return Ok(lent);
        }
        drop(lent);
        let seat = self.sit(from)?;
        let end = began.saturating_add(wait);
        // Time stands from whatever roused it until what came of that is lent out, or the next deadline is set.
        let mut roused = None;
        loop {
            let woken = seat.wake.notified();
            tokio::pin!(woken);
            // Whatever happens from here on is noticed.
            woken.as_mut().enable();
            let (lent, alarm) = self.take(from, &want)?;
            let left = end.saturating_sub(clock.elapsed());
            let found = !lent.received.is_empty() || (want.most == 0 && lent.ready);
            if found || left.is_zero() {
                return Ok(lent);
            }
            // It counts from here on, before it is polled.
            let next = alarm.map(|alarm| clock.until(alarm));
            self.seen(from, alarm);
            drop((lent, roused.take()));
            let mut next = next.unwrap_or_else(|| Box::pin(std::future::pending()));
            let due = tokio::select! {
                () = &mut woken => None,
                () = clock.sleep(left) => None,
                due = &mut next => Some(due),
            };
            // Before the deadline is let go of, which may have been reached meanwhile.
            roused = Some((self.settle().moving(), due));
        }
    }

    /// The same, when it is the receiver's turn, who goes by `name`. Nothing is taken before.
    pub async fn lend_in_turn(&self, name: &str, from: &SubscriptionId, want: Want) -> Result<Lent, Fault> {
        let turns = self.turns();
        if !turns.are_kept() {
            return self.lend(from, want).await;
        }
        loop {
            let ready = self.lend(from, Want { most: 0, ..want.clone() }).await?;
            let away = self.away(from)?;
            let turn =
                turns.wait(format!("messages {} {} {name}", from.topic, from.name), ready.moving).await;
            let (lent, _) = self.take(from, &want)?;
            drop((away, turn));
            if !lent.received.is_empty() {
                return Ok(lent);
            }
        }
    }

    fn sit<'a>(&'a self, id: &'a SubscriptionId) -> Result<Seat<'a>, Fault> {
        let mut store = self.lock();
        let (subscription, _) = store.open(id)?;
        subscription.waiting += 1;
        let wake = subscription.wake.clone();
        drop(store);
        self.tell();
        Ok(Seat { queues: self, id, wake })
    }

    /// What can be lent out now, and when to ask again.
    fn take(&self, from: &SubscriptionId, want: &Want) -> Result<(Lent, Option<Timestamp>), Fault> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let moving = store.settle.moving();
        let shut = want.gated && store.gate.is_closed();
        let taken = if shut {
            store.take(from, &Want { most: 0, ..want.clone() }, now)
        } else {
            store.take(from, want, now)
        };
        let (subscription, _) = store.open(from)?;
        let (alarm, ready) = (subscription.backlog.next_alarm(), subscription.offers());
        match &taken {
            // Nobody gets anything before a lease is over.
            Err(_) => subscription.counting.seen(),
            Ok(taken) if taken.changed || ready => subscription.stir(),
            Ok(_) => {}
        }
        let faults = store.faults.clone();
        drop(store);
        let mut taken = taken?;
        if let [first, _, ..] = &taken.received[..]
            && let Some(Effect::Reorder) = faults.on_message(&from.topic, RECEIVE, &first.message.cause)
        {
            taken.received.reverse();
        }
        if taken.changed {
            self.tell();
        }
        Ok((Lent { received: taken.received, moving, ready }, alarm))
    }
}

#[derive(Default)]
struct Taken {
    received: Vec<Received>,
    /// Lent out too often. They count until they are elsewhere.
    dead: Vec<Entry>,
    bytes: usize,
    /// Nothing more may be lent out.
    full: Option<usize>,
    changed: bool,
}

impl Store {
    fn take(&mut self, from: &SubscriptionId, want: &Want, now: Timestamp) -> Result<Taken, Fault> {
        let settings = &self.open(from)?.0.settings;
        let (rule, mark) = (settings.dead_letter.clone(), settings.mark.clone());
        let rule = rule.filter(|rule| self.topics.contains_key(&rule.to));
        let mut taken = self.lend_out(from, want, rule.as_ref(), now)?;
        if let Some(rule) = rule {
            for entry in std::mem::take(&mut taken.dead) {
                let enqueued = if rule.restamps { now } else { entry.message.enqueued };
                let origin = Some(from.clone());
                let mut message = Message { enqueued, origin, ..Message::clone(&entry.message) };
                if let Some(mark) = &mark {
                    let said = mark.says(&entry.message, entry.count);
                    message.attributes = message.attributes.iter().cloned().chain(said).collect();
                }
                self.publish(&rule.to, message, Some(Duration::ZERO), now)?;
            }
        }
        match taken.full {
            Some(limit) if !want.patient => Err(Fault::TooManyLeased { limit }),
            _ => Ok(taken),
        }
    }

    fn lend_out(
        &mut self,
        from: &SubscriptionId,
        want: &Want,
        rule: Option<&DeadLetter>,
        now: Timestamp,
    ) -> Result<Taken, Fault> {
        let epoch = self.epoch;
        let (subscription, commits) = self.open(from)?;
        subscription.settle(now, commits);
        let until = now.plus(want.lease.unwrap_or(subscription.settings.lease));
        let limit = subscription.settings.most_leased.unwrap_or(usize::MAX);
        let backlog = &mut subscription.backlog;
        let mut taken = Taken::default();
        'turns: while taken.received.len() < want.most && backlog.has_turn() {
            let turn = backlog.next_turn(want.most - taken.received.len());
            let is_dead = |sequence: &u64| {
                let entry = backlog.entry(*sequence);
                entry.zip(rule).is_some_and(|(entry, rule)| entry.count >= rule.after)
            };
            let dead: Vec<u64> = turn.iter().copied().filter(is_dead).collect();
            if !dead.is_empty() {
                // Those behind them in a group may move up.
                taken.dead.extend(dead.iter().filter_map(|sequence| backlog.remove(*sequence)));
                taken.changed = true;
                continue;
            }
            for sequence in turn {
                let Some(entry) = backlog.entry(sequence) else { break 'turns };
                taken.bytes = taken.bytes.saturating_add(entry.message.size());
                if taken.bytes > want.bytes && !taken.received.is_empty() {
                    break 'turns;
                }
                if backlog.leased() >= limit {
                    taken.full = taken.received.is_empty().then_some(limit);
                    break 'turns;
                }
                *commits += 1;
                taken.changed = true;
                let leased = backlog.lease(sequence, now, until, *commits);
                taken.received.extend(leased.and_then(|entry| received(entry, sequence, epoch)));
                if let Some(allowance) = &want.allowance {
                    backlog.count_in(sequence, allowance);
                }
            }
        }
        Ok(taken)
    }
}

fn received(entry: &Entry, sequence: u64, epoch: mlemu_core::Epoch) -> Option<Received> {
    let Phase::Leased { until } = entry.phase else { return None };
    Some(Received {
        message: entry.message.clone(),
        receipt: Receipt { epoch, sequence, token: entry.token },
        count: entry.count,
        first: entry.first.unwrap_or(entry.leased_at),
        until,
    })
}
