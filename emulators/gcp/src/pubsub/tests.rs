//! Pub/Sub by its operations, on a clock that is moved by hand.

use super::fault::Fault;
use super::wire::*;
use super::{Parts, PubSub};
use crate::place::Place;
use futures_util::{StreamExt, stream};
use mlemu_core::{Cause, Clock};
use mlemu_engine::clock::{Course, Forward};
use mlemu_engine::queues::Queues;
use mlemu_engine::settle::Settle;
use mlemu_engine::{Journal, SteeredClock};
use std::sync::Arc;
use std::time::Duration;
use tonic::Code;

const TOPIC: &str = "projects/demo-p/topics/seeds";
const DEAD: &str = "projects/demo-p/topics/compost";
const BED: &str = "projects/demo-p/subscriptions/bed";

struct Bench {
    pubsub: PubSub,
    clock: Arc<SteeredClock>,
    settle: Settle,
}

impl Bench {
    /// With a topic and a subscription of it.
    async fn new(said: Subscription) -> Self {
        let clock = Arc::new(SteeredClock::new());
        clock.set(Course::Steered { at: clock.now(), rate: 0.0 }).await;
        let settle = Settle::default();
        let queues = Queues::new(clock.clone()).counted_in(settle.clone());
        let (sink, place) = (Arc::new(Journal::new(100)), Place::new("demo-p", "us-central1"));
        let bench = Self {
            pubsub: PubSub::new(Parts { queues, sink, place, shelf: mlemu_engine::Shelf::default() }),
            clock,
            settle,
        };
        for topic in [TOPIC, DEAD] {
            bench.pubsub.ensure_topic(topic).unwrap();
        }
        let said = Subscription { name: BED.into(), topic: TOPIC.into(), ..said };
        bench.pubsub.create_subscription(said).unwrap();
        bench
    }

    async fn later(&self, seconds: u64) {
        self.clock.forward(Forward::By(Duration::from_secs(seconds)), &self.settle).await;
    }

    fn publish(&self, text: &str, key: &str) -> String {
        let data = text.to_owned().into();
        let message = PubsubMessage { data, ordering_key: key.into(), ..PubsubMessage::default() };
        let ask = PublishRequest { topic: TOPIC.into(), messages: vec![message] };
        self.pubsub.publish(ask, &Cause::Mlemu).unwrap().message_ids.remove(0)
    }

    async fn pull(&self) -> Vec<ReceivedMessage> {
        let ask = PullRequest { subscription: BED.into(), return_immediately: true, max_messages: 100 };
        self.pubsub.pull(ask).await.unwrap().received_messages
    }

    async fn texts(&self) -> Vec<String> {
        texts(&self.pull().await)
    }

    fn deadline(&self, one: &ReceivedMessage, seconds: i32) {
        let ask = ModifyAckDeadlineRequest {
            subscription: BED.into(),
            ack_ids: vec![one.ack_id.clone()],
            ack_deadline_seconds: seconds,
        };
        self.pubsub.modify_ack_deadline(ask).unwrap();
    }

    fn acknowledge(&self, one: &ReceivedMessage) -> Result<Empty, Fault> {
        let ask = AcknowledgeRequest { subscription: BED.into(), ack_ids: vec![one.ack_id.clone()] };
        self.pubsub.acknowledge(ask)
    }
}

fn texts(received: &[ReceivedMessage]) -> Vec<String> {
    let text =
        |one: &ReceivedMessage| String::from_utf8(one.message.as_ref().unwrap().data.to_vec()).unwrap();
    received.iter().map(text).collect()
}

#[tokio::test]
async fn a_deadline_can_be_extended_and_ends_by_itself() {
    let bench = Bench::new(Subscription::default()).await;
    bench.publish("a", "");
    let first = bench.pull().await.remove(0);
    bench.later(9).await;
    bench.deadline(&first, 60);
    bench.later(59).await;
    assert!(bench.pull().await.is_empty());
    bench.later(1).await;
    let second = bench.pull().await.remove(0);
    assert_ne!(first.ack_id, second.ack_id);
    bench.acknowledge(&second).unwrap();
    bench.later(60).await;
    assert!(bench.pull().await.is_empty());
}

#[tokio::test]
async fn back_off_hides_what_came_back_for_longer_each_time() {
    let policy = RetryPolicy {
        minimum_backoff: Some(Duration::from_secs(20).into()),
        maximum_backoff: Some(Duration::from_secs(60).into()),
    };
    let bench = Bench::new(Subscription { retry_policy: Some(policy), ..Subscription::default() }).await;
    bench.publish("a", "");
    for wait in [20, 40, 60, 60] {
        bench.deadline(&bench.pull().await[0], 0);
        bench.later(wait - 1).await;
        assert!(bench.pull().await.is_empty(), "after {wait} s");
        bench.later(1).await;
    }
    assert_eq!(bench.texts().await, ["a"]);
}

