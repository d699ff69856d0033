//! What an instance tells its dispatcher.

use crate::dispatch::{Call, Event};
use mlemu_core::{Due, InstanceId};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// How many of an instance's calls are answered and leave their places free in a moment.
#[derive(Default)]
pub(crate) struct Answered(AtomicUsize);

impl Answered {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// The dispatcher knows of the place.
    pub(crate) fn one_less(&self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What any part of an instance may say. A dispatcher that does not listen any more has ended everything
/// already.
#[derive(Clone)]
pub(super) struct Voice {
    instance: InstanceId,
    dispatcher: mpsc::UnboundedSender<Event>,
    answered: Arc<Answered>,
}

impl Voice {
    /// It is through with its init.
    pub(super) fn begins(&self) {
        let _ = self.dispatcher.send(Event::Begins(self.instance));
    }

    /// A call is answered, so that its place is free in a moment. Must be said before the caller can know its
    /// outcome, and so before it can call again.
    pub(super) fn answered(&self) {
        self.answered.0.fetch_add(1, Ordering::AcqRel);
    }

    /// The place of an answered call is not to be waited for.
    pub(super) fn lingers(&self) {
        self.answered.one_less();
        let _ = self.dispatcher.send(Event::Lingers);
    }

    /// A place is free again; whether it was one that had lingered.
    pub(super) fn free(&self, lingered: bool) {
        let _ = self.dispatcher.send(Event::Free { instance: self.instance, lingered });
    }
}

/// However an instance ends, by a panic too, the last word is that it is gone.
pub(crate) struct Line {
    pub(super) voice: Voice,
    returned: VecDeque<Box<Call>>,
    due: Option<Due>,
}

impl Line {
    pub(crate) fn new(instance: InstanceId, dispatcher: mpsc::UnboundedSender<Event>) -> Self {
        let voice = Voice { instance, dispatcher, answered: Arc::default() };
        Self { voice, returned: VecDeque::new(), due: None }
    }

    pub(crate) fn answered(&self) -> Arc<Answered> {
        self.voice.answered.clone()
    }

    /// It ends since this fell due: whoever advanced the clock waits until the dispatcher knows.
    pub(super) fn ends_for(&mut self, due: Due) {
        self.due = Some(due);
    }

    /// Another instance shall run this call: this one has not begun it.
    pub(super) fn give_back(&mut self, call: Box<Call>) {
        self.returned.push_back(call);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let (returned, due) = (std::mem::take(&mut self.returned), self.due.take());
        let instance = self.voice.instance;
        let _ = self.voice.dispatcher.send(Event::Gone { instance, returned, due });
    }
}
