//! Single messages, by their ids, without a lease.

use super::{Fault, Queues, SubscriptionId};

impl Queues {
    /// Drops a message, lent out or not. `false`: there is none of that id.
    pub fn discard(&self, from: &SubscriptionId, id: &str) -> Result<bool, Fault> {
        let mut store = self.lock();
        let (subscription, commits) = store.open(from)?;
        let gone = subscription.backlog.named(id).and_then(|sequence| subscription.backlog.remove(sequence));
        *commits += u64::from(gone.is_some());
        subscription.stir();
        drop(store);
        self.tell();
        Ok(gone.is_some())
    }

    /// Makes a message visible now that waits for its time. `false`: there is none of that id.
    pub fn hurry(&self, from: &SubscriptionId, id: &str) -> Result<bool, Fault> {
        let mut store = self.lock();
        let (subscription, commits) = store.open(from)?;
        let found = subscription.backlog.named(id);
        if let Some(sequence) = found {
            subscription.backlog.appear(sequence, commits);
            subscription.stir();
        }
        drop(store);
        self.tell();
        Ok(found.is_some())
    }
}