#[tokio::test]
async fn too_many_attempts_lead_to_the_dead_letter_topic() {
    let policy = DeadLetterPolicy { dead_letter_topic: DEAD.into(), max_delivery_attempts: 5 };
    let bench =
        Bench::new(Subscription { dead_letter_policy: Some(policy), ..Subscription::default() }).await;
    let compost = "projects/demo-p/subscriptions/compost";
    let said = Subscription { name: compost.into(), topic: DEAD.into(), ..Subscription::default() };
    bench.pubsub.create_subscription(said).unwrap();
    bench.publish("a", "");
    for attempt in 1..=5 {
        assert_eq!(bench.pull().await[0].delivery_attempt, attempt);
        bench.later(10).await;
    }
    assert!(bench.pull().await.is_empty());
    let ask = PullRequest { subscription: compost.into(), return_immediately: true, max_messages: 1 };
    let dead = bench.pubsub.pull(ask).await.unwrap().received_messages.remove(0);
    assert_eq!(dead.delivery_attempt, 0, "told only where there is a policy");
    let said = dead.message.unwrap().attributes;
    assert_eq!(said["CloudPubSubDeadLetterSourceSubscription"], "bed");
    assert_eq!(said["CloudPubSubDeadLetterSourceDeliveryCount"], "5");
}

#[tokio::test]
async fn a_key_that_is_given_back_takes_the_later_ones_along() {
    let bench = Bench::new(Subscription { enable_message_ordering: true, ..Subscription::default() }).await;
    for text in ["a1", "a2", "a3"] {
        bench.publish(text, "a");
    }
    bench.publish("b1", "b");
    let received = bench.pull().await;
    assert_eq!(texts(&received), ["a1", "a2", "a3", "b1"]);
    bench.acknowledge(&received[0]).unwrap();
    bench.deadline(&received[1], 0);
    assert_eq!(bench.texts().await, ["a2", "a3"]);
}

#[tokio::test]
async fn messages_grow_too_old() {
    let retention = Some(Duration::from_secs(600).into());
    let bench =
        Bench::new(Subscription { message_retention_duration: retention, ..Subscription::default() }).await;
    bench.publish("a", "");
    bench.later(599).await;
    bench.publish("b", "");
    bench.later(1).await;
    assert_eq!(bench.texts().await, ["b"]);
}

#[tokio::test]
async fn going_back_needs_what_was_kept() {
    for keeps in [false, true] {
        let said = Subscription { retain_acked_messages: keeps, ..Subscription::default() };
        let bench = Bench::new(said).await;
        bench.publish("a", "");
        let received = bench.pull().await;
        bench.acknowledge(&received[0]).unwrap();
        let time = received[0].message.as_ref().unwrap().publish_time;
        bench.pubsub.seek(SeekRequest { subscription: BED.into(), time, snapshot: None }).unwrap();
        assert_eq!(bench.texts().await.len(), usize::from(keeps));
    }
}

#[tokio::test]
async fn a_topic_that_keeps_messages_has_them_for_later_subscriptions() {
    let bench = Bench::new(Subscription::default()).await;
    let retention = Some(Duration::from_secs(600).into());
    let topic = Topic { name: TOPIC.into(), message_retention_duration: retention, ..Topic::default() };
    let update_mask = Some(known::FieldMask { paths: vec!["message_retention_duration".into()] });
    bench.pubsub.update_topic(UpdateTopicRequest { topic: Some(topic), update_mask }).unwrap();
    let began = Some(bench.clock.now().into());
    bench.publish("a", "");
    let late = "projects/demo-p/subscriptions/late";
    let said = Subscription { name: late.into(), topic: TOPIC.into(), ..Subscription::default() };
    bench.pubsub.create_subscription(said).unwrap();
    let ask = || PullRequest { subscription: late.into(), return_immediately: true, max_messages: 9 };
    assert!(bench.pubsub.pull(ask()).await.unwrap().received_messages.is_empty());
    bench.pubsub.seek(SeekRequest { subscription: late.into(), time: began, snapshot: None }).unwrap();
    assert_eq!(texts(&bench.pubsub.pull(ask()).await.unwrap().received_messages), ["a"]);
}

fn streaming(most: i64) -> StreamingPullRequest {
    StreamingPullRequest {
        subscription: BED.into(),
        stream_ack_deadline_seconds: 10,
        max_outstanding_messages: most,
        ..StreamingPullRequest::default()
    }
}

