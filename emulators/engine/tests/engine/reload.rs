//! New code while calls run, wait and are about to come.

use crate::fake::{Lab, cap, id, millis, outcome, text};
use mlemu_core::{Invoke, Refusal, StartKind, What};
use std::sync::Arc;

fn pinned(lab: &Lab, label: &str, script: &str) -> Invoke {
    Invoke { qualifier: Some(label.into()), ..lab.invocation(script) }
}

#[tokio::test(start_paused = true)]
async fn a_running_invocation_ends_on_its_code_and_the_next_has_the_new() {
    let lab = Arc::new(Lab::with(cap(Some(2))));
    lab.publish("");
    let running = lab.send("gate g; ok").await;
    lab.world.until(|seen| seen.deliveries.len() == 1).await;
    assert!(lab.engine.republish(&id()));
    assert_eq!(text(&lab.call("ok").await), "2");
    lab.world.open("g");
    assert_eq!(text(&outcome(running).await), "1");
    lab.world.until(|seen| seen.live == 1).await;
    assert_eq!(lab.view().latest.number, 2);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_move_to_the_new_code_in_order() {
    let lab = Arc::new(Lab::with(cap(Some(1))));
    lab.publish("");
    let running = lab.send("gate g; ok").await;
    lab.world.until(|seen| seen.deliveries.len() == 1).await;
    let mut waiting = Vec::new();
    for _ in 0..5 {
        waiting.push(lab.send("ok").await);
    }
    lab.engine.republish(&id());
    lab.engine.republish(&id());
    lab.world.open("g");
    assert_eq!(text(&outcome(running).await), "1");
    let mut ids = Vec::new();
    for call in waiting {
        let outcome = outcome(call).await;
        assert_eq!(text(&outcome), "3");
        ids.push(outcome.id);
    }
    let seen = lab.world.seen();
    assert_eq!(seen.deliveries[1..].iter().map(|event| event.id.clone()).collect::<Vec<_>>(), ids);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_of_old_code_is_not_waited_for_while_it_starts() {
    let lab = Arc::new(Lab::with(cap(Some(1))));
    lab.publish("gate never | sleep 10");
    let call = lab.send("ok").await;
    lab.world.until(|seen| seen.live == 1).await;
    lab.engine.republish(&id());
    assert_eq!(text(&outcome(call).await), "2");
    assert_eq!(lab.world.seen().most_live, 1);
    let gone = |what: &What| matches!(what, What::InstanceGone { why } if why.contains("replaced"));
    assert_eq!(lab.count(gone), 1);
    assert_eq!(
        lab.count(|what| matches!(what, What::InitStarted { .. })),
        lab.count(|what| matches!(what, What::InitEnded { .. })),
        "every init that began has ended"
    );
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_reload_an_instance_starts_before_the_next_call() {
    let lab = Lab::with(cap(Some(1)));
    lab.publish("sleep 100");
    lab.call("ok").await;
    // Two saves in a row: the second comes before anything of the first has started.
    lab.engine.republish(&id());
    lab.engine.republish(&id());
    lab.world.until(|seen| seen.started == 2 && seen.live == 1).await;
    lab.until_recorded(2, |what| matches!(what, What::InitEnded { .. })).await;
    let next = lab.call("ok").await;
    assert_eq!(text(&next), "3");
    assert!(next.usage.queued < millis(5), "{:?}", next.usage.queued);
    assert_eq!(next.usage.init.map(|init| init.duration >= millis(100)), Some(true), "its init is told");
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn without_instances_a_reload_starts_none() {
    let lab = Lab::new();
    lab.publish("");
    lab.engine.republish(&id());
    lab.publish("");
    crate::fake::pass(millis(1000)).await;
    assert_eq!(lab.world.seen().started, 0);
    assert_eq!(lab.count(|what| matches!(what, What::Published { reload: true, .. })), 1);
    assert_eq!(lab.count(|what| matches!(what, What::Published { reload: false, .. })), 1);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn broken_new_code_answers_as_broken_and_repaired_code_works() {
    let lab = Lab::with(cap(Some(1)));
    lab.publish(" | error SyntaxError | error SyntaxError | ");
    lab.call("ok").await;
    lab.engine.republish(&id());
    lab.until_recorded(2, |what| matches!(what, What::InitEnded { .. })).await;
    assert!(lab.call("ok").await.result.is_err());
    lab.engine.republish(&id());
    assert_eq!(text(&lab.call("ok").await), "3");
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn two_hundred_reloads_under_fire_lose_nothing_and_leave_nothing() {
    let lab = Arc::new(Lab::with(cap(Some(2))));
    lab.publish("sleep 5");
    let mut calls = Vec::new();
    for round in 0..200 {
        calls.push((round, lab.send(["ok", "sleep 7; ok", "sleep 1; error Bad", "exit 1"][round % 4]).await));
        lab.engine.republish(&id());
        crate::fake::pass(millis(round as u64 % 9)).await;
    }
    for (round, call) in calls {
        assert_eq!(outcome(call).await.result.is_ok(), round % 4 < 2);
    }
    lab.engine.republish(&id());
    crate::fake::pass(millis(1000)).await;
    let seen = lab.world.seen();
    assert_eq!((seen.live, seen.sessions, seen.builds_running), (1, 1, 0), "only the warm one of the newest");
    assert_eq!((lab.view().instances, lab.view().in_flight), (1, 0));
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_pinned_revision_stays_as_it_was() {
    let lab = Lab::with(cap(Some(2)));
    lab.publish("");
    assert!(lab.engine.pin(&id(), "1").is_some());
    lab.engine.republish(&id());
    assert_eq!(text(&lab.call("ok").await), "2");
    let outcome = crate::fake::done(lab.invoke(pinned(&lab, "1", "ok")).await);
    assert_eq!((text(&outcome).as_str(), outcome.revision.as_str()), ("1", "1"));
    lab.engine.republish(&id());
    let outcome = crate::fake::done(lab.invoke(pinned(&lab, "1", "ok")).await);
    assert_eq!((text(&outcome).as_str(), outcome.usage.start), ("1", StartKind::Warm), "reloads spare it");
    assert_eq!(lab.view().pinned.len(), 1);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_unpinned_revision_is_gone_with_its_instances() {
    let lab = Arc::new(Lab::with(cap(Some(2))));
    lab.publish("");
    lab.engine.pin(&id(), "1");
    let running = lab.send_invocation(pinned(&lab, "1", "sleep 50; ok")).await;
    assert!(lab.engine.unpin(&id(), "1") && !lab.engine.unpin(&id(), "1"));
    let refused = lab.invoke(pinned(&lab, "1", "ok")).await;
    assert!(matches!(refused, Err(Refusal::NoRevision { .. })), "{refused:?}");
    assert_eq!(text(&outcome(running).await), "1", "what runs is not broken off");
    lab.world.until(|seen| seen.live == 0).await;
    assert_eq!(text(&lab.call("ok").await), "1");
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn revisions_make_room_for_each_other_under_the_cap() {
    let lab = Lab::with(cap(Some(1)));
    lab.publish("sleep 10");
    lab.engine.pin(&id(), "1");
    lab.engine.republish(&id());
    for _ in 0..5 {
        assert_eq!(text(&lab.call("ok").await), "2");
        assert_eq!(text(&crate::fake::done(lab.invoke(pinned(&lab, "1", "ok")).await)), "1");
    }
    assert_eq!(lab.world.seen().most_live, 1);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_instances_make_room_than_are_needed() {
    let lab = Arc::new(Lab::with(cap(Some(4))));
    lab.publish("");
    lab.engine.pin(&id(), "1");
    let mut warm = Vec::new();
    for _ in 0..4 {
        warm.push(lab.send("sleep 50; ok").await);
    }
    for call in warm {
        outcome(call).await;
    }
    lab.world.until(|seen| seen.frozen == 4).await;
    let old = lab.send_invocation(pinned(&lab, "1", "ok")).await;
    // While room is made, other things go on.
    for _ in 0..3 {
        lab.engine.reserve(&id(), None);
        tokio::task::yield_now().await;
    }
    outcome(old).await;
    let seen = lab.world.seen();
    assert_eq!((seen.started, seen.live), (5, 4), "one went, one came");
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_calls_does_not_starve_a_pinned_revision() {
    let lab = Arc::new(Lab::with(cap(Some(1))));
    lab.publish("");
    lab.engine.pin(&id(), "1");
    let mut before = Vec::new();
    for _ in 0..3 {
        before.push(lab.send("sleep 100; ok").await);
    }
    crate::fake::pass(millis(1)).await;
    let old = lab.send_invocation(pinned(&lab, "1", "ok")).await;
    crate::fake::pass(millis(1)).await;
    let mut after = Vec::new();
    for _ in 0..20 {
        after.push(lab.send("sleep 100; ok").await);
    }
    let waited = outcome(old).await.usage.queued;
    assert!(waited < millis(500), "it came fourth and waited {waited:?}");
    for call in before.into_iter().chain(after) {
        outcome(call).await;
    }
    lab.finish().await;
}
