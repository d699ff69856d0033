//! Events that start functions: each by itself, again while it fails, as the vendor delivers them.

use super::subscription::Subscription;
use crate::queue::feed::last_try;
use bytes::Bytes;
use mlemu_core::{Answer, FunctionFailure, FunctionId, Sink, Subject, What};
use mlemu_engine::queues::{Queues, Received, TopicId};
use mlemu_engine::sources::{BatchShape, Mapping, Verdict};
use std::sync::Arc;
use std::time::Duration;

/// Largest event, in bytes.
const EVENT: usize = 1024 * 1024;

pub(super) fn id_of(subscription: &str) -> String {
    format!("events-{subscription}")
}

/// What feeds a function from the queue of a subscription.
pub(super) fn mapping(
    subscription: &Subscription,
    function: FunctionId,
    queue: &TopicId,
    queues: &Queues,
    sink: Arc<dyn Sink>,
) -> Mapping {
    let (name, tries) = (subscription.name.clone(), subscription.tries);
    Mapping {
        id: id_of(&subscription.name).into(),
        from: queue.only(),
        target: function.clone(),
        qualifier: None,
        batch: 1,
        window: Duration::ZERO,
        event_limit: EVENT,
        concurrency: None,
        shape: Arc::new(Fed { queues: queues.clone(), sink, function, name, tries }),
    }
}

struct Fed {
    queues: Queues,
    sink: Arc<dyn Sink>,
    function: FunctionId,
    name: String,
    tries: u32,
}

impl BatchShape for Fed {
    fn wants(&self, _one: &Received) -> bool {
        true
    }

    fn event(&self, batch: &[Received]) -> Bytes {
        batch.first().map(|one| one.message.body.clone()).unwrap_or_default()
    }

    fn verdict(&self, _batch: &[Received], _answer: &Answer) -> Verdict {
        Verdict::Done
    }

    fn failed(&self, batch: &[Received], failure: &FunctionFailure) -> Verdict {
        if batch.first().is_none_or(|one| one.count < self.tries) {
            return Verdict::Failed;
        }
        let text = format!(
            "subscription {}: an event failed {} times; it is dropped. {}",
            self.name,
            self.tries,
            last_try(failure)
        );
        let subject = Subject { function: Some(self.function.clone()), ..Subject::default() };
        self.sink.send(self.queues.clock().now(), subject, What::Warning { text });
        Verdict::Done
    }
}
