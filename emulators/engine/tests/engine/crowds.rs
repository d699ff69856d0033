//! Instances that take several calls at a time.

use crate::fake::{Lab, Pending, cap, failure, millis, outcome, pass, text};
use mlemu_core::{FunctionFailure, Invoke, Stream, What};
use std::sync::Arc;

fn lab(cap_of_instances: usize) -> Arc<Lab> {
    let lab = Arc::new(Lab::with(cap(Some(cap_of_instances))));
    lab.publish_crowd("");
    lab
}

async fn sent(lab: &Arc<Lab>, scripts: &[&str]) -> Vec<Pending> {
    let mut pending = Vec::new();
    for script in scripts {
        pending.push(lab.send(script).await);
    }
    lab.world.until(|seen| seen.deliveries.len() >= scripts.len()).await;
    pending
}

/// Which process got which event, by the order of events.
fn served_by(lab: &Lab) -> Vec<u64> {
    lab.world.seen().deliveries.iter().map(|event| event.process).collect()
}

#[tokio::test(start_paused = true)]
async fn calls_share_an_instance_until_it_is_full() {
    let lab = lab(4);
    let pending = sent(&lab, &["gate g; ok"; 7]).await;
    let seen = lab.world.seen();
    assert_eq!((seen.started, seen.most_events), (3, 3), "seven calls, three in each");
    lab.world.open("g");
    for call in pending {
        outcome(call).await;
    }
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_free_place_goes_to_the_next_in_line() {
    let lab = lab(1);
    let mut held = sent(&lab, &["gate g; ok", "gate g; ok", "sleep 50; ok"]).await;
    let waiting = lab.send("ok").await;
    let waited = outcome(waiting).await.usage.queued;
    assert!(waited >= millis(50) && waited < millis(60), "{waited:?}");
    outcome(held.pop().expect("three")).await;
    assert_eq!(lab.world.seen().started, 1);
    lab.world.open("g");
    for call in held {
        outcome(call).await;
    }
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn who_calls_again_at_once_needs_no_second_instance() {
    let lab = lab(4);
    let callers = (0..3).map(|_| {
        let lab = lab.clone();
        tokio::spawn(async move {
            for _ in 0..30 {
                lab.call("linger 2; sleep 3; ok").await;
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("no panic");
    }
    assert_eq!(lab.world.seen().started, 1);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_end_ends_all_that_it_served_and_no_other() {
    let lab = lab(2);
    let mut calls = sent(&lab, &["gate g; ok", "gate g; ok", "sleep 5; exit 3", "gate g; ok"]).await;
    let apart = calls.pop().expect("four");
    for call in calls {
        let outcome = outcome(call).await;
        assert!(matches!(failure(&outcome), FunctionFailure::Exited { code: Some(3), .. }), "{outcome:?}");
    }
    lab.world.open("g");
    assert_eq!(text(&outcome(apart).await), "1");
    assert_eq!(text(&lab.call("ok").await), "1");
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn after_an_end_a_call_starts_the_process_again_and_others_follow() {
    let lab = lab(1);
    for call in sent(&lab, &["gate g; ok", "exit 1"]).await {
        outcome(call).await;
    }
    lab.world.open("g");
    let calls = sent(&lab, &["sleep 10; ok"; 3]).await;
    for call in calls {
        assert_eq!(text(&outcome(call).await), "1");
    }
    let served = served_by(&lab);
    assert_eq!(served[0], served[1]);
    assert!(served[2..].iter().all(|process| *process == served[2] && *process != served[0]), "{served:?}");
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_revision_waits_for_nobody_and_ends_nobody() {
    let lab = lab(4);
    let old = sent(&lab, &["gate g; ok", "gate g; ok"]).await;
    assert!(lab.engine.republish(&crate::fake::id()));
    assert_eq!(text(&lab.call("ok").await), "2");
    lab.world.open("g");
    for call in old {
        assert_eq!(text(&outcome(call).await), "1");
    }
    lab.world.until(|seen| seen.live == 1).await;
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_written_belongs_to_a_call_only_where_there_is_no_other() {
    let lab = lab(1);
    let mut calls = sent(&lab, &["sleep 10; print crowded; sleep 30; ok", "sleep 20; ok"]).await;
    let second = outcome(calls.pop().expect("two")).await;
    let first = outcome(calls.pop().expect("two")).await;
    let alone = crate::fake::done(
        lab.invoke(Invoke { wants_log: true, ..lab.invocation("print alone; sleep 1; ok") }).await,
    );
    lab.until_recorded(3, |what| matches!(what, What::Ended { .. })).await;
    assert_eq!(lab.story(&first.id), ["started", "ended: ok"]);
    assert_eq!(lab.story(&second.id), ["started", "ended: ok"]);
    assert_eq!(lab.story(&alone.id), ["started", "log: alone", "ended: ok"]);
    assert_eq!(alone.log, ["start", "alone", "end"]);
    let crowded = |what: &What| matches!(what, What::Log(line) if line.text == "crowded" && line.stream == Stream::Stdout);
    assert_eq!(lab.count(crowded), 1, "nothing that was written is lost");
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn only_an_instance_without_calls_freezes_or_makes_room() {
    let lab = lab(1);
    let long = sent(&lab, &["sleep 500; ok", "ok"]).await;
    pass(millis(200)).await;
    assert_eq!(lab.world.seen().freezes, 0, "one call is still in flight");
    for call in long {
        outcome(call).await;
    }
    lab.world.until(|seen| seen.frozen == 1).await;
    assert_eq!(text(&lab.call("ok").await), "1");
    lab.finish().await;
}
