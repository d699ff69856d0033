//! Wire tests: the text of a request in, the answer out.

mod fifo;
mod messages;
mod query;
mod queues;

use super::*;
use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use mlemu_core::{Boxed, Clock, Timestamp};
use mlemu_engine::Journal;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// Wall time that runs with the runtime's paused clock.
struct TestClock(Instant);

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

struct World {
    sqs: Sqs,
    journal: Arc<Journal>,
}

struct Got {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Got {
    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        if self.body.is_empty() { Value::Null } else { serde_json::from_str(&self.body).unwrap() }
    }

    /// An error of the JSON protocol: its name there, its name for query clients, and its text.
    #[track_caller]
    fn fault(&self) -> (String, String, String) {
        assert_ne!(self.status, 200, "{}", self.body);
        let body: Value = serde_json::from_str(&self.body).unwrap();
        let kind = body["__type"].as_str().unwrap().strip_prefix("com.amazonaws.sqs#").unwrap().to_owned();
        let query = self.headers["x-amzn-query-error"].to_str().unwrap().to_owned();
        (kind, query, body["message"].as_str().unwrap().to_owned())
    }

    /// The text of the first element of this name.
    fn element(&self, name: &str) -> &str {
        let after = self.body.split_once(&format!("<{name}>")).map_or("", |(_, after)| after);
        after.split_once(&format!("</{name}>")).map_or("", |(text, _)| text)
    }
}

impl World {
    fn new() -> Self {
        let journal = Arc::new(Journal::new(100));
        let sqs = Sqs::new(Parts {
            queues: Queues::new(Arc::new(TestClock(Instant::now()))),
            sink: journal.clone(),
            region: "us-east-1".into(),
            account: "000000000000".into(),
        });
        Self { sqs, journal }
    }

    async fn send(&self, request: Request<Body>) -> Got {
        let (head, body) = self.sqs.handle(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        assert!(head.headers.contains_key("x-amzn-requestid"));
        let body = String::from_utf8(body.to_vec()).unwrap();
        Got { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// A request of the JSON protocol.
    async fn call(&self, operation: &str, input: Value) -> Got {
        let request = Request::post("/")
            .header("host", "127.0.0.1:4566")
            .header("x-amz-target", format!("AmazonSQS.{operation}"))
            .body(Body::from(input.to_string()));
        self.send(request.unwrap()).await
    }

    /// A request of the query protocol.
    async fn form(&self, path: &str, form: &str) -> Got {
        let request = Request::post(path)
            .header("host", "localhost:9")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(Body::from(form.to_owned()));
        self.send(request.unwrap()).await
    }

    async fn queue(&self, name: &str, attributes: Value) -> String {
        let input = json!({ "QueueName": name, "Attributes": attributes });
        let created = self.call("CreateQueue", input).await.json();
        created["QueueUrl"].as_str().unwrap().to_owned()
    }

    /// Sends a message, and says what was answered.
    async fn message(&self, url: &str, more: Value) -> Value {
        self.call("SendMessage", with(url, more)).await.json()
    }

    async fn receive(&self, url: &str, more: Value) -> Vec<Value> {
        let got = self.call("ReceiveMessage", with(url, more)).await.json();
        got["Messages"].as_array().cloned().unwrap_or_default()
    }

    async fn attribute(&self, url: &str, name: &str) -> String {
        let got =
            self.call("GetQueueAttributes", with(url, json!({ "AttributeNames": [name] }))).await.json();
        got["Attributes"][name].as_str().unwrap_or_default().to_owned()
    }
}

fn with(url: &str, mut more: Value) -> Value {
    more["QueueUrl"] = url.into();
    more
}

fn all(messages: &[Value], member: &str) -> Vec<String> {
    messages.iter().map(|message| message[member].as_str().unwrap().to_owned()).collect()
}

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}
