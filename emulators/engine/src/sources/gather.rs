//! Waiting for messages and gathering them into batches.

use super::Driver;
use crate::queues::{Consumer, Fault, Lent, Receipt, Received, Want};
use crate::settle::Moving;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::OwnedSemaphorePermit;

/// Messages that a mapping has and has not settled: they go back untouched when it is dropped.
pub(super) struct Loan {
    driver: Arc<Driver>,
    pub received: Vec<Received>,
    /// The right to invoke; shared by the halves of a batch that was split.
    slot: Arc<OwnedSemaphorePermit>,
    /// Time stands while it has this; last, so that it is dropped last.
    pub moving: Option<Moving>,
}

impl Loan {
    fn new(
        driver: &Arc<Driver>,
        received: Vec<Received>,
        slot: Arc<OwnedSemaphorePermit>,
        moving: Option<Moving>,
    ) -> Self {
        driver.busy.fetch_add(1, Ordering::AcqRel);
        Self { driver: driver.clone(), received, slot, moving }
    }

    pub fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    /// The second half as a loan of its own, for which time need not stand yet.
    pub fn split(&mut self) -> Self {
        let second = self.received.split_off(self.received.len() / 2);
        Self::new(&self.driver, second, self.slot.clone(), None)
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let receipts: Vec<Receipt> = self.received.iter().map(|one| one.receipt).collect();
        if !receipts.is_empty() {
            // A queue that is gone has taken its messages along.
            let _ = self.driver.ground.queues.release(&self.driver.mapping.from, &receipts);
        }
        self.driver.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Driver {
    /// Works until it is told to stop.
    pub(super) async fn run(self: Arc<Self>, first: Option<Consumer>) {
        let stop = self.stop.clone();
        tokio::select! {
            // Before the messages: what a halt gives back must not be taken again.
            biased;
            () = stop.cancelled() => {}
            () = self.take_all(first) => {}
        }
    }

    async fn take_all(self: Arc<Self>, mut first: Option<Consumer>) {
        loop {
            let consumer = match first.take() {
                Some(consumer) => consumer,
                None => self.arrive().await,
            };
            loop {
                let gathered = self.gather().await;
                if self.stop.is_cancelled() {
                    // On another thread a halt may have given it back just now.
                    return;
                }
                match gathered {
                    Ok(loan) => drop(tokio::spawn(loan.deliver())),
                    Err(_) => break,
                }
            }
            drop(consumer);
        }
    }

    /// Waits until the queue is there.
    async fn arrive(&self) -> Consumer {
        let mut commits = self.ground.queues.commits();
        loop {
            if let Ok(consumer) = self.ground.queues.consumer(&self.mapping.from) {
                return consumer;
            }
            // The sender lives as long as the queues.
            let _ = commits.changed().await;
        }
    }

    /// The next batch, full or as full as its window allows.
    async fn gather(self: &Arc<Self>) -> Result<Loan, Fault> {
        let Ok(slot) = self.slots.clone().acquire_owned().await else { return Err(Fault::Stale) };
        let (queues, from) = (&self.ground.queues, &self.mapping.from);
        let want = Want { bytes: self.mapping.event_limit, gated: true, ..Want::next(self.mapping.batch) };
        let first = self.first(want).await?;
        let mut loan = Loan::new(self, first.received, Arc::new(slot), Some(first.moving));
        let window = self.mapping.window;
        if window.is_zero() {
            return Ok(loan);
        }
        let clock = self.ground.clock();
        let mut closes = clock.until(clock.now().plus(window));
        while let Some(want) = self.room_for_more(&loan.received) {
            let more = tokio::select! {
                biased;
                more = queues.lend(from, want) => more?,
                // Both others wait for their times by now.
                () = async { loan.moving = None; std::future::pending().await } => continue,
                due = &mut closes => {
                    loan.moving = Some(queues.settle().moving());
                    drop(due);
                    break;
                }
            };
            loan.received.extend(more.received);
            loan.moving = Some(more.moving);
        }
        if let Some(moving) = loan.moving.take() {
            // It goes out long after it was begun.
            let name = format!("batch {} {} {}", from.topic, from.name, self.mapping.id);
            loan.moving = Some(queues.turns().wait(name, moving).await);
        }
        Ok(loan)
    }

    /// The first messages of a batch, taken only while the gate is open.
    async fn first(&self, want: Want) -> Result<Lent, Fault> {
        let (queues, from) = (&self.ground.queues, &self.mapping.from);
        let gate = queues.gate();
        loop {
            gate.opened().await;
            tokio::select! {
                biased;
                () = gate.shut() => {}
                lent = queues.lend_in_turn(&self.mapping.id, from, want.clone()) => return lent,
            }
        }
    }

    /// What a batch can still take; `None`: it is full.
    fn room_for_more(&self, batch: &[Received]) -> Option<Want> {
        let room = self.mapping.batch.saturating_sub(batch.len());
        let size: usize = batch.iter().map(|one| one.message.size()).sum();
        let bytes = self.mapping.event_limit.saturating_sub(size);
        (room > 0 && bytes > 0).then(|| Want { bytes, ..Want::next(room) })
    }
}
