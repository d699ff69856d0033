//! Invoke: every way to ask and every way to end.

use super::*;
use crate::lambda::fake::{outcome, says};
use mlemu_core::outcome::Phase;
use mlemu_core::{Cause, FunctionFailure, Mode, Refusal, Throttle};
use std::time::Duration;

const INVOKE: &str = "/2015-03-31/functions/f/invocations";

#[tokio::test]
async fn an_answer() {
    let bench = Bench::with_f().await;
    let got = bench.send("POST", INVOKE, &[], r#"{"a":1}"#).await;
    assert_eq!((got.status, &got.body[..]), (200, &br#"{"a":1}"#[..]));
    assert_eq!(got.headers["x-amz-executed-version"], "$LATEST");
    assert_eq!(got.headers["content-type"], "application/json");
    assert!(!got.headers.contains_key("x-amz-function-error"));
    assert!(!got.headers.contains_key("x-amz-log-result"));
    let invoked = bench.functions.invoked.lock().unwrap();
    assert_eq!(&*invoked[0].id.0, got.headers["x-amzn-requestid"].to_str().unwrap());
    assert_eq!(invoked[0].attributes, []);
}

#[tokio::test]
async fn no_event_is_an_empty_object_and_no_answer_is_null() {
    let bench = Bench::with_f().await;
    assert_eq!(bench.send("POST", INVOKE, &[], "").await.body, "{}");
    bench.functions.ends(|invoke| Ok(outcome(invoke, Ok(says("")))));
    assert_eq!(bench.send("POST", INVOKE, &[], "1").await.body, "null");
}

#[tokio::test]
async fn queued_dry_and_old_fashioned() {
    let bench = Bench::with_f().await;
    let kind = "x-amz-invocation-type";
    let queued = bench.send("POST", INVOKE, &[(kind, "Event"), ("x-amz-log-type", "Tail")], "{}").await;
    assert_eq!((queued.status, queued.body.len()), (202, 0));
    assert_eq!(bench.send("POST", INVOKE, &[(kind, "DryRun")], "{}").await.status, 204);
    assert_eq!(bench.send("POST", "/2014-11-13/functions/f/invoke-async/", &[], "{}").await.status, 202);
    let modes: Vec<_> = bench.functions.invoked.lock().unwrap().iter().map(|invoke| invoke.mode).collect();
    assert_eq!(modes, [Mode::Queue, Mode::DryRun, Mode::Queue]);
    let wrong = bench.send("POST", INVOKE, &[(kind, "Later")], "{}").await.fault();
    assert_eq!(wrong.1, "ValidationException");
}

#[tokio::test]
async fn the_log_comes_when_asked_for() {
    let bench = Bench::with_f().await;
    let got = bench.send("POST", INVOKE, &[("x-amz-log-type", "Tail")], "{}").await;
    assert_eq!(BASE64.decode(&got.headers["x-amz-log-result"]).unwrap(), b"START\nEND\n");
}

#[tokio::test]
async fn what_travels_beside_the_event() {
    let bench = Bench::with_f().await;
    let context = BASE64.encode("{\"custom\": {\"k\": \"v\"}}");
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
    let headers = [("x-amz-client-context", context.as_str()), ("x-amzn-trace-id", trace)];
    let got = bench.send("POST", INVOKE, &headers, "{}").await;
    assert_eq!(got.headers["x-amzn-trace-id"], trace);
    let invoked = bench.functions.invoked.lock().unwrap();
    assert_eq!(
        invoked[0].attributes,
        [
            ("Lambda-Runtime-Client-Context", r#"{"custom":{"k":"v"}}"#.to_owned()),
            ("Lambda-Runtime-Trace-Id", trace.to_owned())
        ]
    );
    assert_eq!(invoked[0].cause, Cause::Request("1-5759e988-bd862e3fe1be46a994272793".into()));
}

#[tokio::test]
async fn versions_by_every_name() {
    let bench = Bench::with_f().await;
    bench.post("/2015-03-31/functions/f/versions", &json!({})).await;
    let arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af%3A1";
    for path in [
        format!("{INVOKE}?Qualifier=1"),
        "/2015-03-31/functions/f:1/invocations".to_owned(),
        format!("/2015-03-31/functions/{arn}/invocations"),
    ] {
        assert_eq!(
            bench.send("POST", &path, &[], "{}").await.headers["x-amz-executed-version"],
            "1",
            "{path}"
        );
    }
    let latest = bench.send("POST", &format!("{INVOKE}?Qualifier=$LATEST"), &[], "{}").await;
    assert_eq!(latest.headers["x-amz-executed-version"], "$LATEST");
    let none = bench.send("POST", &format!("{INVOKE}?Qualifier=live"), &[], "{}").await.fault();
    assert_eq!(none.2, "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:live");
}

#[tokio::test]
async fn endings_are_answers() {
    let bench = Bench::with_f().await;
    let exit = FunctionFailure::Exited { code: Some(3), signal: None, phase: Phase::Invoke };
    let cases = [
        (
            FunctionFailure::TimedOut { after: Duration::from_secs(3) },
            "Sandbox.Timedout",
            "Task timed out after 3.00 seconds",
        ),
        (exit, "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        (
            FunctionFailure::OutOfMemory { limit: 1 },
            "Runtime.ExitError",
            "Runtime exited with error: signal: killed",
        ),
    ];
    for (failure, kind, text) in cases {
        bench.functions.ends(move |invoke| Ok(outcome(invoke, Err(failure.clone()))));
        let got = bench.send("POST", INVOKE, &[], "{}").await;
        assert_eq!((got.status, &got.headers["x-amz-function-error"]), (200, &"Unhandled".parse().unwrap()));
        let id = got.headers["x-amzn-requestid"].to_str().unwrap();
        assert_eq!(
            got.json(),
            json!({ "errorType": kind, "errorMessage": format!("RequestId: {id} Error: {text}") })
        );
    }
}

#[tokio::test]
async fn refusals_are_errors() {
    let bench = Bench::with_f().await;
    bench.functions.ends(|_| Err(Refusal::Throttled(Throttle::Reserved)));
    let got = bench.send("POST", INVOKE, &[], "{}").await;
    assert_eq!(got.fault(), (429, "TooManyRequestsException".into(), "Rate Exceeded.".into()));
    assert_eq!(got.json()["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded");
    bench.functions.ends(|_| Err(Refusal::Stopping));
    assert_eq!(bench.send("POST", INVOKE, &[], "{}").await.status, 500);
    let unknown = bench.send("POST", "/2015-03-31/functions/g/invocations", &[], "{}").await.fault();
    assert_eq!(unknown.2, "Function not found: arn:aws:lambda:us-east-1:000000000000:function:g");
}

#[tokio::test]
async fn what_is_no_event_reaches_no_function() {
    let bench = Bench::with_f().await;
    for body in ["not json", "{", "{} {}"] {
        let (status, code, text) = bench.send("POST", INVOKE, &[], body).await.fault();
        assert_eq!((status, code.as_str()), (400, "InvalidRequestContentException"));
        assert!(text.starts_with("Could not parse request body into json: "), "{text}");
    }
    let context = bench.send("POST", INVOKE, &[("x-amz-client-context", "%%")], "{}").await.fault();
    assert_eq!(context.2, "Client context must be a valid Base64-encoded JSON object.");
    let too_large = |limit: u64| {
        let text = format!("Request must be smaller than {limit} bytes for the InvokeFunction operation");
        (413, "RequestTooLargeException".to_owned(), text)
    };
    let payload = |size: usize| format!("\"{}\"", "x".repeat(size - 2));
    assert_eq!(bench.send("POST", INVOKE, &[], payload(6_291_457)).await.fault(), too_large(6_291_456));
    let event = [("x-amz-invocation-type", "Event")];
    assert_eq!(bench.send("POST", INVOKE, &event, payload(1_048_577)).await.fault(), too_large(1_048_576));
    assert!(bench.functions.invoked.lock().unwrap().is_empty());
    assert_eq!(bench.send("POST", INVOKE, &[], payload(6_291_456)).await.status, 200);
}