#[tokio::test]
async fn a_stream_holds_no_more_than_it_is_allowed() {
    let bench = Bench::new(Subscription::default()).await;
    for number in 0..5 {
        bench.publish(&number.to_string(), "");
    }
    let (asks, asked) = tokio::sync::mpsc::unbounded_channel();
    asks.send(Ok(streaming(2))).unwrap();
    let asked = stream::unfold(asked, |mut asked| async move { Some((asked.recv().await?, asked)) });
    let opened = super::streaming::open(bench.pubsub.clone(), asked.boxed()).await.ok().unwrap();
    let mut said = Box::pin(opened);
    assert!(said.next().await.unwrap().unwrap().subscription_properties.is_some());
    let first = said.next().await.unwrap().unwrap().received_messages;
    assert_eq!(texts(&first), ["0", "1"]);
    assert!(futures_util::poll!(said.next()).is_pending());
    let ack_ids = vec![first[0].ack_id.clone()];
    asks.send(Ok(StreamingPullRequest { ack_ids, ..StreamingPullRequest::default() })).unwrap();
    assert_eq!(texts(&said.next().await.unwrap().unwrap().received_messages), ["2"]);
    // By another way than the stream.
    bench.acknowledge(&first[1]).unwrap();
    assert_eq!(texts(&said.next().await.unwrap().unwrap().received_messages), ["3"]);
    bench.pubsub.delete_subscription(NamedSubscription { subscription: BED.into() }).unwrap();
    drop(asks);
    let end = said.next().await;
    assert!(end.is_none_or(|end| end.is_err_and(|fault| fault.code == Code::NotFound)));
}

#[tokio::test]
async fn a_stream_hears_what_became_of_its_acknowledgements() {
    let said = Subscription { enable_exactly_once_delivery: true, ..Subscription::default() };
    let bench = Bench::new(said).await;
    bench.publish("a", "");
    let one = bench.pull().await.remove(0);
    let ack_ids = vec![one.ack_id.clone(), "mle-0-1-99".into()];
    let modify_deadline_ack_ids = vec![one.ack_id.clone()];
    let first = StreamingPullRequest {
        ack_ids,
        modify_deadline_ack_ids,
        modify_deadline_seconds: vec![30],
        ..streaming(0)
    };
    let asked = stream::iter([Ok(first)]).chain(stream::pending());
    let opened = super::streaming::open(bench.pubsub.clone(), asked.boxed()).await.ok().unwrap();
    let said: Vec<_> = opened.take(2).collect().await;
    let said = said[1].as_ref().unwrap();
    let acknowledged = said.acknowledge_confirmation.as_ref().unwrap();
    assert_eq!(acknowledged.ack_ids, std::slice::from_ref(&one.ack_id));
    assert_eq!(acknowledged.invalid_ack_ids, ["mle-0-1-99"]);
    let modified = said.modify_ack_deadline_confirmation.as_ref().unwrap();
    assert_eq!(modified.invalid_ack_ids, std::slice::from_ref(&one.ack_id), "it is done with");
    let refused = bench.acknowledge(&one).unwrap_err();
    assert_eq!((refused.code, refused.status().details().is_empty()), (Code::FailedPrecondition, false));
}

#[tokio::test]
async fn what_is_wrong_has_the_vendors_code() {
    let bench = Bench::new(Subscription::default()).await;
    let publish = |topic: &str, messages| {
        let ask = PublishRequest { topic: topic.into(), messages };
        bench.pubsub.publish(ask, &Cause::Mlemu).map(drop).map_err(|fault| fault.code)
    };
    let with = |name: &str, value: &str| PubsubMessage {
        attributes: [(name.to_owned(), value.to_owned())].into(),
        ..PubsubMessage::default()
    };
    assert_eq!(publish(TOPIC, vec![]), Err(Code::InvalidArgument));
    assert_eq!(publish(TOPIC, vec![PubsubMessage::default()]), Err(Code::InvalidArgument));
    assert_eq!(publish(TOPIC, vec![with("goog-x", "1")]), Err(Code::InvalidArgument));
    assert_eq!(publish(TOPIC, vec![with("x", &"1".repeat(1025))]), Err(Code::InvalidArgument));
    assert_eq!(publish(TOPIC, vec![with("x", "1"); 1001]), Err(Code::InvalidArgument));
    assert_eq!(publish(TOPIC, vec![with("x", "1"); 1000]), Ok(()));
    assert_eq!(publish("projects/demo-p/topics/none", vec![with("x", "1")]), Err(Code::NotFound));
    let large = PubsubMessage { data: vec![0; 10_000_001].into(), ..PubsubMessage::default() };
    assert_eq!(publish(TOPIC, vec![large]), Err(Code::InvalidArgument));
    let said = |said: Subscription| {
        let said = Subscription { name: format!("{BED}2"), topic: TOPIC.into(), ..said };
        bench.pubsub.create_subscription(said).map(drop).map_err(|fault| fault.code)
    };
    let deadline = Subscription { ack_deadline_seconds: 601, ..Subscription::default() };
    assert_eq!(said(deadline), Err(Code::InvalidArgument));
    let export = Subscription { bigquery_config: Some(Export {}), ..Subscription::default() };
    assert_eq!(said(export), Err(Code::Unimplemented));
    let few = DeadLetterPolicy { dead_letter_topic: DEAD.into(), max_delivery_attempts: 4 };
    let few = Subscription { dead_letter_policy: Some(few), ..Subscription::default() };
    assert_eq!(said(few), Err(Code::InvalidArgument));
}
