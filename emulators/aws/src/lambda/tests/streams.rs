//! InvokeWithResponseStream: frames on the wire.

use super::*;
use crate::lambda::fake::{outcome, says};
use mlemu_core::{Answer, FunctionFailure, Refusal, Throttle};
use std::time::Duration;

const PATH: &str = "/2021-11-15/functions/f/response-streaming-invocations";

/// Kind and payload of each frame.
fn frames(mut bytes: &[u8]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let (total, headers) = (word(0), word(4));
        let head = String::from_utf8_lossy(&bytes[12..12 + headers]).into_owned();
        let kind = if head.contains("PayloadChunk") { "PayloadChunk" } else { "InvokeComplete" };
        let payload = String::from_utf8(bytes[12 + headers..total - 4].to_vec()).unwrap();
        found.push((kind.to_owned(), payload));
        bytes = &bytes[total..];
    }
    found
}

fn frame(kind: &str, payload: &str) -> (String, String) {
    (kind.to_owned(), payload.to_owned())
}

#[tokio::test]
async fn chunks_as_they_come() {
    let bench = Bench::with_f().await;
    bench.functions.script(|invoke| {
        Box::pin(async move {
            let sink = invoke.stream.clone().unwrap();
            sink.head("text/plain");
            for part in ["one", "two"] {
                assert!(sink.chunk(Bytes::from_static(part.as_bytes())).await);
            }
            let answer = Answer { streamed: true, ..Answer::default() };
            Ok(outcome(&invoke, Ok(answer)))
        })
    });
    let got = bench.send("POST", PATH, &[("x-amz-log-type", "Tail")], "{}").await;
    assert_eq!(got.headers["content-type"], "application/vnd.amazon.eventstream");
    assert_eq!(got.headers["x-amz-executed-version"], "$LATEST");
    let log = format!(r#"{{"LogResult":"{}"}}"#, BASE64.encode("START\nEND\n"));
    let expected =
        [frame("PayloadChunk", "one"), frame("PayloadChunk", "two"), frame("InvokeComplete", &log)];
    assert_eq!(frames(&got.body), expected);
}

#[tokio::test]
async fn an_answer_that_was_not_streamed() {
    let bench = Bench::with_f().await;
    bench.functions.ends(|invoke| Ok(outcome(invoke, Ok(says(&"x".repeat(70_000))))));
    let got = frames(&bench.send("POST", PATH, &[], "{}").await.body);
    assert_eq!(got.len(), 3);
    assert_eq!(got[0].1.len() + got[1].1.len(), 70_000);
    assert_eq!(got[2], frame("InvokeComplete", "{}"));
}

#[tokio::test]
async fn a_failure_is_told_in_the_last_frame() {
    let bench = Bench::with_f().await;
    let late = FunctionFailure::TimedOut { after: Duration::from_secs(3) };
    bench.functions.ends(move |invoke| Ok(outcome(invoke, Err(late.clone()))));
    let got = bench.send("POST", PATH, &[], "{}").await;
    assert_eq!(got.status, 200);
    let last: Value = serde_json::from_str(&frames(&got.body)[0].1).unwrap();
    assert_eq!(last["ErrorCode"], "Sandbox.Timedout");
    let details: Value = serde_json::from_str(last["ErrorDetails"].as_str().unwrap()).unwrap();
    assert!(details["errorMessage"].as_str().unwrap().ends_with("Task timed out after 3.00 seconds"));
}

#[tokio::test]
async fn a_refusal_has_a_status() {
    let bench = Bench::with_f().await;
    bench.functions.ends(|_| Err(Refusal::Throttled(Throttle::Account)));
    let got = bench.send("POST", PATH, &[], "{}").await;
    assert_eq!(got.fault().0, 429);
    assert_eq!(got.json()["Reason"], "ConcurrentInvocationLimitExceeded");
    assert_eq!(bench.send("POST", PATH, &[("x-amz-invocation-type", "Event")], "{}").await.status, 400);
}

#[tokio::test]
async fn a_reader_that_leaves_stops_the_chunks() {
    let bench = Bench::with_f().await;
    let (told, hears) = tokio::sync::oneshot::channel();
    let told = std::sync::Mutex::new(Some(told));
    bench.functions.script(move |invoke| {
        let told = told.lock().unwrap().take();
        Box::pin(async move {
            let sink = invoke.stream.clone().unwrap();
            while sink.chunk(Bytes::from_static(b"more")).await {}
            told.unwrap().send(()).unwrap();
            Ok(outcome(&invoke, Ok(says(""))))
        })
    });
    let request = Request::builder().method("POST").uri(PATH).body(Body::from("{}")).unwrap();
    let mut body = bench.lambda.handle(request).await.into_body();
    assert!(body.frame().await.is_some());
    drop(body);
    hears.await.unwrap();
}
