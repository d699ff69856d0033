//! A revision that is not startable yet, or not at all.

use crate::fake::{Lab, failure, id, millis, outcome, policy, text};
use mlemu_core::{FunctionFailure, What};
use mlemu_engine::{Draft, Policy};
use std::sync::Arc;

#[tokio::test(start_paused = true)]
async fn a_failed_build_is_told_with_its_hint_and_tried_again() {
    let lab = Lab::new();
    lab.publish_source("fail | fail | ok");
    let first = lab.call("ok").await;
    let why = "no such package\nhint: spell it right".to_owned();
    assert_eq!(*failure(&first), FunctionFailure::NotStartable { why: why.clone() });
    assert_eq!(*failure(&lab.call("ok").await), FunctionFailure::NotStartable { why });
    assert_eq!(text(&lab.call("ok fine").await), "fine");
    assert_eq!(lab.world.seen().builds, 3);
    assert_eq!(lab.count(|what| matches!(what, What::BuildFailed { .. })), 2);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_a_build_and_its_time_is_no_cold_start() {
    let lab = Arc::new(Lab::new());
    lab.publish_source("gate g");
    let calls = [lab.send("ok").await, lab.send("ok").await, lab.send("ok").await];
    crate::fake::pass(millis(5000)).await;
    assert_eq!(lab.world.seen().started, 0);
    lab.world.open("g");
    for call in calls {
        let usage = outcome(call).await.usage;
        assert!(usage.queued < millis(5000), "the build is told apart: {:?}", usage.queued);
        assert!(usage.init.is_none_or(|init| init.duration < millis(100)));
    }
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn all_calls_that_waited_for_a_failed_build_are_told() {
    let lab = Arc::new(Lab::new());
    lab.publish_source("fail");
    let calls = [lab.send("ok").await, lab.send("ok").await, lab.send("ok").await];
    for call in calls {
        assert!(matches!(failure(&outcome(call).await), FunctionFailure::NotStartable { .. }));
    }
    assert_eq!(lab.view().in_flight, 0);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn calls_outlive_a_broken_build_when_new_code_comes() {
    let lab = Arc::new(Lab::new());
    lab.publish_source("gate never");
    let call = lab.send("ok").await;
    lab.publish_source("ok");
    assert_eq!(text(&outcome(call).await), "2");
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_runtime_that_nobody_knows_is_not_startable() {
    let lab = Lab::new();
    lab.engine.publish(Draft { runtime: "unknown".into(), ..lab.draft("") });
    let outcome = lab.call("ok").await;
    let why = "no runtime `unknown`\nhint: try fake1".to_owned();
    assert_eq!(*failure(&outcome), FunctionFailure::NotStartable { why });
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_build_that_panics_is_a_failed_build() {
    let lab = Lab::new();
    lab.publish_source("panic | ok");
    let outcome = lab.call("ok").await;
    assert!(matches!(failure(&outcome), FunctionFailure::NotStartable { .. }), "{outcome:?}");
    assert_eq!(text(&lab.call("ok fine").await), "fine");
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn steps_and_warnings_of_a_build_are_recorded_about_the_function() {
    let lab = Lab::new();
    lab.publish_source("odd");
    lab.call("ok").await;
    let records = lab.records();
    let of = |what: fn(&What) -> bool| records.iter().find(|record| what(&record.what)).expect("a record");
    let step = of(|what| matches!(what, What::Building { step, .. } if step == "odd"));
    let warning = of(|what| matches!(what, What::Warning { text } if text == "that was odd"));
    for record in [step, warning] {
        assert_eq!(record.subject.function, Some(id()));
        assert_eq!(record.subject.revision.as_deref(), Some("$LATEST"));
    }
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_nobody_calls_need_not_be_built() {
    let lab = Arc::new(Lab::with(Policy { build_ahead: false, ..policy() }));
    lab.publish("");
    assert!(lab.engine.republish(&id()));
    assert_eq!(text(&lab.call("ok").await), "2");
    assert_eq!(lab.world.seen().builds, 1, "only for the call");
    lab.finish().await;
}
