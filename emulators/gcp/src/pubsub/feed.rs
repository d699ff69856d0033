//! Topics that start functions: a subscription of the platform's own for each, and who works it off.

use super::event;
use super::fault::Fault;
use super::wire::{RetryPolicy, Span, Subscription};
use super::{PubSub, names};
use bytes::Bytes;
use mlemu_core::{Answer, FunctionFailure, FunctionId};
use mlemu_engine::queues::Received;
use mlemu_engine::sources::{BatchShape, Mapping, Sources, Verdict};
use std::sync::Arc;
use std::time::Duration;

/// A platform's own subscription gives functions so long, and lease after lease while they work.
const DEADLINE: i32 = 600;
const FIRST_BACK_OFF: Duration = Duration::from_secs(10);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(600);

/// A function that a topic starts.
pub(crate) struct Feed {
    pub function: FunctionId,
    /// Tells the triggers of a function apart.
    pub index: usize,
    /// The topic's name, whole or within the function's project.
    pub topic: String,
    /// A message whose invocation failed comes again.
    pub retry: bool,
    /// It takes the first generation's events.
    pub background: bool,
}

/// Turns messages into events, one at a time.
struct MessageEvent {
    topic: String,
    subscription: String,
    retry: bool,
    background: bool,
}

impl BatchShape for MessageEvent {
    fn wants(&self, _one: &Received) -> bool {
        true
    }

    fn event(&self, batch: &[Received]) -> Bytes {
        let Some(one) = batch.first() else { return Bytes::new() };
        let event = if self.background {
            event::background(&one.message, &self.topic)
        } else {
            event::cloud_event(&one.message, &self.topic, &self.subscription)
        };
        event.to_string().into()
    }

    fn verdict(&self, _batch: &[Received], _answer: &Answer) -> Verdict {
        Verdict::Done
    }

    fn failed(&self, _batch: &[Received], _failure: &FunctionFailure) -> Verdict {
        if self.retry { Verdict::Failed } else { Verdict::Done }
    }
}

impl PubSub {
    /// The whole name of a topic that a project calls by its id.
    pub(crate) fn topic_name(&self, said: &str) -> String {
        if said.starts_with("projects/") {
            return said.to_owned();
        }
        format!("projects/{}/topics/{said}", self.shared.place.project())
    }

    /// From now on the topic, which is made if it is not there, starts the function.
    pub(crate) fn feed(&self, feed: Feed, sources: &Sources) -> Result<(), Fault> {
        let topic = self.topic_name(&feed.topic);
        self.ensure_topic(&topic)?;
        let name = self.platform_name(&feed, &topic)?;
        // One of before may be of another topic.
        let _ = self.remove_subscription(&name);
        let spans = (Span::from(FIRST_BACK_OFF), Span::from(LONGEST_BACK_OFF));
        self.add_subscription(Subscription {
            name: name.clone(),
            topic: topic.clone(),
            ack_deadline_seconds: DEADLINE,
            enable_message_ordering: true,
            retry_policy: Some(RetryPolicy {
                minimum_backoff: Some(spans.0),
                maximum_backoff: Some(spans.1),
            }),
            ..Subscription::default()
        })?;
        let (from, _) = self.source(&name)?;
        let Feed { function, index, retry, background, .. } = feed;
        let shape = MessageEvent { topic, subscription: name, retry, background };
        sources.put(Mapping {
            id: mapping(&function, index),
            from,
            target: function,
            qualifier: None,
            batch: 1,
            window: Duration::ZERO,
            event_limit: usize::MAX,
            concurrency: None,
            shape: Arc::new(shape),
        });
        Ok(())
    }

    /// As the vendor names what it makes for a function.
    fn platform_name(&self, feed: &Feed, topic: &str) -> Result<String, Fault> {
        let names::Name { id, .. } = names::Name::of(names::Kind::Topic, topic)?;
        let (project, region) = (self.shared.place.project(), self.shared.place.region());
        let Feed { function, index, background, .. } = feed;
        let id = if *background {
            format!("gcf-{function}-{region}-{id}")
        } else {
            format!("eventarc-{region}-{function}-sub-{index:03}")
        };
        Ok(format!("projects/{project}/subscriptions/{id}"))
    }

    /// Nothing starts the function any more.
    pub(crate) fn unfeed(&self, function: &FunctionId, sources: &Sources) {
        let own = self
            .registry()
            .subscriptions
            .keys()
            .filter(|name| self.is_of(name, function))
            .cloned()
            .collect::<Vec<_>>();
        for index in 0..MOST_TRIGGERS {
            sources.remove(&mapping(function, index));
        }
        for name in own {
            // It was there a moment ago.
            let _ = self.remove_subscription(&name);
        }
    }

    fn is_of(&self, name: &str, function: &FunctionId) -> bool {
        let region = self.shared.place.region();
        let id = name.rsplit('/').next().unwrap_or_default();
        id.starts_with(&format!("gcf-{function}-{region}-"))
            || id.starts_with(&format!("eventarc-{region}-{function}-sub-"))
    }
}

/// More than anybody gives a function.
const MOST_TRIGGERS: usize = 100;

fn mapping(function: &FunctionId, index: usize) -> Arc<str> {
    format!("{function}-{index}").into()
}
