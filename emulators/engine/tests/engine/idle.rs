//! Between invocations: frozen after a moment, thawed before the next event, given up in the end.

use crate::fake::{Lab, TIMEOUT, cap, failure, millis, text};
use mlemu_core::{FunctionFailure, What};
use mlemu_engine::Draft;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn an_idle_process_is_frozen_and_thawed_before_the_next_event() {
    let lab = Lab::with(cap(Some(1)));
    lab.publish("");
    lab.call("ok").await;
    assert_eq!(lab.world.seen().freezes, 0, "not at once");
    lab.world.until(|seen| seen.frozen == 1).await;
    assert_eq!(text(&lab.call("ok fine").await), "fine");
    let seen = lab.world.seen();
    assert_eq!((seen.freezes, seen.thaws, seen.started), (1, 1, 1));
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn calls_in_a_row_meet_no_freeze() {
    let lab = Lab::with(cap(Some(1)));
    lab.publish("");
    for _ in 0..10 {
        lab.call("ok").await;
        crate::fake::pass(millis(15)).await;
    }
    assert_eq!(lab.world.seen().freezes, 0);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_comes_while_it_freezes_is_served() {
    for moment in 18..27 {
        let lab = Lab::with(cap(Some(1)));
        lab.publish("");
        lab.call("ok").await;
        crate::fake::pass(millis(moment)).await;
        let next = lab.call("ok fine").await;
        assert_eq!(text(&next), "fine");
        assert!(next.usage.handler < millis(10), "{:?} at {moment}", next.usage.handler);
        lab.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_is_given_up_after_its_keep_alive() {
    let lab = Lab::with(cap(Some(1)));
    lab.publish("");
    lab.call("ok").await;
    crate::fake::pass(Duration::from_secs(590)).await;
    lab.call("ok").await;
    crate::fake::pass(Duration::from_secs(590)).await;
    assert_eq!(lab.view().instances, 1, "each call begins the time anew");
    crate::fake::pass(Duration::from_secs(11)).await;
    assert_eq!((lab.view().instances, lab.world.seen().live), (0, 0));
    assert_eq!(lab.count(|what| matches!(what, What::InstanceGone { .. })), 1);
    assert_eq!(text(&lab.call("ok fine").await), "fine");
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_at_the_very_end_of_the_keep_alive_is_served() {
    for early in 0..5 {
        let lab = Lab::with(cap(Some(1)));
        lab.publish("");
        lab.call("ok").await;
        crate::fake::pass(millis(600_002 - early)).await;
        assert_eq!(text(&lab.call("ok fine").await), "fine");
        lab.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn where_a_vendor_does_not_freeze_nothing_is_frozen() {
    let lab = Lab::with(cap(Some(1)));
    lab.engine.publish(Draft { runtime: "steady".into(), ..lab.draft("") });
    lab.call("ok").await;
    crate::fake::pass(Duration::from_secs(60)).await;
    lab.call("ok").await;
    let seen = lab.world.seen();
    assert_eq!((seen.freezes, seen.started), (0, 1));
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn where_a_vendor_lets_work_go_on_the_process_outlives_the_deadline() {
    let lab = Lab::with(cap(Some(1)));
    lab.engine.publish(Draft { runtime: "steady".into(), ..lab.draft("") });
    let late = lab.call("hang").await;
    assert_eq!(*failure(&late), FunctionFailure::TimedOut { after: TIMEOUT });
    assert_eq!(text(&lab.call("ok fine").await), "fine");
    let seen = lab.world.seen();
    assert_eq!(seen.started, 1, "the same process serves on");
    assert_eq!(seen.deliveries[0].process, seen.deliveries[1].process);
    lab.finish().await;
}
