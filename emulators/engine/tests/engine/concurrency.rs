//! How many run at once, who waits, and who is told to come back later.

use crate::fake::{Lab, cap, done, id, millis, outcome, policy, text};
use mlemu_core::{Invoke, Mode, Refusal, Reply, StartKind, Throttle, What};
use mlemu_engine::Policy;
use std::sync::Arc;

fn queued(lab: &Lab, script: &str) -> Invoke {
    Invoke { mode: Mode::Queue, ..lab.invocation(script) }
}

fn throttled(reply: Result<Reply, Refusal>) -> Throttle {
    match reply {
        Err(Refusal::Throttled(throttle)) => throttle,
        other => panic!("not throttled: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn calls_wait_in_order_under_the_local_cap() {
    let lab = Arc::new(Lab::with(cap(Some(2))));
    lab.publish("sleep 100");
    let mut pending = Vec::new();
    for _ in 0..9 {
        pending.push(lab.send("sleep 1000; ok").await);
    }
    let mut outcomes = Vec::new();
    for call in pending {
        outcomes.push(outcome(call).await);
    }
    let seen = lab.world.seen();
    let order: Vec<_> = seen.deliveries.iter().map(|event| event.id.clone()).collect();
    assert_eq!(order, outcomes.iter().map(|outcome| outcome.id.clone()).collect::<Vec<_>>());
    assert_eq!((seen.started, seen.most_live), (2, 2));
    for (place, outcome) in outcomes.iter().enumerate() {
        let round = place / 2;
        assert_eq!(outcome.usage.start, if round == 0 { StartKind::Cold } else { StartKind::Warm });
        let waited = if round == 0 { 0 } else { 100 + 1000 * round as u64 };
        let queued = outcome.usage.queued;
        assert!(queued >= millis(waited) && queued < millis(waited + 60), "call {place} waited {queued:?}");
    }
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_cap_each_waiting_call_gets_an_instance() {
    let lab = Arc::new(Lab::with(cap(None)));
    lab.publish("sleep 100");
    let mut pending = Vec::new();
    for _ in 0..40 {
        pending.push(lab.send("sleep 1000; ok").await);
    }
    for call in pending {
        let outcome = outcome(call).await;
        assert_eq!(outcome.usage.start, StartKind::Cold);
        assert!(outcome.usage.queued < millis(20), "{:?}", outcome.usage.queued);
    }
    assert_eq!(lab.world.seen().most_live, 40);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_in_a_row_stays_in_one_instance() {
    let lab = Lab::with(cap(Some(4)));
    lab.publish("");
    for _ in 0..50 {
        // Its client needs a moment to ask for the next event; that is no reason for a second instance.
        lab.call("linger 2; print a line; ok").await;
    }
    assert_eq!(lab.world.seen().started, 1);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_does_not_wait_for_a_client_that_lingers() {
    let lab = Lab::with(cap(Some(2)));
    lab.publish("sleep 100");
    lab.call("linger 2500; ok").await;
    let next = lab.call("ok").await;
    assert!(next.usage.queued < millis(500), "{:?}", next.usage.queued);
    assert_eq!(lab.world.seen().started, 2);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_most_recently_used_instance_serves() {
    let lab = Arc::new(Lab::with(cap(Some(2))));
    lab.publish("");
    let (short, long) = (lab.send("sleep 10; ok").await, lab.send("sleep 50; ok").await);
    outcome(short).await;
    let last = outcome(long).await.id;
    lab.world.until(|seen| seen.frozen > 1).await;
    for _ in 0..5 {
        lab.call("ok").await;
        // Its instance is free once its client has asked for more.
        crate::fake::pass(millis(1)).await;
    }
    let seen = lab.world.seen();
    let used = seen.deliveries.iter().find(|event| event.id == last).expect("it ran").process;
    assert!(seen.deliveries[2..].iter().all(|event| event.process == used), "{:?}", seen.deliveries);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_reservation_lets_so_many_in_and_throttles_the_next() {
    let lab = Arc::new(Lab::with(cap(None)));
    lab.publish("");
    assert!(lab.engine.reserve(&id(), Some(2)));
    let held = [lab.send("gate g; ok").await, lab.send("gate g; ok").await];
    assert_eq!(throttled(lab.invoke(lab.invocation("ok")).await), Throttle::Reserved);
    let accepted = lab.invoke(queued(&lab, "ok")).await;
    assert!(matches!(accepted, Ok(Reply::Accepted)), "a queued call waits instead: {accepted:?}");
    lab.world.open("g");
    for call in held {
        outcome(call).await;
    }
    lab.until_recorded(3, |what| matches!(what, What::Ended { .. })).await;
    assert_eq!(lab.world.seen().most_live, 2);
    assert_eq!(text(&lab.call("ok free again").await), "free again");
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_with_its_answer_may_call_again_at_once() {
    let lab = Lab::with(cap(None));
    lab.publish("");
    lab.engine.reserve(&id(), Some(1));
    for script in ["ok", "error Bad", "exit 1", "linger 100; ok", "die; ok", "large", "hang"].repeat(3) {
        done(lab.invoke(lab.invocation(script)).await);
    }
    assert_eq!(lab.view().in_flight, 0);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_account_throttles_over_all_functions() {
    let lab = Arc::new(Lab::with(Policy { account_concurrency: 1, ..policy() }));
    lab.publish("");
    let held = lab.send("gate g; ok").await;
    assert_eq!(throttled(lab.invoke(lab.invocation("ok")).await), Throttle::Account);
    lab.world.open("g");
    outcome(held).await;
    lab.call("ok").await;
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_lower_reservation_ends_idle_instances_and_spares_busy_ones() {
    let lab = Arc::new(Lab::with(cap(None)));
    lab.publish("");
    let mut held = Vec::new();
    for gate in ["a", "a", "b"] {
        held.push(lab.send(&format!("gate {gate}; ok")).await);
    }
    lab.world.until(|seen| seen.deliveries.len() == 3).await;
    lab.world.open("a");
    outcome(held.remove(0)).await;
    outcome(held.remove(0)).await;
    lab.world.until(|seen| seen.frozen == 2).await;
    lab.engine.reserve(&id(), Some(1));
    lab.world.until(|seen| seen.live == 1).await;
    lab.world.open("b");
    outcome(held.remove(0)).await;
    lab.engine.reserve(&id(), None);
    lab.call("ok").await;
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn events_of_a_wrong_size_and_unknown_names_are_refused() {
    let lab = Lab::new();
    lab.publish("");
    let large = lab.invocation(&"x".repeat(1001));
    assert_eq!(lab.invoke(large).await.err(), Some(Refusal::TooLarge { size: 1001, limit: 1000 }));
    let large = queued(&lab, &"x".repeat(101));
    assert_eq!(lab.invoke(large).await.err(), Some(Refusal::TooLarge { size: 101, limit: 100 }));
    let other = Invoke { qualifier: Some("7".into()), ..lab.invocation("ok") };
    let unknown = Refusal::NoRevision { name: "f".into(), qualifier: "7".into() };
    assert_eq!(lab.invoke(other).await.err(), Some(unknown));
    let dry = Invoke { mode: Mode::DryRun, ..lab.invocation("ok") };
    assert!(matches!(lab.invoke(dry).await, Ok(Reply::WouldRun)));
    assert_eq!(lab.world.seen().started, 0);
    lab.engine.delete(&id());
    assert_eq!(lab.invoke(lab.invocation("ok")).await.err(), Some(Refusal::NoFunction { name: "f".into() }));
    assert_eq!(lab.count(|what| matches!(what, What::Refused { .. })), 4);
    lab.finish().await;
}
