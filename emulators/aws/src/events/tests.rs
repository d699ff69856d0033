//! The EventBridge API on the wire, with a mailbox in the place of everything that it reaches.

use super::{Declared, Events, Parts};
use crate::lambda::Settings;
use crate::reach::fake::Mailbox;
use crate::reach::{Detail, Letter};
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use mlemu_core::{Cause, Clock};
use mlemu_engine::clock::{Course, Forward};
use mlemu_engine::schedules::Schedules;
use mlemu_engine::{Engine, Journal, Policy, SteeredClock, SystemClock};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";
const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

struct Nothing;

impl mlemu_core::Build for Nothing {
    fn build(
        &self,
        _: mlemu_core::Needs,
        _: mlemu_core::build::Progress,
    ) -> mlemu_core::Boxed<'_, Result<Arc<mlemu_core::Built>, mlemu_core::BuildFailure>> {
        Box::pin(async { Err(mlemu_core::BuildFailure { why: "nothing runs here".into(), hint: None }) })
    }

    fn unpack(
        &self,
        _: bytes::Bytes,
        limit: u64,
    ) -> mlemu_core::Boxed<'_, Result<mlemu_core::Unpacked, mlemu_core::PackageFault>> {
        Box::pin(async move { Err(mlemu_core::PackageFault::TooLarge { limit }) })
    }

    fn measure(&self, _: std::path::PathBuf) -> mlemu_core::Boxed<'_, u64> {
        Box::pin(async { 0 })
    }
}

impl mlemu_core::Sandbox for Nothing {
    fn enforcement(&self) -> mlemu_core::Enforcement {
        mlemu_core::Enforcement::None
    }

    fn start(
        &self,
        spec: mlemu_core::SandboxSpec,
    ) -> mlemu_core::Boxed<'_, Result<Box<dyn mlemu_core::Confined>, mlemu_core::sandbox::StartFailure>> {
        let program = spec.program.display().to_string();
        let why = "nothing runs here".to_owned();
        Box::pin(async { Err(mlemu_core::sandbox::StartFailure { program, why }) })
    }

    fn forget(&self, _: &str) {}
}

struct Bench {
    events: Events,
    mailbox: Arc<Mailbox>,
    clock: Arc<SteeredClock>,
    engine: Engine,
    schedules: Arc<Schedules>,
}

impl Bench {
    fn new() -> Self {
        Self::kept_on(mlemu_engine::Shelf::default())
    }

    /// One whose buses and rules are kept there.
    fn kept_on(shelf: mlemu_engine::Shelf) -> Self {
        let (mailbox, clock, journal) =
            (Mailbox::new(), Arc::new(SteeredClock::new()), Arc::new(Journal::new(100)));
        let engine = Engine::new(mlemu_engine::Parts {
            clock: clock.clone(),
            ids: mlemu_engine::Ids::default(),
            build: Arc::new(Nothing),
            sandbox: Arc::new(Nothing),
            journal: journal.clone(),
            policy: Policy::local(1),
        });
        let schedules = Arc::new(Schedules::new(engine.clone()));
        let events = Events::new(Parts {
            clock: clock.clone(),
            ids: mlemu_engine::Ids::default(),
            sink: journal,
            settings: Arc::new(Settings::default()),
            reach: mailbox.clone(),
            schedules: schedules.clone(),
            shelf,
        });
        Self { events, mailbox, clock, engine, schedules }
    }

    /// One with a rule `r` and its one target.
    async fn with_rule(pattern: Value, target: Value) -> Self {
        let bench = Self::new();
        bench.good("PutRule", json!({ "Name": "r", "EventPattern": pattern.to_string() })).await;
        let put = bench.good("PutTargets", json!({ "Rule": "r", "Targets": [target] })).await;
        assert_eq!(put["FailedEntryCount"], 0, "{put}");
        bench
    }

