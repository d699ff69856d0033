//! How much one receiver may have at once.
//!
//! A lease that was given under an allowance holds its part for as long as it lasts, however it ends: so the
//! receiver never counts, and nothing has to tell it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// Shared by a receiver and its leases.
#[derive(Debug)]
pub struct Allowance {
    most: usize,
    most_bytes: usize,
    messages: AtomicUsize,
    bytes: AtomicUsize,
    freed: Notify,
}

impl Allowance {
    pub fn new(most: usize, most_bytes: usize) -> Arc<Self> {
        let (messages, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { most, most_bytes, messages, bytes, freed: Notify::new() })
    }

    /// Completes when the receiver may have more, and says how many messages and bytes. Cancel-safe.
    pub async fn room(&self) -> (usize, usize) {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // From here on nothing that is given back is missed.
            freed.as_mut().enable();
            let messages = self.most.saturating_sub(self.messages.load(Ordering::SeqCst));
            let bytes = self.most_bytes.saturating_sub(self.bytes.load(Ordering::SeqCst));
            if messages > 0 && bytes > 0 {
                return (messages, bytes);
            }
            freed.await;
        }
    }
}

/// The part of an allowance that a lease has. A copy of the lease has none.
#[derive(Debug, Default)]
pub(super) struct Part(Option<(Arc<Allowance>, usize)>);

impl Part {
    pub fn of(allowance: &Arc<Allowance>, bytes: usize) -> Self {
        allowance.messages.fetch_add(1, Ordering::SeqCst);
        allowance.bytes.fetch_add(bytes, Ordering::SeqCst);
        Self(Some((allowance.clone(), bytes)))
    }
}

impl Clone for Part {
    fn clone(&self) -> Self {
        Self(None)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some((allowance, bytes)) = &self.0 {
            allowance.messages.fetch_sub(1, Ordering::SeqCst);
            allowance.bytes.fetch_sub(*bytes, Ordering::SeqCst);
            allowance.freed.notify_waiters();
        }
    }
}
