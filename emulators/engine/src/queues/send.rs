//! Accepting messages.

use super::message::{Message, NewMessage};
use super::{Fault, Queues, Store, TopicId};
use crate::faults::{Effect, SEND};
use mlemu_core::{Cause, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// What became of a message that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    pub id: Arc<str>,
    pub sequence: u64,
    /// It was sent before: these are the first one's id and sequence, and nothing was added.
    pub duplicate: bool,
}

impl Queues {
    /// Gives a message to every subscription of a topic.
    pub fn send(&self, to: &TopicId, new: NewMessage) -> Result<Sent, Fault> {
        self.send_all(to, [new]).map(|mut sent| sent.remove(0))
    }

    /// The same for several, in one commit and in their order.
    pub fn send_all(
        &self,
        to: &TopicId,
        new: impl IntoIterator<Item = NewMessage>,
    ) -> Result<Vec<Sent>, Fault> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        store.topic(to)?;
        let sent: Result<_, _> = new.into_iter().map(|new| store.accept(to, self.named(new), now)).collect();
        drop(store);
        self.tell();
        sent
    }
}

/// A message that was sent, for who listens.
#[derive(Clone, Debug)]
pub struct Heard {
    pub at: Timestamp,
    pub topic: TopicId,
    pub body: bytes::Bytes,
    pub cause: Cause,
}

impl Queues {
    /// Every message that is sent from now on; who listened before hears no more.
    pub fn hear(&self) -> mpsc::UnboundedReceiver<Heard> {
        let (ear, heard) = mpsc::unbounded_channel();
        self.lock().ear = Some(ear);
        heard
    }

    fn named(&self, new: NewMessage) -> NewMessage {
        if !new.id.is_empty() {
            return new;
        }
        NewMessage { id: self.shared.ids.fresh("message").uuid().into(), ..new }
    }
}

impl Store {
    fn accept(&mut self, to: &TopicId, new: NewMessage, now: Timestamp) -> Result<Sent, Fault> {
        let topic = self.topic_mut(to)?;
        let known = new.once.as_ref().and_then(|key| topic.dedupe.find(key, now));
        if let Some(first) = known {
            return Ok(first);
        }
        let heard = || Heard { at: now, topic: to.clone(), body: new.body.clone(), cause: new.cause.clone() };
        // Nobody hears it who has left.
        if self.ear.as_ref().is_some_and(|ear| ear.send(heard()).is_err()) {
            self.ear = None;
        }
        let message = Message {
            sequence: 0,
            id: new.id.clone(),
            body: new.body,
            attributes: new.attributes,
            notes: new.notes,
            group: new.group,
            dedupe: new.dedupe,
            enqueued: now,
            expires: new.life.map(|life| now.plus(life)),
            origin: None,
            cause: new.cause,
        };
        let sequence = self.publish_or_not(to, message, new.delay, now)?;
        let sent = Sent { id: new.id, sequence, duplicate: false };
        if let Some(key) = new.once {
            self.topic_mut(to)?.dedupe.remember(key, sent.clone(), now);
        }
        Ok(sent)
    }

    /// Publishes a message as the rules of a test let it come.
    fn publish_or_not(
        &mut self,
        to: &TopicId,
        message: Message,
        delay: Option<Duration>,
        now: Timestamp,
    ) -> Result<u64, Fault> {
        match self.faults.on_message(to, SEND, &message.cause) {
            Some(Effect::Drop) => {
                self.sequence += 1;
                Ok(self.sequence)
            }
            Some(Effect::Duplicate) => {
                self.publish(to, message.clone(), delay, now)?;
                self.publish(to, message, delay, now)
            }
            Some(Effect::Delay(by)) => {
                self.publish(to, message, Some(delay.unwrap_or_default().saturating_add(by)), now)
            }
            _ => self.publish(to, message, delay, now),
        }
    }

    /// Gives a message its place in the order and puts it before every subscription.
    pub(super) fn publish(
        &mut self,
        to: &TopicId,
        mut message: Message,
        delay: Option<Duration>,
        now: Timestamp,
    ) -> Result<u64, Fault> {
        let topic = self.topics.get_mut(to).ok_or_else(|| to.missing())?;
        self.sequence += 1;
        message.sequence = self.sequence;
        let message = Arc::new(message);
        let keepers = topic.subscriptions.values().filter(|subscription| subscription.settings.keeps_done);
        let longest = keepers.map(|keeper| keeper.settings.retention.unwrap_or(Duration::MAX)).max();
        topic.archive.add(&message, longest, now);
        for subscription in topic.subscriptions.values_mut() {
            subscription.settle(now, &mut self.sequence);
            let delay = delay.unwrap_or(subscription.settings.delay);
            subscription.accept(&message, delay, now);
            subscription.stir();
        }
        Ok(message.sequence)
    }
}
