//! Waiting for messages and gathering them into batches.

use super::Driver;
use crate::queues::{Consumer, Fault, Receipt, Received, Want};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::OwnedSemaphorePermit;

/// Messages that a mapping has and has not settled: they go back untouched when it is dropped.
pub(super) struct Loan {
    driver: Arc<Driver>,
    pub received: Vec<Received>,
    /// The right to invoke; shared by the halves of a batch that was split.
    slot: Arc<OwnedSemaphorePermit>,
}

impl Loan {
    fn new(driver: &Arc<Driver>, received: Vec<Received>, slot: Arc<OwnedSemaphorePermit>) -> Self {
        driver.busy.fetch_add(1, Ordering::AcqRel);
        Self { driver: driver.clone(), received, slot }
    }

    pub fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    /// The second half as a loan of its own.
    pub fn split(&mut self) -> Self {
        let second = self.received.split_off(self.received.len() / 2);
        Self::new(&self.driver, second, self.slot.clone())
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
    pub(super) async fn run(self: Arc<Self>) {
        let stop = self.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.take_all() => {}
        }
    }

    async fn take_all(self: Arc<Self>) {
        loop {
            let _consumer = self.arrive().await;
            while let Ok(loan) = self.gather().await {
                tokio::spawn(loan.deliver());
            }
            // The queue is gone, or full of what is out: what changes that is a commit.
            let _ = self.ground.queues.commits().changed().await;
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
        let want = Want { bytes: self.mapping.event_limit, ..Want::next(self.mapping.batch) };
        let first = queues.receive(from, want).await?;
        let mut loan = Loan::new(self, first, Arc::new(slot));
        let end = self.ground.clock().now().plus(self.mapping.window);
        loop {
            let room = self.mapping.batch.saturating_sub(loan.received.len());
            let size: usize = loan.received.iter().map(|one| one.message.size()).sum();
            let left = end.0.saturating_sub(self.ground.clock().now().0);
            if room == 0 || left <= 0 || size >= self.mapping.event_limit {
                return Ok(loan);
            }
            let wait = Some(std::time::Duration::from_micros(left.unsigned_abs()));
            let bytes = self.mapping.event_limit - size;
            let more = queues.receive(from, Want { bytes, wait, ..Want::now(room) }).await?;
            loan.received.extend(more);
        }
    }
}
