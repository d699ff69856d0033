//! An init phase that fails is repeated inside the first invocation.

use crate::fake::{INIT_LIMIT, Lab, TIMEOUT, cap, failure, millis, text};
use mlemu_core::outcome::Phase;
use mlemu_core::record::Status;
use mlemu_core::{FunctionFailure, Outcome, StartKind, What};

/// The first invocation of a function with this init, and its records as (phase, status) of each init.
async fn first(init: &str) -> (Outcome, Vec<(Phase, Status)>, Vec<String>) {
    let lab = Lab::with(cap(Some(1)));
    lab.publish(init);
    let outcome = lab.call("ok fine").await;
    lab.until_recorded(1, |what| matches!(what, What::Ended { .. })).await;
    let records = lab.records();
    let inits = records.iter().filter_map(|record| match &record.what {
        What::InitEnded { init, status } => Some((init.phase, status.clone())),
        _ => None,
    });
    let inits = inits.collect();
    let story = lab.story(&outcome.id);
    lab.finish().await;
    (outcome, inits, story)
}

fn phases(inits: &[(Phase, Status)]) -> Vec<(Phase, bool)> {
    inits.iter().map(|(phase, status)| (*phase, status.is_ok())).collect()
}

#[tokio::test(start_paused = true)]
async fn an_init_error_is_repeated_and_then_told() {
    let (outcome, inits, story) = first("print importing; error ImportError").await;
    let body = "{\"errorType\":\"ImportError\"}".into();
    let kind = Some("ImportError".to_owned());
    assert_eq!(*failure(&outcome), FunctionFailure::Reported { body, kind, phase: Phase::Init });
    assert_eq!(outcome.usage.start, StartKind::Cold);
    assert_eq!(phases(&inits), [(Phase::Init, false), (Phase::Invoke, false)]);
    assert_eq!(inits[0].1, Status::Error { kind: "ImportError".into() });
    let told = ["started", "init started", "log: importing", "init ended: Invoke failed", "ended: failed"];
    assert_eq!(story, told);
}

#[tokio::test(start_paused = true)]
async fn an_init_that_works_the_second_time_serves() {
    let (outcome, inits, story) = first("sleep 30; exit 1 | sleep 40").await;
    assert_eq!(text(&outcome), "fine");
    assert_eq!(phases(&inits), [(Phase::Init, false), (Phase::Invoke, true)]);
    assert_eq!(inits[0].1, Status::Exited { code: Some(1), signal: None });
    let init = outcome.usage.init.expect("an init");
    assert_eq!((init.phase, outcome.usage.start), (Phase::Invoke, StartKind::Cold));
    assert!(init.duration >= millis(40) && outcome.usage.handler >= init.duration);
    assert!(outcome.usage.queued < millis(20), "the failed init is no waiting: {:?}", outcome.usage.queued);
    assert_eq!(story, ["started", "init started", "init ended: Invoke ok", "ended: ok"]);
}

#[tokio::test(start_paused = true)]
async fn an_init_over_its_limit_is_repeated_under_the_functions_timeout() {
    let (outcome, inits, _) = first("hang").await;
    assert_eq!(*failure(&outcome), FunctionFailure::TimedOut { after: TIMEOUT });
    assert_eq!(inits[0], (Phase::Init, Status::Timeout { after: INIT_LIMIT }));
    assert_eq!(inits[1], (Phase::Invoke, Status::Timeout { after: TIMEOUT }));
    assert!(outcome.usage.handler >= TIMEOUT && outcome.usage.handler < TIMEOUT + millis(50));
    assert!(outcome.usage.queued < millis(50), "{:?}", outcome.usage.queued);
    let init = outcome.usage.init.expect("the init that failed inside");
    assert_eq!((init.phase, outcome.usage.start), (Phase::Invoke, StartKind::Cold));
}

#[tokio::test(start_paused = true)]
async fn a_slow_init_has_its_own_ten_seconds() {
    let (outcome, inits, _) = first("sleep 9000").await;
    assert_eq!(text(&outcome), "fine");
    assert_eq!(phases(&inits), [(Phase::Init, true)]);
    assert!(outcome.usage.handler < millis(50));
    assert!(outcome.usage.queued < millis(50), "a cold start is no waiting: {:?}", outcome.usage.queued);
}

#[tokio::test(start_paused = true)]
async fn an_init_out_of_memory_is_said() {
    let (outcome, inits, _) = first("memory 99; oom").await;
    assert_eq!(*failure(&outcome), FunctionFailure::OutOfMemory { limit: 128 << 20 });
    assert_eq!(inits[0].1, Status::OutOfMemory);
}

#[tokio::test(start_paused = true)]
async fn a_program_that_is_not_there_is_not_startable() {
    let lab = Lab::new();
    lab.publish_source("missing");
    let outcome = lab.call("ok").await;
    let FunctionFailure::NotStartable { why } = failure(&outcome) else { panic!("{outcome:?}") };
    assert!(why.contains("/missing") && why.contains("no such file"), "{why}");
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn only_the_first_invocation_repeats_a_failed_init() {
    let lab = Lab::with(cap(Some(1)));
    lab.publish("error Broken");
    lab.call("ok").await;
    lab.call("ok").await;
    let inits = lab.count(|what| matches!(what, What::InitEnded { .. }));
    assert_eq!(inits, 3, "one in the init phase and one in each invocation");
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_an_init_writes_belongs_to_the_init() {
    let lab = Lab::with(cap(Some(1)));
    lab.publish("print loading; write no line end");
    let outcome = lab.call("print hello; ok").await;
    lab.until_recorded(1, |what| matches!(what, What::Ended { .. })).await;
    assert_eq!(lab.story(&outcome.id), ["started", "log: hello", "ended: ok"]);
    let of_init: Vec<_> = lab
        .records()
        .iter()
        .filter(|record| record.subject.invocation.is_none() && record.subject.instance.is_some())
        .map(|record| match &record.what {
            What::Log(line) => line.text.clone(),
            What::InitStarted { version, .. } => format!("init {version}"),
            What::InitEnded { .. } => "ready".into(),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(of_init, ["init 1.2.3", "loading", "no line end", "ready"]);
    lab.finish().await;
}
