//! Handing a batch to its function, and settling its messages by the answer.

use super::gather::Loan;
use super::{Driver, Verdict};
use crate::queues::{Extension, Received};
use crate::settle::{Moving, trace};
use mlemu_core::{Cause, Invoke, Refusal, Reply, Subject, What};
use std::time::Duration;

/// Between a throttle and the next try: first, and most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Leases are not renewed more often.
const SHORTEST_RENEWAL: Duration = Duration::from_secs(1);

impl Loan {
    /// Sees the batch through. Time stands until the answer is dropped.
    pub(super) async fn deliver(mut self) -> Option<Moving> {
        let driver = self.driver().clone();
        let shape = &driver.mapping.shape;
        let (wanted, unwanted) =
            std::mem::take(&mut self.received).into_iter().partition(|one| shape.wants(one));
        self.received = wanted;
        driver.finish(&unwanted);
        if self.received.is_empty() {
            return self.moving.take();
        }
        let event = shape.event(&self.received);
        if event.len() > driver.mapping.event_limit && self.received.len() > 1 {
            drop(event);
            let mut second = self.split();
            // In their order, for groups that want it.
            second.moving = Box::pin(self.deliver()).await;
            return Box::pin(second.deliver()).await;
        }
        let invoke = driver.invoke(&self.received, event);
        let verdict = tokio::select! {
            verdict = driver.ask(&self.received, invoke, &mut self.moving) => verdict,
            () = driver.renew(&self.received) => None,
        };
        // Without a verdict the function never saw them: dropping the loan gives them back.
        if let Some(verdict) = verdict {
            driver.settle(std::mem::take(&mut self.received), &verdict);
        }
        self.moving.take()
    }
}

impl Driver {
    fn invoke(&self, batch: &[Received], payload: bytes::Bytes) -> Invoke {
        let id = (self.ground.new_id)(self.ground.queues.ids());
        let (sequence, trace) =
            batch.first().map_or((0, "".into()), |one| (one.message.sequence, trace(&one.message.cause)));
        let cause = Cause::Occurrence { sequence, trace };
        let subject = Subject {
            function: Some(self.mapping.target.clone()),
            invocation: Some(id.clone()),
            cause: Some(cause.clone()),
            ..Subject::default()
        };
        let count = batch.len();
        let plural = if count == 1 { "" } else { "s" };
        let summary = format!("{count} message{plural} of {}", self.mapping.from.topic);
        self.ground.sink.send(self.ground.clock().now(), subject, What::Occurred { sequence, summary });
        let call = Invoke::of(id, self.mapping.target.clone(), payload, cause);
        Invoke { qualifier: self.mapping.qualifier.clone(), ..call }
    }

    /// Runs the function, again after a throttle for as long as the leases last. `None`: it never ran.
    async fn ask(&self, batch: &[Received], invoke: Invoke, moving: &mut Option<Moving>) -> Option<Verdict> {
        let end = batch.iter().map(|one| one.until).min()?;
        let mut pause = FIRST_PAUSE;
        loop {
            let revivals = self.revivals();
            match (self.ground.invoke)(invoke.clone()).await {
                Ok(Reply::Done(outcome)) => {
                    return Some(match &outcome.result {
                        Ok(answer) => self.mapping.shape.verdict(batch, answer),
                        Err(failure) => self.mapping.shape.failed(batch, failure),
                    });
                }
                // Nobody waits for these.
                Ok(Reply::Accepted | Reply::WouldRun) => return Some(Verdict::Done),
                Err(Refusal::Throttled(_)) if self.ground.clock().now() < end => {
                    self.pause(pause, moving).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(Refusal::Throttled(_) | Refusal::TooLarge { .. }) => return Some(Verdict::Failed),
                Err(gone @ (Refusal::NoFunction { .. } | Refusal::NoRevision { .. })) => {
                    if self.halt(gone.to_string(), revivals) {
                        return None;
                    }
                }
                Err(Refusal::Stopping) => {
                    self.stop.cancel();
                    return None;
                }
            }
        }
    }

    /// Waits, in whichever time is faster: what made it wait may end in either.
    async fn pause(&self, pause: Duration, moving: &mut Option<Moving>) {
        let (clock, queues) = (self.ground.clock(), &self.ground.queues);
        let (until, slept) = (clock.until(clock.now().plus(pause)), clock.sleep(pause));
        // Without a free slot nobody looks for more messages.
        let away = (self.slots.available_permits() == 0).then(|| queues.away(&self.mapping.from));
        *moving = None;
        let _due = tokio::select! {
            due = until => Some(due),
            () = slept => None,
        };
        *moving = Some(queues.settle().moving());
        drop(away);
    }

    /// Keeps the leases while the function works: what this machine makes a batch wait, an install or a
    /// queue for an instance, is not to count against it. Never completes.
    async fn renew(&self, batch: &[Received]) {
        let (queues, from) = (&self.ground.queues, &self.mapping.from);
        let lease = queues.settings(from).map(|settings| settings.lease).unwrap_or_default();
        if lease.is_zero() {
            return std::future::pending().await;
        }
        loop {
            let clock = self.ground.clock();
            let _due = clock.until(clock.now().plus((lease / 2).max(SHORTEST_RENEWAL).min(lease))).await;
            for one in batch {
                // One that was deleted meanwhile needs no lease.
                let _ = queues.extend(from, &one.receipt, Extension::of(lease));
            }
        }
    }

    fn settle(&self, batch: Vec<Received>, verdict: &Verdict) {
        let failed = |place: &usize| match verdict {
            Verdict::Done => false,
            Verdict::Failed => true,
            Verdict::Partly(places) => places.contains(place),
        };
        let (back, done): (Vec<_>, Vec<_>) =
            batch.into_iter().enumerate().partition(|(place, _)| failed(place));
        let messages = |all: Vec<(usize, Received)>| all.into_iter().map(|(_, one)| one).collect::<Vec<_>>();
        self.give_back(&messages(back));
        self.finish(&messages(done));
    }

    fn finish(&self, done: &[Received]) {
        for one in done {
            // Whoever deleted it, or the queue, was quicker.
            let _ = self.ground.queues.acknowledge(&self.mapping.from, &one.receipt, false);
        }
    }

    /// Failed messages come back when their first lease would have ended, or at once to where a back-off of the
    /// queue's own hides them.
    fn give_back(&self, failed: &[Received]) {
        let now = self.ground.clock().now();
        let settings = self.ground.queues.settings(&self.mapping.from);
        let backs_off = settings.is_ok_and(|settings| settings.back_off.is_some());
        for one in failed {
            let left = u64::try_from(one.until.0.saturating_sub(now.0)).unwrap_or(0);
            let left = if backs_off { 0 } else { left };
            let lease = Extension::of(Duration::from_micros(left));
            let _ = self.ground.queues.extend(&self.mapping.from, &one.receipt, lease);
        }
    }
}
