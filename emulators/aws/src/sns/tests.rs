//! The SNS API on the wire, with a mailbox in the place of everything that it reaches.

use super::{Parts, Sns};
use crate::lambda::Settings;
use crate::reach::fake::Mailbox;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use mlemu_core::Clock;
use mlemu_engine::clock::Course;
use mlemu_engine::settle::Which;
use mlemu_engine::{Gate, Journal, Settle, SteeredClock, SystemClock};
use serde_json::Value;
use std::sync::Arc;

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:news";
const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";

struct Bench {
    sns: Sns,
    mailbox: Arc<Mailbox>,
    clock: Arc<SteeredClock>,
    settle: Settle,
}

impl Bench {
    fn new() -> Self {
        Self::kept_on(mlemu_engine::Shelf::default())
    }

    /// One whose topics are kept there.
    fn kept_on(shelf: mlemu_engine::Shelf) -> Self {
        let (mailbox, clock, settle) = (Mailbox::new(), Arc::new(SteeredClock::new()), Settle::default());
        let settings = Arc::new(Settings::default());
        settings.set_port(4566);
        let sns = Sns::new(Parts {
            clock: clock.clone(),
            ids: mlemu_engine::Ids::default(),
            settle: settle.clone(),
            gate: Gate::default(),
            sink: Arc::new(Journal::new(100)),
            settings,
            reach: mailbox.clone(),
            shelf,
        });
        Self { sns, mailbox, clock, settle }
    }

    /// One with a topic.
    async fn with_topic() -> Self {
        let bench = Self::new();
        let (status, body) = bench.ask("CreateTopic", &[("Name", "news")]).await;
        assert_eq!(status, 200, "{body}");
        assert!(body.contains(&format!("<TopicArn>{TOPIC}</TopicArn>")), "{body}");
        bench
    }

    async fn ask(&self, action: &str, pairs: &[(&str, &str)]) -> (u16, String) {
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let mut form = format!("Action={action}&Version=2010-03-31");
        for (name, value) in pairs {
            form.push_str(&format!("&{}={}", encode(name), encode(value)));
        }
        let response = self.sns.handle(Request::post("/").body(Body::from(form)).unwrap()).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn subscribe(&self, protocol: &str, endpoint: &str, attributes: &[(&str, &str)]) -> (u16, String) {
        let mut pairs = vec![("TopicArn", TOPIC), ("Protocol", protocol), ("Endpoint", endpoint)];
        let named: Vec<_> = attributes
            .iter()
            .enumerate()
            .map(|(at, (name, value))| {
                let key = |part: &str| format!("Attributes.entry.{}.{part}", at + 1);
                [(key("key"), *name), (key("value"), *value)]
            })
            .collect();
        pairs.extend(named.iter().flatten().map(|(name, value)| (name.as_str(), *value)));
        self.ask("Subscribe", &pairs).await
    }

    async fn publish(&self, message: &str, more: &[(&str, &str)]) -> (u16, String) {
        self.ask("Publish", &[&[("TopicArn", TOPIC), ("Message", message)], more].concat()).await
    }
}

#[tokio::test]
async fn a_queue_gets_the_envelope() {
    let bench = Bench::with_topic().await;
    bench.subscribe("sqs", QUEUE, &[]).await;
    let more = [
        ("Subject", "hi"),
        ("MessageAttributes.entry.1.Name", "kind"),
        ("MessageAttributes.entry.1.Value.DataType", "String"),
        ("MessageAttributes.entry.1.Value.StringValue", "flower"),
    ];
    assert_eq!(bench.publish("an \"é\"\n<x>", &more).await.0, 200);
    let sent = bench.mailbox.take();
    assert_eq!(sent[0].0, QUEUE);
    let text = sent[0].1.text();
    assert!(text.starts_with("{\n  \"Type\" : \"Notification\",\n  \"MessageId\" : \""), "{text}");
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["TopicArn"], TOPIC);
    assert_eq!((&body["Subject"], &body["Message"]), (&"hi".into(), &"an \"é\"\n<x>".into()));
    assert_eq!(body["SignatureVersion"], "1");
    let certificate = body["SigningCertURL"].as_str().unwrap();
    assert!(certificate.starts_with("https://sns.us-east-1.amazonaws.com/SimpleNotificationService-"));
    assert!(
        body["UnsubscribeURL"].as_str().unwrap().contains("Action=Unsubscribe&SubscriptionArn=arn:aws:sns:")
    );
    assert_eq!(body["MessageAttributes"]["kind"], serde_json::json!({ "Type": "String", "Value": "flower" }));
}

