//! The queue core on a paused clock.

mod back;
mod life;
mod property;
mod waiting;

use super::*;
pub(crate) use crate::clock::paused::TestClock;
use mlemu_core::{Cause, Scope};
use std::time::Duration;

pub(super) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A store with one queue.
struct Bench {
    queues: Queues,
    topic: TopicId,
    only: SubscriptionId,
}

impl Bench {
    fn new(settings: Settings) -> Self {
        Self::of(Queues::new(Arc::new(TestClock::new())), settings)
    }

    fn of(queues: Queues, settings: Settings) -> Self {
        let topic = TopicId::new(&Arc::new(Scope::new("cloud", "one", "here")), "work");
        queues.create_queue(&topic, settings, Notes::new(), Notes::new()).unwrap();
        Self { queues, only: topic.only(), topic }
    }

    fn topic(&self, name: &str) -> TopicId {
        TopicId::new(&self.topic.scope, name)
    }

    /// One more queue.
    fn queue(&self, name: &str, settings: Settings) -> TopicId {
        let topic = self.topic(name);
        self.queues.create_queue(&topic, settings, Notes::new(), Notes::new()).unwrap();
        topic
    }

    fn send(&self, body: &str) -> Sent {
        self.queues.send(&self.topic, NewMessage::of(body.to_owned(), Cause::Mlemu)).unwrap()
    }

    fn send_in(&self, group: &str, body: &str) -> Sent {
        let message = NewMessage::of(body.to_owned(), Cause::Mlemu);
        self.queues.send(&self.topic, NewMessage { group: Some(group.into()), ..message }).unwrap()
    }

    async fn take(&self, most: usize) -> Vec<Received> {
        self.queues.receive(&self.only, Want::now(most)).await.unwrap()
    }

    async fn bodies(&self, most: usize) -> Vec<String> {
        bodies(&self.take(most).await)
    }

    fn counts(&self) -> (usize, usize, usize) {
        let counts = self.queues.counts(&self.only).unwrap();
        (counts.visible, counts.leased, counts.delayed)
    }
}

fn bodies(received: &[Received]) -> Vec<String> {
    received.iter().map(|one| String::from_utf8(one.message.body.to_vec()).unwrap()).collect()
}

fn ordered() -> Settings {
    Settings { ordered: true, ..Settings::default() }
}
