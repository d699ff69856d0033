//! Event source mappings on the wire, with functions that a test ends.

use super::super::Lambda;
use super::super::fake::{self, FakeFunctions, says};
use super::*;
use crate::sqs;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use mlemu_core::{Cause, Invoke, Refusal, Reply};
use mlemu_engine::queues::{NewMessage, Notes, Queues};
use mlemu_engine::sources::SourceParts;
use mlemu_engine::triggers::Invoker;
use mlemu_engine::{Journal, SystemClock};
use serde_json::{Value, json};

const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:jobs";
const PATH: &str = "/2015-03-31/event-source-mappings";

struct Bench {
    functions: Arc<FakeFunctions>,
    lambda: Lambda,
    queues: Queues,
    sqs: Sqs,
}

struct Run(Arc<FakeFunctions>);

impl Invoker for Run {
    async fn invoke(&self, invoke: Invoke) -> Result<Reply, Refusal> {
        use super::super::Functions;
        self.0.invoke(invoke).await
    }
}

impl Bench {
    /// With a queue `jobs` and a function `f`.
    async fn new() -> Self {
        let functions = FakeFunctions::new();
        let journal = Arc::new(Journal::new(100));
        let queues = Queues::new(Arc::new(SystemClock::new()));
        let sqs = Sqs::new(sqs::Parts {
            queues: queues.clone(),
            sink: journal.clone(),
            region: "us-east-1".into(),
            account: "000000000000".into(),
        });
        let sources = Sources::new(SourceParts {
            queues: queues.clone(),
            invoker: Run(functions.clone()),
            sink: journal,
            new_id: |ids| mlemu_core::InvocationId(ids.fresh("invocation").uuid().into()),
            cap: 4,
        });
        let lambda = Arc::into_inner(fake::lambda(&functions)).unwrap();
        let lambda = lambda.with_mappings(Mappings::new(sources, sqs.clone()));
        sqs.declare("jobs", &Notes::new()).unwrap();
        let bench = Self { functions, lambda, queues, sqs };
        let role = "arn:aws:iam::000000000000:role/r";
        let function = json!({
            "FunctionName": "f", "Role": role, "Runtime": "python3.12", "Handler": "a.b",
            "Code": { "S3Bucket": "code", "S3Key": "good.zip" },
        });
        assert_eq!(bench.send("POST", "/2015-03-31/functions", &function).await.0, 201);
        bench
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = Request::builder().method(method).uri(path).body(body).unwrap();
        let (head, body) = self.lambda.handle(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn create(&self, more: Value) -> (u16, Value) {
        let mut request = json!({ "EventSourceArn": ARN, "FunctionName": "f" });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.send("POST", PATH, &request).await
    }

    fn message(&self, body: &str) -> String {
        let topic = self.sqs.resolve(ARN).unwrap().topic;
        let new = NewMessage::of(body.to_owned(), Cause::Mlemu);
        self.queues.send(&topic, new).unwrap().id.to_string()
    }

    /// Waits until the queue holds so many visible messages and so many in flight.
    async fn counts(&self, wanted: (usize, usize)) {
        let id = self.sqs.resolve(ARN).unwrap();
        let mut commits = self.queues.commits();
        loop {
            let counts = self.queues.counts(&id).unwrap();
            if (counts.visible, counts.leased) == wanted {
                return;
            }
            commits.changed().await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_life_of_a_mapping() {
    let bench = Bench::new().await;
    let (status, made) = bench.create(json!({ "BatchSize": 5, "Enabled": false })).await;
    assert_eq!((status, &made["State"], &made["BatchSize"]), (202, &json!("Creating"), &json!(5)));
    assert_eq!(made["FunctionArn"], "arn:aws:lambda:us-east-1:000000000000:function:f");
    let uuid = made["UUID"].as_str().unwrap();
    assert_eq!(uuid.len(), 36);
    let path = format!("{PATH}/{uuid}");
    assert_eq!(bench.send("GET", &path, &Value::Null).await.1["State"], "Disabled");
    bench.message("waits");
    let (status, again) = bench.create(json!({})).await;
    assert_eq!(status, 409);
    assert!(again["message"].as_str().unwrap().contains(uuid), "{again}");

    let (status, updated) = bench.send("PUT", &path, &json!({ "Enabled": true, "BatchSize": 7 })).await;
    assert_eq!((status, &updated["State"], &updated["BatchSize"]), (202, &json!("Enabling"), &json!(7)));
    bench.counts((0, 0)).await;
    let event = bench.functions.event();
    assert_eq!(event["Records"][0]["body"], "waits");

    let list = async |query: &str| bench.send("GET", &format!("{PATH}{query}"), &Value::Null).await;
    for (query, count) in [("", 1), ("?FunctionName=f", 1), ("?FunctionName=g", 0), ("?EventSourceArn=x", 0)]
    {
        let (_, all) = list(query).await;
        assert_eq!(all["EventSourceMappings"].as_array().unwrap().len(), count, "{query}");
    }
    assert_eq!(bench.send("DELETE", &path, &Value::Null).await.1["State"], "Deleting");
    assert_eq!(bench.send("GET", &path, &Value::Null).await.0, 404);
    bench.message("stays");
    bench.counts((1, 0)).await;
}

#[tokio::test]
async fn the_event_has_everything_that_functions_read() {
    let bench = Bench::new().await;
    bench.create(json!({})).await;
    let id = bench.message("{\"a\": 1}");
    bench.counts((0, 0)).await;
    let event = bench.functions.event();
    let record = &event["Records"][0];
    assert_eq!((&record["messageId"], &record["body"]), (&json!(id), &json!("{\"a\": 1}")));
    assert_eq!((&record["eventSource"], &record["eventSourceARN"]), (&json!("aws:sqs"), &json!(ARN)));
    assert_eq!(
        (&record["awsRegion"], &record["attributes"]["ApproximateReceiveCount"]),
        (&json!("us-east-1"), &json!("1"))
    );
    assert_eq!(record["md5OfBody"].as_str().unwrap().len(), 32);
    let text = event.to_string();
    let read: aws_lambda_events::sqs::SqsEvent = serde_json::from_str(&text).unwrap();
    assert_eq!(read.records[0].body.as_deref(), Some("{\"a\": 1}"));
}

#[tokio::test]
async fn what_failed_stays_and_what_does_not_fit_goes() {
    let bench = Bench::new().await;
    let more = json!({
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "FilterCriteria": { "Filters": [{ "Pattern": "{\"body\":{\"want\":[true]}}" }] },
    });
    assert_eq!(bench.create(more).await.0, 202);
    bench.functions.ends(|invoke| {
        let event: Value = serde_json::from_slice(&invoke.payload).unwrap();
        let failed = event["Records"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["body"].as_str().unwrap().contains("bad"));
        let failures: Vec<Value> = failed.map(|one| json!({ "itemIdentifier": one["messageId"] })).collect();
        Ok(fake::outcome(invoke, Ok(says(&json!({ "batchItemFailures": failures }).to_string()))))
    });
    bench.message("{\"want\": true}");
    bench.message("{\"want\": true, \"bad\": 1}");
    bench.message("{\"want\": false}");
    bench.message("no json");
    bench.counts((0, 1)).await;
    let invoked = bench.functions.invoked.lock().unwrap();
    let bodies: String =
        invoked.iter().map(|invoke| String::from_utf8_lossy(&invoke.payload).into_owned()).collect();
    assert!(!bodies.contains("false") && !bodies.contains("no json"), "{bodies}");
}

#[tokio::test]
async fn what_lambda_refuses() {
    let bench = Bench::new().await;
    bench.sqs.declare("q.fifo", &Notes::from([("FifoQueue".into(), "true".into())])).unwrap();
    bench.sqs.declare("short", &Notes::from([("VisibilityTimeout".into(), "2".into())])).unwrap();
    let fifo = "arn:aws:sqs:us-east-1:000000000000:q.fifo";
    let wrong = [
        (json!({ "BatchSize": 0 }), 400, "Member must have value between 1 and 10000"),
        (json!({ "BatchSize": 11 }), 400, "Maximum batch window in seconds must be greater than 0"),
        (json!({ "EventSourceArn": fifo, "BatchSize": 11 }), 400, "less than or equal to 10"),
        (
            json!({ "EventSourceArn": fifo, "MaximumBatchingWindowInSeconds": 1 }),
            400,
            "not supported for FIFO",
        ),
        (json!({ "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:none" }), 400, "NonExistentQueue"),
        (
            json!({ "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:short" }),
            400,
            "Queue visibility timeout: 2 seconds is less than Function timeout: 3 seconds",
        ),
        (json!({ "EventSourceArn": "nonsense" }), 400, "Unrecognized event source."),
        (json!({ "EventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/s" }), 501, "kinesis"),
        (json!({ "FunctionName": "none" }), 404, "Function not found"),
        (json!({ "ScalingConfig": { "MaximumConcurrency": 1 } }), 400, "between 2 and 1000"),
        (json!({ "FunctionResponseTypes": ["Other"] }), 400, "enum value set"),
        (
            json!({ "FilterCriteria": { "Filters": [{ "Pattern": "{\"a\":1}" }] } }),
            400,
            "Invalid filter pattern definition.",
        ),
    ];
    for (more, status, text) in wrong {
        let got = bench.create(more.clone()).await;
        let said = got.1["message"].as_str().or(got.1["Message"].as_str()).unwrap_or_default();
        assert!(got.0 == status && said.contains(text), "{more}: {got:?}");
    }
    assert_eq!(
        bench.create(json!({ "BatchSize": 10_000, "MaximumBatchingWindowInSeconds": 1 })).await.0,
        202
    );
}

#[test]
fn declared_mappings_have_stable_ids() {
    let scope = Arc::new(mlemu_core::Scope::new("aws", "000000000000", "us-east-1"));
    let function = FunctionId::new(scope.clone(), "f");
    let uuid = declared_uuid(&function, 3);
    assert_eq!((uuid.len(), &uuid), (36, &declared_uuid(&function, 3)));
    assert!(uuid::Uuid::parse_str(&uuid).is_ok());
    assert_ne!(uuid, declared_uuid(&FunctionId::new(scope, "g"), 3));
}
