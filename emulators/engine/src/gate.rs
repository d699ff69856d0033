//! The gate before everything that starts functions by itself. A test closes it to look at what waits, and opens it
//! again; requests pass beside it.

use std::sync::Arc;
use tokio::sync::watch;

/// A cheap handle; clones share one gate.
#[derive(Clone, Debug)]
pub struct Gate {
    closed: Arc<watch::Sender<bool>>,
    /// Counts how often everything that waits was sent away.
    cleared: Arc<watch::Sender<u64>>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { closed: Arc::new(watch::Sender::new(false)), cleared: Arc::default() }
    }
}

impl Gate {
    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    pub fn open(&self) {
        self.closed.send_replace(false);
    }

    pub fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Completes when it is open. Cancel-safe.
    pub async fn opened(&self) {
        // The sender lives as long as `self`.
        let _ = self.closed.subscribe().wait_for(|closed| !closed).await;
    }

    /// Sends away everything that waits: it starts nothing any more.
    pub fn clear(&self) {
        self.cleared.send_modify(|times| *times += 1);
    }

    /// Completes when somebody clears it, from this call on.
    pub fn cleared(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut times = self.cleared.subscribe();
        times.mark_unchanged();
        let sender = self.cleared.clone();
        async move {
            // The sender lives as long as this.
            let _ = times.changed().await;
            drop(sender);
        }
    }

    /// Completes when it is closed. Cancel-safe.
    pub async fn shut(&self) {
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }
}
