//! Moving messages by hand: back to where they were lent out too often, or elsewhere.

use super::message::Message;
use super::{Fault, Queues, Store, SubscriptionId, TopicId};
use mlemu_core::Timestamp;
use std::time::Duration;

/// What a move did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    pub moved: usize,
    /// Visible messages that are still there.
    pub left: usize,
    /// It stopped at a message for which there is no place to go.
    pub stuck: bool,
}

impl Queues {
    /// Moves up to `most` visible messages, in their order, to a topic; `None`: each to the topic that it came
    /// from. They count as never lent out there.
    pub fn move_messages(
        &self,
        from: &SubscriptionId,
        to: Option<&TopicId>,
        most: usize,
    ) -> Result<Moved, Fault> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let mut moved = Moved::default();
        while moved.moved < most && !moved.stuck {
            match store.move_next(from, to, now)? {
                Step::Moved => moved.moved += 1,
                Step::Stuck => moved.stuck = true,
                Step::Nothing => break,
            }
        }
        moved.left = store.open(from)?.0.backlog.counts().visible;
        drop(store);
        self.tell();
        Ok(moved)
    }
}

enum Step {
    Moved,
    Stuck,
    Nothing,
}

impl Store {
    fn move_next(
        &mut self,
        from: &SubscriptionId,
        to: Option<&TopicId>,
        now: Timestamp,
    ) -> Result<Step, Fault> {
        let (subscription, commits) = self.open(from)?;
        subscription.settle(now, commits);
        let Some(sequence) = subscription.backlog.next_turn(1).first().copied() else {
            return Ok(Step::Nothing);
        };
        let Some(entry) = subscription.backlog.entry(sequence) else { return Ok(Step::Nothing) };
        let origin = entry.message.origin.as_ref().map(|origin| &origin.topic);
        let target = to.or(origin).cloned().filter(|target| self.topics.contains_key(target));
        let Some(target) = target else { return Ok(Step::Stuck) };
        let Some(entry) = self.open(from)?.0.backlog.remove(sequence) else { return Ok(Step::Nothing) };
        let message = Message { origin: None, enqueued: now, ..Message::clone(&entry.message) };
        self.publish(&target, message, Some(Duration::ZERO), now)?;
        Ok(Step::Moved)
    }
}
