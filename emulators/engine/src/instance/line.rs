//! What an instance tells its dispatcher.

use crate::dispatch::{Call, Event};
use mlemu_core::{Due, InstanceId};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc;

/// The line to the dispatcher. However an instance ends, by a panic too, the last word is that it is gone.
/// A dispatcher that does not listen any more has ended everything already.
pub(crate) struct Line {
    instance: InstanceId,
    dispatcher: mpsc::UnboundedSender<Event>,
    answered: Arc<AtomicBool>,
    returned: Option<Box<Call>>,
    due: Option<Due>,
}

impl Line {
    pub(crate) fn new(instance: InstanceId, dispatcher: mpsc::UnboundedSender<Event>) -> Self {
        Self { instance, dispatcher, answered: Arc::default(), returned: None, due: None }
    }

    /// Whether it has answered the call that it was given, and is free in a moment.
    pub(crate) fn has_answered(&self) -> Arc<AtomicBool> {
        self.answered.clone()
    }

    pub(super) fn free(&self) {
        let _ = self.dispatcher.send(Event::Free(self.instance));
    }

    /// Must be said before the caller can know its outcome, and so before it can call again.
    pub(super) fn answered(&self) {
        self.answered.store(true, Ordering::Release);
    }

    pub(super) fn lingers(&self) {
        self.answered.store(false, Ordering::Release);
        let _ = self.dispatcher.send(Event::Lingers);
    }

    /// It ends since this fell due: whoever advanced the clock waits until the dispatcher knows.
    pub(super) fn ends_for(&mut self, due: Due) {
        self.due = Some(due);
    }

    /// Another instance shall run this call: this one has not begun it.
    pub(super) fn give_back(&mut self, call: Box<Call>) {
        self.returned = Some(call);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let (returned, due) = (self.returned.take(), self.due.take());
        let _ = self.dispatcher.send(Event::Gone { instance: self.instance, returned, due });
    }
}
