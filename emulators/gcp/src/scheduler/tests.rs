//! Cloud Scheduler by its paths, on a clock that is moved by hand.

mod nothing;

use super::*;
use crate::place::Place;
use crate::pubsub;
use crate::pubsub::wire::{PullRequest, Subscription};
use mlemu_engine::clock::{Course, Forward};
use mlemu_engine::queues::Queues;
use mlemu_engine::{Engine, Ids, Journal, Policy, SteeredClock};
use nothing::Nothing;
use std::time::Duration;

const PARENT: &str = "projects/demo-p/locations/us-central1";
const TOPIC: &str = "projects/demo-p/topics/ticks";
const HEARD: &str = "projects/demo-p/subscriptions/heard";

struct Bench {
    scheduler: Scheduler,
    pubsub: PubSub,
    clock: Arc<SteeredClock>,
    settle: Settle,
    schedules: Arc<Schedules>,
}

async fn bench() -> Bench {
    let clock = Arc::new(SteeredClock::new());
    let at = mlemu_core::Timestamp(1_767_225_600_000_000);
    clock.set(Course::Steered { at, rate: 0.0 }).await;
    let engine = Engine::new(mlemu_engine::Parts {
        clock: clock.clone(),
        ids: Ids::default(),
        build: Arc::new(Nothing),
        sandbox: Arc::new(Nothing),
        journal: Arc::new(Journal::new(10)),
        policy: Policy::local(1),
    });
    let settle = engine.settle().clone();
    let schedules = Arc::new(Schedules::new(engine));
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
    let (timing, settled, all) = (clock.clone(), settle.clone(), schedules.clone());
    let shelf = mlemu_engine::Shelf::default();
    let parts =
        Parts { clock: timing, settle: settled, pubsub: pubsub.clone(), schedules: all, scope, shelf };
    Bench { scheduler: Scheduler::new(parts), pubsub, clock, settle, schedules }
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

/// Until who waits for the job's time does so, which on one thread is when everybody else has had a turn.
async fn waits(bench: &Bench) {
    tokio::task::yield_now().await;
    assert_eq!(bench.clock.next_due(1).len(), 1);
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
async fn a_job_is_one_of_the_worlds_schedules() {
    let bench = bench().await;
    bench.job("*/10 * * * *").await;
    let [(schedule, next)] = bench.schedules.all().try_into().ok().expect("one schedule");
    assert_eq!(
        (schedule.starts.to_string().as_str(), schedule.expression.as_str()),
        ("tick", "*/10 * * * * (Etc/UTC)")
    );
    assert_eq!(next, Some(Timestamp(1_767_226_200_000_000)));
    assert!(bench.schedules.fire(&format!("{PARENT}/jobs/tick")).await);
    bench.settle.still().await;
    assert_eq!(bench.heard().await, 1);
    bench.ask(&format!("POST /v1/{PARENT}/jobs/tick:pause"), json!({})).await;
    assert!(bench.schedules.all().is_empty(), "it never comes");
    bench.ask(&format!("POST /v1/{PARENT}/jobs/tick:resume"), json!({})).await;
    let saved = bench.scheduler.saved();
    bench.ask(&format!("DELETE /v1/{PARENT}/jobs/tick"), json!({})).await;
    assert!(bench.schedules.all().is_empty());
    bench.scheduler.restore(&saved);
    assert_eq!(bench.schedules.all().len(), 1);
}

/// Whoever takes a job only at the third try is met by one advance.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_tried_again_as_time_goes_forward() {
    let bench = bench().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let target = axum::Router::new().fallback(move |request: Request<Body>| {
        let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        told.send((header("x-cloudscheduler-scheduletime"), header("x-cloud-trace-context"))).unwrap();
        async { StatusCode::SERVICE_UNAVAILABLE }
    });
    tokio::spawn(async move { axum::serve(listener, target).await });
    let job = json!({
        "name": format!("{PARENT}/jobs/tick"), "schedule": "0 2 * * *", "httpTarget": { "uri": uri },
        "retryConfig": { "retryCount": 2, "minBackoffDuration": "600s" },
    });
    assert_eq!(bench.ask(&format!("POST /v1/{PARENT}/jobs"), job).await.0, 200);
    bench.later(6 * 60).await;
    let mut all = Vec::new();
    while let Ok(one) = heard.try_recv() {
        all.push(one);
    }
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all.iter().all(|one| *one == all[0]), "of one cause: {all:?}");
    assert_eq!(all[0].0, "2026-01-01T02:00:00Z");
    let (_, job) = bench.ask(&format!("GET /v1/{PARENT}/jobs/tick"), json!({})).await;
    assert_eq!(job["status"]["code"], 2, "{job}");
    assert!(bench.settle.is_settled(&mlemu_engine::settle::Which::Everything));
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
