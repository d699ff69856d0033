//! However an invocation ends, its caller hears of it once, and the next one works.

use crate::fake::{Lab, TIMEOUT, failure, millis, policy, text};
use mlemu_core::outcome::Phase;
use mlemu_core::{FunctionFailure, Outcome, StartKind};
use mlemu_engine::Policy;

/// Runs the script, then a good one, in one instance. Gives both outcomes.
async fn then_a_good_one(script: &str) -> (Outcome, Outcome) {
    let lab = Lab::with(Policy { local_cap: Some(1), ..policy() });
    lab.publish("sleep 100");
    let bad = lab.call(script).await;
    let good = lab.call("ok fine").await;
    assert_eq!(text(&good), "fine");
    assert_eq!(lab.view().instances, 1, "an instance survives its process");
    assert_eq!(lab.count(|what| matches!(what, mlemu_core::What::InstanceGone { .. })), 0);
    lab.finish().await;
    (bad, good)
}

/// The process went down with the invocation: the next one starts it again inside its own time.
fn assert_started_again(good: &Outcome) {
    let init = good.usage.init.expect("an init");
    assert_eq!((init.phase, good.usage.start), (Phase::Invoke, StartKind::Cold));
    assert!(init.duration >= millis(100), "{:?}", init.duration);
    assert!(good.usage.handler >= init.duration, "the repeated init is part of the handler's time");
}

fn assert_served_on(good: &Outcome) {
    assert_eq!((good.usage.init, good.usage.start), (None, StartKind::Warm));
}

