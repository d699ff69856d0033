//! The queue core on a paused clock.

mod back;
mod life;
mod property;
mod waiting;

use super::*;
use mlemu_core::{Boxed, Cause, Scope, Timestamp};
use std::time::Duration;
use tokio::time::Instant;

pub(super) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Wall time that runs with the runtime's paused clock.
pub(crate) struct TestClock(Instant);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_767_225_600_000_000).plus(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, wait: Duration) -> Boxed<'static, ()> {
        Box::pin(tokio::time::sleep(wait))
    }
}

/// A store with one queue.
struct Bench {
    queues: Queues,
    topic: TopicId,
    only: SubscriptionId,
}

impl Bench {
    fn new(settings: Settings) -> Self {
        let queues = Queues::new(Arc::new(TestClock::new()));
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
