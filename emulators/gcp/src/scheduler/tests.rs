//! Cloud Scheduler by its paths, on a clock that is moved by hand.

use super::*;
use crate::place::Place;
use crate::pubsub;
use crate::pubsub::wire::{PullRequest, Subscription};
use mlemu_engine::clock::{Course, Forward};
use mlemu_engine::queues::Queues;
use mlemu_engine::{Journal, SteeredClock};
use std::time::Duration;

const PARENT: &str = "projects/demo-p/locations/us-central1";
const TOPIC: &str = "projects/demo-p/topics/ticks";
const HEARD: &str = "projects/demo-p/subscriptions/heard";

struct Bench {
    scheduler: Scheduler,
    pubsub: PubSub,
    clock: Arc<SteeredClock>,
    settle: Settle,
}

async fn bench() -> Bench {
    let clock = Arc::new(SteeredClock::new());
    let at = mlemu_core::Timestamp(1_767_225_600_000_000);
    clock.set(Course::Steered { at, rate: 0.0 }).await;
    let settle = Settle::default();
    let queues = Queues::new(clock.clone()).counted_in(settle.clone());
    let place = Place::new("demo-p", "us-central1");
    let scope = place.scope.clone();
    let pubsub = PubSub::new(pubsub::Parts {
        queues,
        sink: Arc::new(Journal::new(10)),
        place,
        shelf: mlemu_engine::Shelf::default(),
    });
    pubsub.ensure_topic(TOPIC).unwrap();
    let said = Subscription { name: HEARD.into(), topic: TOPIC.into(), ..Subscription::default() };
    pubsub.create_subscription(said).unwrap();
    let shelf = mlemu_engine::Shelf::default();
    let parts = Parts { clock: clock.clone(), settle: settle.clone(), pubsub: pubsub.clone(), scope, shelf };
    Bench { scheduler: Scheduler::new(parts), pubsub, clock, settle }
}

impl Bench {
    async fn ask(&self, line: &str, body: Value) -> (u16, Value) {
        let (method, path) = line.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(path).body(Body::from(body.to_string())).unwrap();
        let answer = self.scheduler.handle(request).await;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn job(&self, schedule: &str) -> (u16, Value) {
        let job = json!({
            "name": format!("{PARENT}/jobs/tick"),
            "schedule": schedule,
            "pubsubTarget": { "topicName": TOPIC, "data": "aGk=", "attributes": { "a": "b" } },
        });
        self.ask(&format!("POST /v1/{PARENT}/jobs"), job).await
    }

    async fn heard(&self) -> usize {
        let ask = PullRequest { subscription: HEARD.into(), return_immediately: true, max_messages: 1000 };
        self.pubsub.pull(ask).await.unwrap().received_messages.len()
    }

    async fn later(&self, minutes: u64) {
        self.clock.forward(Forward::By(Duration::from_secs(60 * minutes)), &self.settle).await;
    }
}

/// Until who waits for the job's time does so.
async fn waits(bench: &Bench) {
    while bench.clock.next_due(1).is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_job_falls_due_again_and_again() {
    let bench = bench().await;
    let (status, job) = bench.job("*/10 * * * *").await;
    assert_eq!((status, &job["scheduleTime"]), (200, &json!("2026-01-01T00:10:00Z")), "{job}");
    waits(&bench).await;
    bench.later(9).await;
    assert_eq!(bench.heard().await, 0);
    bench.later(52).await;
    assert_eq!(bench.heard().await, 6);
    let (_, job) = bench.ask(&format!("GET /v1/{PARENT}/jobs/tick"), json!({})).await;
    assert_eq!(job["lastAttemptTime"], "2026-01-01T01:00:00Z");
    assert_eq!(job["scheduleTime"], "2026-01-01T01:10:00Z");
}

#[tokio::test]
async fn a_job_can_be_fired_paused_and_removed() {
    let bench = bench().await;
    bench.job("0 0 1 1 *").await;
    assert_eq!(bench.job("0 0 1 1 *").await.0, 409);
    let tick = format!("/v1/{PARENT}/jobs/tick");
    assert_eq!(bench.ask(&format!("POST {tick}:run"), json!({})).await.0, 200);
    assert_eq!(bench.heard().await, 1);
    assert_eq!(bench.ask(&format!("POST {tick}:pause"), json!({})).await.1["state"], "PAUSED");
    bench.later(60 * 24 * 366).await;
    assert_eq!(bench.heard().await, 0, "the first is too old by now, and nothing came after it");
    let (_, list) = bench.ask(&format!("GET /v1/{PARENT}/jobs"), json!({})).await;
    assert_eq!(list["jobs"].as_array().map(Vec::len), Some(1));
    assert_eq!(bench.ask(&format!("DELETE {tick}"), json!({})).await.0, 200);
    assert_eq!(bench.ask(&format!("GET {tick}"), json!({})).await.0, 404);
}

#[tokio::test]
async fn what_is_refused() {
    let bench = bench().await;
    assert_eq!(bench.job("whenever").await.0, 400);
    let far = json!({ "name": format!("{PARENT}/jobs/far"), "schedule": "* * * * *", "httpTarget": { "uri": "https://example.com" } });
    assert_eq!(bench.ask(&format!("POST /v1/{PARENT}/jobs"), far).await.0, 400);
    let none = json!({ "name": format!("{PARENT}/jobs/none"), "schedule": "* * * * *" });
    assert_eq!(bench.ask(&format!("POST /v1/{PARENT}/jobs"), none).await.0, 400);
    assert_eq!(bench.ask(&format!("PUT /v1/{PARENT}/jobs/none"), json!({})).await.0, 501);
}
