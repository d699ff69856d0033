//! What a backlog tells the store: which of its messages have changed.

use super::keep::Item;
use super::subscription::SubscriptionId;
use crate::store::Diary;
use std::sync::Arc;

/// Notes which messages have changed, for the store.
#[derive(Clone)]
pub(super) struct Trace {
    of: Arc<SubscriptionId>,
    diary: Diary<Item>,
}

impl Trace {
    pub fn new(of: &SubscriptionId, diary: &Diary<Item>) -> Self {
        Self { of: Arc::new(of.clone()), diary: diary.clone() }
    }

    /// Another message is there, or it is gone.
    pub fn message(&self, sequence: u64) {
        self.diary.note(|| Item::Message(SubscriptionId::clone(&self.of), sequence));
        self.standing(sequence);
    }

    /// It is in another phase.
    pub fn standing(&self, sequence: u64) {
        self.diary.note(|| Item::Standing(SubscriptionId::clone(&self.of), sequence));
    }
}