#[tokio::test]
async fn raw_is_the_message_itself() {
    let bench = Bench::with_topic().await;
    bench.subscribe("sqs", QUEUE, &[("RawMessageDelivery", "true")]).await;
    let more = [
        ("MessageAttributes.entry.1.Name", "n"),
        ("MessageAttributes.entry.1.Value.DataType", "Number"),
        ("MessageAttributes.entry.1.Value.StringValue", "7"),
    ];
    bench.publish("plain", &more).await;
    let sent = bench.mailbox.take();
    assert_eq!((sent[0].1.text().as_str(), &*sent[0].1.attributes[0].name), ("plain", "n"));
}

#[tokio::test]
async fn a_function_gets_records() {
    let bench = Bench::with_topic().await;
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    bench.subscribe("lambda", function, &[]).await;
    let json = r#"{"default":"all","lambda":"only you"}"#;
    assert_eq!(bench.publish(json, &[("MessageStructure", "json")]).await.0, 200);
    let sent = bench.mailbox.take();
    let event: aws_lambda_events::sns::SnsEvent = serde_json::from_slice(&sent[0].1.body).unwrap();
    assert_eq!(event.records[0].sns.message, "only you");
    assert_eq!(event.records[0].event_source, "aws:sns");
    assert_eq!(event.records[0].sns.subject, None);
}