    async fn ask(&self, operation: &str, body: Value) -> (u16, Value) {
        let request = Request::post("/")
            .header("x-amz-target", format!("AWSEvents.{operation}"))
            .body(Body::from(body.to_string()));
        let response = self.events.handle(request.unwrap()).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn good(&self, operation: &str, body: Value) -> Value {
        let (status, answer) = self.ask(operation, body).await;
        assert_eq!(status, 200, "{operation}: {answer}");
        answer
    }

    async fn put(&self, detail: Value) -> Value {
        let entry = json!({ "Source": "my.app", "DetailType": "Done", "Detail": detail.to_string() });
        self.good("PutEvents", json!({ "Entries": [entry] })).await
    }

    /// The bodies that went out, by receiver.
    fn sent(&self) -> Vec<(String, String)> {
        self.mailbox.take().into_iter().map(|(arn, letter)| (arn, letter.text())).collect()
    }
}

#[tokio::test]
async fn an_event_that_fits_reaches_the_target_whole() {
    let pattern = json!({ "source": ["my.app"], "detail": { "n": [{ "numeric": [">", 5] }] } });
    let bench = Bench::with_rule(pattern, json!({ "Id": "1", "Arn": FUNCTION })).await;
    bench.put(json!({ "n": 3 })).await;
    assert!(bench.sent().is_empty());
    let told = bench.put(json!({ "n": 7 })).await;
    assert_eq!(told["FailedEntryCount"], 0);
    let sent = bench.sent();
    assert_eq!(sent[0].0, FUNCTION);
    let event: Value = serde_json::from_str(&sent[0].1).unwrap();
    assert_eq!(event["id"], told["Entries"][0]["EventId"]);
    assert_eq!((&event["detail-type"], &event["detail"]), (&json!("Done"), &json!({ "n": 7 })));
}

#[tokio::test]
async fn targets_get_what_they_asked_for() {
    let transformer = json!({
        "InputPathsMap": { "n": "$.detail.n", "kind": "$.detail-type" },
        "InputTemplate": "{\"said\": \"<kind> with <n>\", \"n\": <n>}",
    });
    let target = json!({ "Id": "1", "Arn": QUEUE, "InputTransformer": transformer });
    let bench = Bench::with_rule(json!({ "source": [{ "prefix": "my." }] }), target).await;
    let more = json!([
        { "Id": "2", "Arn": QUEUE, "InputPath": "$.detail" },
        { "Id": "3", "Arn": QUEUE, "Input": "{\"constant\":true}" },
    ]);
    bench.good("PutTargets", json!({ "Rule": "r", "Targets": more })).await;
    bench.put(json!({ "n": 7 })).await;
    let bodies: Vec<String> = bench.sent().into_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies, [r#"{"said": "Done with 7", "n": 7}"#, r#"{"n":7}"#, r#"{"constant":true}"#]);
}

#[tokio::test]
async fn what_no_target_takes_is_a_dead_letter() {
    let dead = "arn:aws:sqs:us-east-1:000000000000:dead";
    let target = json!({ "Id": "1", "Arn": FUNCTION, "DeadLetterConfig": { "Arn": dead } });
    let bench = Bench::with_rule(json!({ "source": ["my.app"] }), target).await;
    bench.mailbox.absent.lock().unwrap().push(FUNCTION.into());
    bench.put(json!({})).await;
    let sent = bench.mailbox.take();
    assert_eq!(sent[0].0, dead);
    assert!(sent[0].1.attributes.iter().any(|one| &*one.name == "RULE_ARN"));
}

#[tokio::test]
async fn disabled_rules_and_other_buses_are_silent() {
    let bench = Bench::with_rule(json!({ "source": ["my.app"] }), json!({ "Id": "1", "Arn": QUEUE })).await;
    bench.good("DisableRule", json!({ "Name": "r" })).await;
    bench.put(json!({})).await;
    assert!(bench.sent().is_empty());
    bench.good("EnableRule", json!({ "Name": "r" })).await;
    bench.good("CreateEventBus", json!({ "Name": "orders" })).await;
    let entry = json!({ "Source": "my.app", "DetailType": "x", "Detail": "{}", "EventBusName": "orders" });
    bench.good("PutEvents", json!({ "Entries": [entry] })).await;
    assert!(bench.sent().is_empty());
    bench
        .good(
            "PutRule",
            json!({ "Name": "o", "EventBusName": "orders", "EventPattern": "{\"source\":[\"my.app\"]}" }),
        )
        .await;
    let onward = json!([{ "Id": "1", "Arn": "arn:aws:events:us-east-1:000000000000:event-bus/default" }]);
    bench.good("PutTargets", json!({ "Rule": "o", "EventBusName": "orders", "Targets": onward })).await;
    bench.good("PutEvents", json!({ "Entries": [entry] })).await;
    let sent = bench.mailbox.take();
    assert_eq!(sent[0].1.detail.as_ref().unwrap().source, "my.app");
}

#[tokio::test]
async fn services_put_events_of_their_own() {
    let bench = Bench::with_rule(json!({ "source": ["aws.s3"] }), json!({ "Id": "1", "Arn": QUEUE })).await;
    let detail =
        Detail { source: "aws.s3".into(), kind: "Object Created".into(), resources: vec!["r".into()] };
    let letter = Letter { detail: Some(detail), ..Letter::of("{\"a\":1}", Cause::Mlemu) };
    bench.events.put(None, letter).await.unwrap();
    let event: Value = serde_json::from_str(&bench.sent()[0].1).unwrap();
    assert_eq!((&event["resources"], &event["detail"]["a"]), (&json!(["r"]), &json!(1)));
}

#[tokio::test]
async fn rules_by_time_come_on_the_clock() {
    let bench = Bench::new();
    bench.clock.set(Course::Steered { at: SystemClock::new().now(), rate: 0.0 }).await;
    let rule = json!({ "Name": "hourly", "ScheduleExpression": "rate(1 hour)" });
    bench.good("PutRule", rule).await;
    bench.good("PutTargets", json!({ "Rule": "hourly", "Targets": [{ "Id": "1", "Arn": QUEUE }] })).await;
    tokio::task::yield_now().await;
    let settle = bench.engine.settle().clone();
    bench.clock.forward(Forward::By(Duration::from_secs(3 * 3600)), &settle).await;
    let sent = bench.sent();
    assert_eq!(sent.len(), 3);
    let event: Value = serde_json::from_str(&sent[0].1).unwrap();
    assert_eq!((&event["source"], &event["detail-type"]), (&json!("aws.events"), &json!("Scheduled Event")));
    assert_eq!(event["resources"][0], "arn:aws:events:us-east-1:000000000000:rule/hourly");
    let saved = bench.events.saved();
    bench.good("DisableRule", json!({ "Name": "hourly" })).await;
    assert!(bench.schedules.all().is_empty());
    bench.events.restore(&saved);
    assert_eq!(bench.schedules.all().len(), 1);
}

#[tokio::test]
async fn what_is_wrong_is_refused() {
    let bench = Bench::with_rule(json!({ "source": ["x"] }), json!({ "Id": "1", "Arn": QUEUE })).await;
    let cases = [
        ("PutRule", json!({ "Name": "a" }), "ValidationException"),
        ("PutRule", json!({ "Name": "a b", "EventPattern": "{}" }), "ValidationException"),
        ("PutRule", json!({ "Name": "a", "EventPattern": "{\"x\":1}" }), "InvalidEventPatternException"),
        ("PutRule", json!({ "Name": "a", "ScheduleExpression": "rate(x)" }), "ValidationException"),
        (
            "PutRule",
            json!({ "Name": "a", "EventPattern": "{}", "EventBusName": "no" }),
            "ResourceNotFoundException",
        ),
        ("PutTargets", json!({ "Rule": "no", "Targets": [] }), "ResourceNotFoundException"),
        ("PutTargets", json!({ "Rule": "r", "Targets": [{ "Id": "1", "Arn": "q" }] }), "ValidationException"),
        (
            "PutTargets",
            json!({ "Rule": "r", "Targets": [{ "Id": "2", "Arn": QUEUE, "Input": "{" }] }),
            "ValidationException",
        ),
        ("DeleteRule", json!({ "Name": "r" }), "ValidationException"),
        ("DescribeRule", json!({ "Name": "no" }), "ResourceNotFoundException"),
        ("CreateEventBus", json!({ "Name": "default" }), "ResourceAlreadyExistsException"),
        ("PutEvents", json!({ "Entries": [] }), "ValidationException"),
        ("CreateArchive", json!({}), "NotImplementedException"),
        ("Nonsense", json!({}), "UnknownOperationException"),
        ("PutRule", json!("text"), "SerializationException"),
    ];
    for (operation, body, expected) in cases {
        let (status, answer) = bench.ask(operation, body.clone()).await;
        assert!(status >= 400 && answer["__type"] == expected, "{operation} {body}: {answer}");
    }
    let bad =
        json!({ "Entries": [{ "Source": "a", "DetailType": "b", "Detail": "[]" }, { "Detail": "{}" }] });
    let told = bench.good("PutEvents", bad).await;
    assert_eq!(told["FailedEntryCount"], 2);
    assert_eq!(told["Entries"][0]["ErrorCode"], "MalformedDetail");
    let kinesis =
        json!({ "Rule": "r", "Targets": [{ "Id": "9", "Arn": "arn:aws:kinesis:us-east-1:0:stream/s" }] });
    assert_eq!(bench.good("PutTargets", kinesis).await["FailedEntryCount"], 1);
}

#[tokio::test]
async fn rules_are_told_and_deleted() {
    let bench = Bench::with_rule(json!({ "source": ["x"] }), json!({ "Id": "1", "Arn": QUEUE })).await;
    let listed = bench.good("ListRules", json!({ "NamePrefix": "r" })).await;
    assert_eq!(listed["Rules"][0]["Arn"], "arn:aws:events:us-east-1:000000000000:rule/r");
    assert_eq!(
        bench.good("ListRuleNamesByTarget", json!({ "TargetArn": QUEUE })).await["RuleNames"],
        json!(["r"])
    );
    assert_eq!(
        bench.good("ListTargetsByRule", json!({ "Rule": "r" })).await["Targets"],
        json!([{ "Id": "1", "Arn": QUEUE }])
    );
    let test = json!({ "EventPattern": "{\"a\":[1]}", "Event": "{\"a\":1}" });
    assert_eq!(bench.good("TestEventPattern", test).await["Result"], true);
    bench.good("RemoveTargets", json!({ "Rule": "r", "Ids": ["1"] })).await;
    bench.good("DeleteRule", json!({ "Name": "r" })).await;
    assert_eq!(bench.good("ListRules", json!({})).await["Rules"], json!([]));
    let buses = bench.good("ListEventBuses", json!({})).await;
    assert_eq!(buses["EventBuses"][0]["Name"], "default");
}

#[tokio::test]
async fn templates_declare_rules_with_their_targets() {
    let bench = Bench::new();
    let properties = json!({
        "EventPattern": { "source": ["my.app"] },
        "Targets": [{ "Id": "t", "Arn": QUEUE }],
    });
    bench.events.declare(Declared::rule("d", &properties).unwrap()).unwrap();
    bench.put(json!({})).await;
    assert_eq!(bench.sent().len(), 1);
    let fewer = json!({ "EventPattern": { "source": ["my.app"] } });
    bench.events.declare(Declared::rule("d", &fewer).unwrap()).unwrap();
    bench.put(json!({})).await;
    assert!(bench.sent().is_empty(), "it is as it is declared now");
}

#[tokio::test]
async fn rules_outlive_the_daemon_and_those_by_time_wait_again() {
    let folder = tempfile::tempdir().unwrap();
    let open = || mlemu_engine::Store::open(folder.path(), mlemu_engine::Durability::Disk).unwrap();
    let store = open();
    let bench = Bench::kept_on(store.world("one"));
    bench.good("CreateEventBus", json!({ "Name": "own" })).await;
    let pattern = json!({ "source": ["shop"] }).to_string();
    bench.good("PutRule", json!({ "Name": "r", "EventBusName": "own", "EventPattern": pattern })).await;
    let targets = json!([{ "Id": "q", "Arn": QUEUE, "InputPath": "$.detail" }]);
    bench.good("PutTargets", json!({ "Rule": "r", "EventBusName": "own", "Targets": targets })).await;
    bench.good("PutRule", json!({ "Name": "tick", "ScheduleExpression": "rate(1 hour)" })).await;
    let said = json!({ "EventPattern": { "source": ["gone"] } });
    bench.events.declare(Declared::rule("declared", &said).unwrap()).unwrap();
    store.close();
    let store = open();
    let bench = Bench::kept_on(store.world("one"));
    store.world("one").sound().unwrap();
    bench.events.awake();
    let listed = bench.good("ListRules", json!({})).await;
    assert_eq!(listed["Rules"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(bench.schedules.all().len(), 1);
    let entry =
        json!({ "Source": "shop", "DetailType": "sold", "Detail": "{\"n\":1}", "EventBusName": "own" });
    bench.good("PutEvents", json!({ "Entries": [entry] })).await;
    let sent = bench.mailbox.take();
    assert_eq!((sent[0].0.as_str(), sent[0].1.text()), (QUEUE, "{\"n\":1}".to_owned()));
}
