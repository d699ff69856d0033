//! Cloud Tasks by its paths, without a connection in, and with real ones out.

use super::*;
use mlemu_core::Clock;
use mlemu_engine::SteeredClock;
use mlemu_engine::clock::{Course, Forward};
use mlemu_engine::settle::Settle;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const PARENT: &str = "projects/demo-p/locations/us-central1";

struct Bench {
    tasks: Tasks,
    clock: Arc<SteeredClock>,
    settle: Settle,
    url: String,
    /// What arrived.
    seen: mpsc::UnboundedReceiver<String>,
}

/// A target that refuses what it is told to, first.
async fn bench(refusals: usize) -> Bench {
    let clock = Arc::new(SteeredClock::new());
    clock.set(Course::Steered { at: clock.now(), rate: 0.0 }).await;
    let settle = Settle::default();
    let queues = Queues::new(clock.clone()).counted_in(settle.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/work", listener.local_addr().unwrap());
    let (say, seen) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = vec![0; 4096];
            let length = stream.read(&mut buffer).await.unwrap();
            say.send(String::from_utf8_lossy(&buffer[..length]).into_owned()).unwrap();
            let status = if number < refusals { "503 No" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let tasks = Tasks::new(queues, Place::new("demo-p", "us-central1"), &mlemu_engine::Shelf::default());
    Bench { tasks, clock, settle, url, seen }
}

impl Bench {
    async fn ask(&self, line: &str, body: Value) -> (u16, Value) {
        let (method, path) = line.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(path).body(Body::from(body.to_string())).unwrap();
        let answer = self.tasks.handle(request).await;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn queue(&self, config: Value) {
        let queue = json!({ "name": format!("{PARENT}/queues/chores"), "retryConfig": config });
        let (status, said) = self.ask(&format!("POST /v2/{PARENT}/queues"), queue).await;
        assert_eq!(status, 200, "{said}");
    }

    async fn task(&self, more: Value) -> (u16, Value) {
        let mut task =
            json!({ "httpRequest": { "url": self.url, "body": "aGk=", "headers": { "X-Own": "1" } } });
        queue::merge(&mut task, more);
        self.ask(&format!("POST /v2/{PARENT}/queues/chores/tasks"), json!({ "task": task })).await
    }

    async fn later(&self, seconds: u64) {
        self.clock.forward(Forward::By(Duration::from_secs(seconds)), &self.settle).await;
    }
}

#[tokio::test]
async fn a_task_goes_out_at_its_time() {
    let mut bench = bench(0).await;
    bench.queue(json!({})).await;
    let at = queue::rfc3339(bench.clock.now().plus(Duration::from_secs(60)));
    let name = format!("{PARENT}/queues/chores/tasks/mine");
    let (status, task) = bench.task(json!({ "scheduleTime": at, "name": name })).await;
    assert_eq!((status, &task["name"]), (200, &json!(name)));
    assert_eq!(bench.task(json!({ "name": name })).await.0, 409);
    bench.later(59).await;
    assert!(bench.seen.try_recv().is_err());
    bench.later(1).await;
    let request = bench.seen.recv().await.unwrap().to_lowercase();
    for part in [
        "post /work",
        "x-own: 1",
        "x-cloudtasks-taskname: mine",
        "x-cloudtasks-taskretrycount: 0",
        "\r\n\r\nhi",
    ] {
        assert!(request.contains(part), "{part} in {request}");
    }
    bench.settle.settled(&mlemu_engine::settle::Which::Everything).await;
    assert_eq!(bench.ask(&format!("GET /v2/{name}"), json!({})).await.0, 404);
}

#[tokio::test]
async fn a_task_is_tried_again_and_given_up() {
    let mut bench = bench(9).await;
    bench.queue(json!({ "maxAttempts": 3, "minBackoff": "10s", "maxBackoff": "15s" })).await;
    bench.task(json!({})).await;
    for (count, wait) in [(0, 10), (1, 15), (2, 3600)] {
        let request = bench.seen.recv().await.unwrap();
        assert!(request.contains(&format!("x-cloudtasks-taskretrycount: {count}")), "{request}");
        bench.later(wait).await;
    }
    assert!(bench.seen.try_recv().is_err());
    let (_, left) = bench.ask(&format!("GET /v2/{PARENT}/queues/chores/tasks"), json!({})).await;
    assert_eq!(left, json!({ "tasks": [] }));
}

#[tokio::test]
async fn tasks_wait_in_a_paused_queue_and_can_be_hurried_and_removed() {
    let mut bench = bench(0).await;
    bench.queue(json!({})).await;
    assert_eq!(
        bench.ask(&format!("POST /v2/{PARENT}/queues/chores:pause"), json!({})).await.1["state"],
        "PAUSED"
    );
    let (_, first) = bench.task(json!({ "scheduleTime": "2090-01-01T00:00:00Z" })).await;
    let (_, second) = bench.task(json!({ "scheduleTime": "2090-01-01T00:00:00Z" })).await;
    let name = |task: &Value| task["name"].as_str().unwrap().to_owned();
    assert_eq!(bench.ask(&format!("DELETE /v2/{}", name(&first)), json!({})).await.0, 200);
    bench.ask(&format!("POST /v2/{PARENT}/queues/chores:resume"), json!({})).await;
    assert!(bench.seen.try_recv().is_err());
    assert_eq!(bench.ask(&format!("POST /v2/{}:run", name(&second)), json!({})).await.0, 200);
    let task = name(&second);
    let id = task.rsplit('/').next().unwrap();
    assert!(bench.seen.recv().await.unwrap().contains(id));
}

#[tokio::test]
async fn what_is_refused() {
    let bench = bench(0).await;
    assert_eq!(bench.task(json!({})).await.0, 404, "no queue");
    bench.queue(json!({})).await;
    let far = json!({ "httpRequest": { "url": "https://example.com/" } });
    let wrong = [
        far,
        json!({ "httpRequest": { "body": "@" } }),
        json!({ "scheduleTime": "soon" }),
        json!({ "name": "x" }),
    ];
    for task in wrong {
        assert_eq!(bench.task(task.clone()).await.0, 400, "{task}");
    }
    assert_eq!(bench.ask(&format!("POST /v2/{PARENT}/queues"), json!({ "name": "x" })).await.0, 400);
    assert_eq!(bench.ask(&format!("PUT /v2/{PARENT}/queues/chores"), json!({})).await.0, 501);
}