#[tokio::test]
async fn filters_hold_messages_back_and_can_be_changed() {
    let bench = Bench::with_topic().await;
    let (_, told) = bench
        .subscribe("sqs", QUEUE, &[("FilterPolicy", r#"{"n":[1]}"#), ("FilterPolicyScope", "MessageBody")])
        .await;
    bench.publish(r#"{"n":2}"#, &[]).await;
    assert!(bench.mailbox.take().is_empty());
    bench.publish(r#"{"n":1}"#, &[]).await;
    assert_eq!(bench.mailbox.take().len(), 1);
    let arn = told.split("<SubscriptionArn>").nth(1).unwrap().split('<').next().unwrap();
    let change =
        [("SubscriptionArn", arn), ("AttributeName", "FilterPolicy"), ("AttributeValue", r#"{"n":[2]}"#)];
    assert_eq!(bench.ask("SetSubscriptionAttributes", &change).await.0, 200);
    bench.publish(r#"{"n":2}"#, &[]).await;
    assert_eq!(bench.mailbox.take().len(), 1);
}

#[tokio::test]
async fn what_nobody_takes_goes_to_the_dead_letters() {
    let bench = Bench::with_topic().await;
    let dead = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead"}"#;
    bench.subscribe("sqs", QUEUE, &[("RedrivePolicy", dead), ("RawMessageDelivery", "true")]).await;
    bench.mailbox.absent.lock().unwrap().push(QUEUE.into());
    bench.publish("lost", &[]).await;
    let sent = bench.mailbox.take();
    assert_eq!(
        (sent[0].0.as_str(), sent[0].1.text().as_str()),
        ("arn:aws:sqs:us-east-1:000000000000:dead", "lost")
    );
    assert!(sent[0].1.attributes.iter().any(|one| &*one.name == "ErrorMessage"));
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_tried_on_the_clock() {
    let bench = Bench::with_topic().await;
    bench.clock.set(Course::Steered { at: SystemClock::new().now(), rate: 0.0 }).await;
    // A port that was free a moment ago, and where nobody listens.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}/hook");
    let dead = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead"}"#;
    let (_, told) = bench.subscribe("http", &endpoint, &[("RedrivePolicy", dead)]).await;
    assert!(told.contains("pending confirmation"), "{told}");
    bench.settle.still().await;
    assert!(!bench.settle.is_settled(&Which::Everything), "it waits for its next try");
    let minute = mlemu_engine::clock::Forward::By(std::time::Duration::from_secs(60));
    bench.clock.forward(minute, &bench.settle).await;
    assert!(bench.settle.is_settled(&Which::Everything));
    let sent = bench.mailbox.take();
    assert_eq!(sent.len(), 1, "three pauses of twenty seconds");
    let body: Value = serde_json::from_str(&sent[0].1.text()).unwrap();
    assert_eq!(body["Type"], "SubscriptionConfirmation");
    // Until it is confirmed it is told nothing.
    bench.publish("x", &[]).await;
    assert!(bench.settle.is_settled(&Which::Everything));
    let token = body["Token"].as_str().unwrap();
    let wrong = bench.ask("ConfirmSubscription", &[("TopicArn", TOPIC), ("Token", "guess")]).await;
    assert_eq!(wrong.0, 400);
    assert_eq!(bench.ask("ConfirmSubscription", &[("TopicArn", TOPIC), ("Token", token)]).await.0, 200);
    bench.publish("x", &[]).await;
    assert!(!bench.settle.is_settled(&Which::Everything));
}

#[tokio::test]
async fn a_batch_answers_for_each_entry() {
    let bench = Bench::with_topic().await;
    bench.subscribe("sqs", QUEUE, &[("RawMessageDelivery", "true")]).await;
    let entry = |at: usize, part: &str| format!("PublishBatchRequestEntries.member.{at}.{part}");
    let names =
        [entry(1, "Id"), entry(1, "Message"), entry(2, "Id"), entry(2, "Message"), entry(2, "Subject")];
    let values = ["a", "one", "b", "two", "bad\u{e9}"];
    let mut pairs = vec![("TopicArn", TOPIC)];
    pairs.extend(names.iter().map(String::as_str).zip(values));
    let (status, body) = bench.ask("PublishBatch", &pairs).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("<Successful><member><Id>a</Id>"), "{body}");
    assert!(body.contains("<Failed><member>") && body.contains("<Id>b</Id>"), "{body}");
    assert_eq!(bench.mailbox.take().len(), 1);
}

#[tokio::test]
async fn what_is_wrong_is_refused() {
    let bench = Bench::with_topic().await;
    let code = |body: &str| {
        body.split("<Code>").nth(1).unwrap_or_default().split('<').next().unwrap_or_default().to_owned()
    };
    let cases = [
        (bench.ask("CreateTopic", &[("Name", "a b")]).await, 400, "InvalidParameter"),
        (bench.ask("CreateTopic", &[("Name", "a.fifo")]).await, 400, "InvalidParameter"),
        (
            bench.ask("Publish", &[("TopicArn", "arn:aws:sns:r:a:no"), ("Message", "x")]).await,
            404,
            "NotFound",
        ),
        (bench.ask("Publish", &[("TopicArn", TOPIC)]).await, 400, "InvalidParameter"),
        (bench.ask("Nonsense", &[]).await, 400, "InvalidAction"),
        (bench.ask("GetSMSAttributes", &[]).await, 501, "NotImplemented"),
        (bench.subscribe("https", "https://example.com/", &[]).await, 400, "InvalidParameter"),
        (bench.subscribe("lambda", QUEUE, &[]).await, 400, "InvalidParameter"),
        (bench.subscribe("sqs", QUEUE, &[("FilterPolicy", "no")]).await, 400, "InvalidParameter"),
        (bench.subscribe("email", "a@example.com", &[]).await, 501, "NotImplemented"),
        (bench.publish(&"x".repeat(300_000), &[]).await, 400, "InvalidParameter"),
    ];
    for ((status, body), expected, word) in cases {
        assert_eq!((status, code(&body).as_str()), (expected, word), "{body}");
    }
}

#[tokio::test]
async fn topics_are_listed_tagged_and_deleted_with_their_subscriptions() {
    let bench = Bench::with_topic().await;
    bench.subscribe("sqs", QUEUE, &[]).await;
    bench
        .ask(
            "TagResource",
            &[("ResourceArn", TOPIC), ("Tags.member.1.Key", "k"), ("Tags.member.1.Value", "v")],
        )
        .await;
    let (_, tags) = bench.ask("ListTagsForResource", &[("ResourceArn", TOPIC)]).await;
    assert!(tags.contains("<Key>k</Key><Value>v</Value>"), "{tags}");
    let permission = [
        ("TopicArn", TOPIC),
        ("Label", "mine"),
        ("AWSAccountId.member.1", "111111111111"),
        ("ActionName.member.1", "Publish"),
    ];
    assert_eq!(bench.ask("AddPermission", &permission).await.0, 200);
    let (_, attributes) = bench.ask("GetTopicAttributes", &[("TopicArn", TOPIC)]).await;
    assert!(attributes.contains("SubscriptionsConfirmed</key><value>1<"), "{attributes}");
    assert!(attributes.contains("arn:aws:iam::111111111111:root"), "{attributes}");
    let saved = bench.sns.saved();
    assert_eq!(bench.ask("DeleteTopic", &[("TopicArn", TOPIC)]).await.0, 200);
    let (_, listed) = bench.ask("ListSubscriptions", &[]).await;
    assert!(!listed.contains("<member>"), "{listed}");
    bench.sns.restore(&saved);
    let (_, listed) = bench.ask("ListSubscriptionsByTopic", &[("TopicArn", TOPIC)]).await;
    assert!(listed.contains(QUEUE), "{listed}");
}

const ORDERED: &str = "arn:aws:sns:us-east-1:000000000000:steps.fifo";
const LINE: &str = "arn:aws:sqs:us-east-1:000000000000:line.fifo";

impl Bench {
    async fn with_ordered_topic(more: &[(&str, &str)]) -> Self {
        let bench = Self::new();
        let fifo = [
            ("Name", "steps.fifo"),
            ("Attributes.entry.1.key", "FifoTopic"),
            ("Attributes.entry.1.value", "true"),
        ];
        let (status, body) = bench.ask("CreateTopic", &[&fifo, more].concat()).await;
        assert_eq!(status, 200, "{body}");
        let listens = [("TopicArn", ORDERED), ("Protocol", "sqs"), ("Endpoint", LINE)];
        assert_eq!(bench.ask("Subscribe", &listens).await.0, 200);
        bench
    }

    async fn step(&self, message: &str, more: &[(&str, &str)]) -> (u16, String) {
        self.ask("Publish", &[&[("TopicArn", ORDERED), ("Message", message)], more].concat()).await
    }
}

fn element<'a>(body: &'a str, name: &str) -> &'a str {
    let (_, rest) = body.split_once(&format!("<{name}>")).unwrap_or_default();
    rest.split_once("</").unwrap_or_default().0
}

#[tokio::test]
async fn a_topic_that_keeps_an_order_numbers_its_messages_and_knows_them_again() {
    let bench = Bench::with_ordered_topic(&[]).await;
    let of = |id: &'static str| [("MessageGroupId", "g"), ("MessageDeduplicationId", id)];
    let (_, first) = bench.step("one", &of("1")).await;
    let (_, second) = bench.step("two", &of("2")).await;
    let (_, again) = bench.step("one, again", &of("1")).await;
    let number = |body: &str| element(body, "SequenceNumber").to_owned();
    assert_eq!((number(&first).len(), number(&second) > number(&first)), (20, true), "{first} {second}");
    assert_eq!(
        (number(&again), element(&again, "MessageId")),
        (number(&first), element(&first, "MessageId"))
    );
    let sent = bench.mailbox.take();
    let told: Vec<_> = sent.iter().map(|(to, letter)| (to.as_str(), letter.once.as_deref())).collect();
    assert_eq!(told, [(LINE, Some("1")), (LINE, Some("2"))]);
    assert_eq!(sent[0].1.group.as_deref(), Some("g"));
    let body: Value = serde_json::from_str(&sent[0].1.text()).unwrap();
    assert_eq!(body["SequenceNumber"], number(&first));
    let later = bench.clock.now().plus(std::time::Duration::from_secs(301));
    bench.clock.set(Course::Steered { at: later, rate: 0.0 }).await;
    bench.step("one, later", &of("1")).await;
    assert_eq!(bench.mailbox.take().len(), 1, "its five minutes are over");
}

#[tokio::test]
async fn a_topic_that_keeps_an_order_wants_to_know_it() {
    let bench = Bench::with_ordered_topic(&[]).await;
    let refused = [
        (bench.step("x", &[]).await, "MessageGroupId"),
        (bench.step("x", &[("MessageGroupId", "g")]).await, "ContentBasedDeduplication"),
        (
            bench.step("x", &[("MessageGroupId", "a b"), ("MessageDeduplicationId", "1")]).await,
            "MessageGroupId",
        ),
        (bench.ask("CreateTopic", &[("Name", "no.fifo")]).await, "Topic Name"),
        (
            bench
                .ask(
                    "Subscribe",
                    &[("TopicArn", ORDERED), ("Protocol", "http"), ("Endpoint", "http://127.0.0.1:1/")],
                )
                .await,
            "Invalid protocol type: http",
        ),
    ];
    for ((status, body), why) in refused {
        assert!(status == 400 && body.contains(why), "{status} {body}");
    }
    let by_content =
        [("Attributes.entry.2.key", "ContentBasedDeduplication"), ("Attributes.entry.2.value", "true")];
    let bench = Bench::with_ordered_topic(&by_content).await;
    for message in ["same", "same", "other"] {
        assert_eq!(bench.step(message, &[("MessageGroupId", "g")]).await.0, 200);
    }
    assert_eq!(bench.mailbox.take().len(), 2);
}

#[tokio::test]
async fn topics_and_who_listens_outlive_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let open = || mlemu_engine::Store::open(folder.path(), mlemu_engine::Durability::Disk).unwrap();
    let store = open();
    let bench = Bench::kept_on(store.world("one"));
    bench.ask("CreateTopic", &[("Name", "news")]).await;
    let only_big = [("FilterPolicy", r#"{"size": ["big"]}"#), ("RawMessageDelivery", "true")];
    assert_eq!(bench.subscribe("sqs", QUEUE, &only_big).await.0, 200);
    let declared = super::Declared::Subscription {
        topic: TOPIC.into(),
        protocol: "lambda".into(),
        endpoint: "arn:aws:lambda:us-east-1:000000000000:function:f".into(),
        attributes: std::collections::BTreeMap::default(),
    };
    bench.sns.declare(declared).unwrap();
    store.close();
    let store = open();
    let bench = Bench::kept_on(store.world("one"));
    store.world("one").sound().unwrap();
    bench.publish("small", &[]).await;
    assert!(bench.mailbox.take().is_empty(), "the filter is there, and what was declared is not");
    let big = [
        ("MessageAttributes.entry.1.Name", "size"),
        ("MessageAttributes.entry.1.Value.DataType", "String"),
        ("MessageAttributes.entry.1.Value.StringValue", "big"),
    ];
    bench.publish("big", &big).await;
    assert_eq!(bench.mailbox.take()[0].1.text(), "big");
}