#[tokio::test(start_paused = true)]
async fn an_answer_tells_of_the_cold_start_once() {
    let lab = Lab::new();
    lab.publish("sleep 100");
    let first = lab.call("sleep 20; ok hello").await;
    assert_eq!(text(&first), "hello");
    let init = first.usage.init.expect("an init");
    assert_eq!((init.phase, first.usage.start), (Phase::Init, StartKind::Cold));
    assert!(init.duration >= millis(100) && init.duration < millis(110), "{:?}", init.duration);
    assert!(first.usage.handler >= millis(20) && first.usage.handler < millis(30));
    assert_eq!(first.revision, "$LATEST");
    assert_served_on(&lab.call("ok").await);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_reported_error_leaves_the_process_alive() {
    let (bad, good) = then_a_good_one("error ValueError").await;
    let body = "{\"errorType\":\"ValueError\"}".into();
    let kind = Some("ValueError".into());
    assert_eq!(*failure(&bad), FunctionFailure::Reported { body, kind, phase: Phase::Invoke });
    assert_served_on(&good);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_large_leaves_the_process_alive() {
    let (bad, good) = then_a_good_one("large").await;
    assert_eq!(*failure(&bad), FunctionFailure::ResponseTooLarge { size: 1001, limit: 1000 });
    assert_served_on(&good);
}

#[tokio::test(start_paused = true)]
async fn an_exit_ends_the_process_and_not_the_instance() {
    let (bad, good) = then_a_good_one("sleep 5; exit 3").await;
    let ended = FunctionFailure::Exited { code: Some(3), signal: None, phase: Phase::Invoke };
    assert_eq!(*failure(&bad), ended);
    assert_started_again(&good);
}

#[tokio::test(start_paused = true)]
async fn a_signal_ends_the_process_and_not_the_instance() {
    let (bad, good) = then_a_good_one("signal 11").await;
    let ended = FunctionFailure::Exited { code: None, signal: Some(11), phase: Phase::Invoke };
    assert_eq!(*failure(&bad), ended);
    assert_started_again(&good);
}

#[tokio::test(start_paused = true)]
async fn too_much_memory_is_said_with_the_limit() {
    let (bad, good) = then_a_good_one("memory 134217700; oom").await;
    assert_eq!(*failure(&bad), FunctionFailure::OutOfMemory { limit: 128 << 20 });
    assert_eq!((bad.usage.peak_memory, bad.usage.memory_limit), (128 << 20, 128 << 20));
    assert_started_again(&good);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_handler_is_ended_at_its_timeout() {
    let (bad, good) = then_a_good_one("hang").await;
    assert_eq!(*failure(&bad), FunctionFailure::TimedOut { after: TIMEOUT });
    assert!(bad.usage.handler >= TIMEOUT && bad.usage.handler < TIMEOUT + millis(50));
    assert_started_again(&good);
}

#[tokio::test(start_paused = true)]
async fn an_answer_counts_although_the_process_ends_right_after_it() {
    let (first, good) = then_a_good_one("die; ok last words").await;
    assert_eq!(text(&first), "last words");
    assert_started_again(&good);
    assert!(good.usage.queued < millis(10), "its end is seen at once: {:?}", good.usage.queued);
}

#[tokio::test(start_paused = true)]
async fn the_repeated_init_spends_the_invocations_own_time() {
    let lab = Lab::with(Policy { local_cap: Some(1), ..policy() });
    lab.publish("sleep 100 | sleep 2900");
    lab.call("exit 1").await;
    let late = lab.call("sleep 200; ok").await;
    assert_eq!(*failure(&late), FunctionFailure::TimedOut { after: TIMEOUT });
    let seen = lab.world.seen();
    let left = seen.deliveries.last().expect("an event").left;
    assert!(left <= millis(100), "{left:?} left after an init of 2900 ms");
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_process_that_crashes_while_idle_is_replaced() {
    let lab = Lab::with(Policy { local_cap: Some(1), ..policy() });
    lab.publish("sleep 100");
    lab.call("die-later 50; ok").await;
    lab.world.until(|seen| seen.live == 0).await;
    let next = lab.call("ok fine").await;
    assert_eq!(text(&next), "fine");
    assert_eq!(next.usage.init.map(|init| init.phase), Some(Phase::Init));
    lab.finish().await;
}

/// Polls it once: it is under way, and nobody else has had a turn yet.
async fn begin(call: &mut (impl Future + Unpin)) {
    tokio::select! {
        biased;
        _ = call => panic!("it is done already"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn calls_never_meet_a_process_that_died_before_them() {
    for calls_first in [true, false] {
        let lab = Lab::with(Policy { local_cap: Some(1), ..policy() });
        lab.publish("");
        lab.call("ok").await;
        lab.world.until(|seen| seen.frozen == 1).await;
        let mut first = Box::pin(lab.call("sleep 5; ok first"));
        let mut second = Box::pin(lab.call("ok second"));
        if calls_first {
            begin(&mut first).await;
            begin(&mut second).await;
        }
        lab.world.crash();
        let (first, second) = tokio::join!(first, second);
        assert_eq!((text(&first), text(&second)), ("first".into(), "second".into()));
        assert_eq!(first.usage.init.map(|init| init.phase), Some(Phase::Init), "it went to a new instance");
        let deliveries = lab.world.seen().deliveries;
        assert_eq!((&deliveries[1].id, &deliveries[2].id), (&first.id, &second.id), "in their order");
        lab.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_ask_for_more_is_ended_with_the_invocations_time() {
    let lab = Lab::with(Policy { local_cap: Some(1), ..policy() });
    lab.publish("sleep 100");
    assert_eq!(text(&lab.call("linger 60000; ok quick").await), "quick");
    let next = lab.call("ok").await;
    assert!(next.usage.queued >= millis(2900), "it waited for the instance: {:?}", next.usage.queued);
    assert_started_again(&next);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_delays_the_next_event_and_loses_nothing() {
    let lab = Lab::with(Policy { local_cap: Some(1), ..policy() });
    lab.publish("");
    lab.call("linger 500; ok").await;
    let next = lab.call("ok fine").await;
    assert_eq!(text(&next), "fine");
    assert_served_on(&next);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_changes_nothing() {
    let lab = Lab::with(Policy { local_cap: Some(1), ..policy() });
    lab.publish("");
    let abandoned = lab.invocation("sleep 200; ok");
    let call = abandoned.id.clone();
    assert!(tokio::time::timeout(millis(50), lab.invoke(abandoned)).await.is_err(), "it is still running");
    assert_eq!(text(&lab.call("ok fine").await), "fine");
    assert_eq!(lab.story(&call), ["started", "ended: ok"]);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_panics_takes_only_its_own_instance_down() {
    let lab = Lab::with(Policy { local_cap: Some(1), ..policy() });
    lab.publish("");
    assert!(lab.engine.invoke(lab.invocation("panic")).await.is_err());
    assert_eq!(text(&lab.call("ok fine").await), "fine");
    lab.engine.shutdown().await;
    lab.world.until(|seen| seen.live == 0).await;
}
