//! Deletion and shutdown: calls under way complete, and nothing is left.

use crate::fake::{Lab, cap, failure, id, millis, outcome};
use mlemu_core::{FunctionFailure, Invoke, Mode, Refusal, Reply, What};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_deletion_completes_what_runs_and_what_waits() {
    let lab = Arc::new(Lab::with(cap(Some(1))));
    lab.publish("");
    let running = lab.send("hang").await;
    let waiting = lab.send("ok").await;
    lab.world.until(|seen| seen.deliveries.len() == 1).await;
    assert!(lab.engine.delete(&id()));
    assert!(!lab.engine.delete(&id()), "it is gone");
    assert_eq!(*failure(&outcome(running).await), FunctionFailure::Stopped);
    let gone = Refusal::NoFunction { name: id().name.to_string() };
    assert_eq!(waiting.await.expect("no panic").err(), Some(gone.clone()));
    let refused = |what: &What| matches!(what, What::Refused { why } if *why == gone.to_string());
    assert_eq!(lab.count(refused), 1);
    lab.world.until(|seen| seen.live == 0).await;
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_what_a_deletion_is_still_ending() {
    let lab = Lab::with(cap(Some(2)));
    lab.publish("");
    lab.call("ok").await;
    lab.engine.delete(&id());
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_instances_in_every_state() {
    for script in ["ok", "hang", "linger 2000; ok", "sleep 30; ok", "exit 1", "die; ok"] {
        for init in ["", "hang", "sleep 40", "exit 1"] {
            for after in [0, 1, 2, 5, 21, 23, 45, 1000] {
                let lab = Arc::new(Lab::with(cap(Some(2))));
                lab.publish(init);
                let call = lab.send(script).await;
                let queue = Invoke { mode: Mode::Queue, ..lab.invocation("sleep 5; ok") };
                let queued = lab.send_invocation(queue).await;
                crate::fake::pass(millis(after)).await;
                lab.finish().await;
                assert!(matches!(queued.await.expect("no panic"), Ok(Reply::Accepted)));
                match call.await.expect("no panic") {
                    Ok(Reply::Done(_)) | Err(Refusal::Stopping) => {}
                    other => panic!("{script} after {init}, stopped at {after}: {other:?}"),
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_queued_call_that_never_ran_is_on_record() {
    let lab = Arc::new(Lab::with(cap(Some(1))));
    lab.publish("hang");
    let queued = Invoke { mode: Mode::Queue, ..lab.invocation("ok") };
    let call = queued.id.clone();
    assert!(matches!(lab.invoke(queued).await, Ok(Reply::Accepted)));
    lab.engine.shutdown().await;
    assert_eq!(lab.story(&call).len(), 1, "{:?}", lab.story(&call));
    assert_eq!(lab.count(|what| matches!(what, What::Refused { .. })), 1);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_build_does_not_hold_up_a_shutdown() {
    let lab = Arc::new(Lab::new());
    lab.publish_source("gate never");
    let call = lab.send("ok").await;
    lab.world.until(|seen| seen.builds_running == 1).await;
    lab.finish().await;
    assert_eq!(call.await.expect("no panic").err(), Some(Refusal::Stopping));
}

#[tokio::test(start_paused = true)]
async fn a_function_of_the_same_name_lives_while_the_old_one_ends() {
    let lab = Arc::new(Lab::with(cap(None)));
    lab.publish("");
    let running = lab.send("hang").await;
    lab.world.until(|seen| seen.deliveries.len() == 1).await;
    lab.engine.delete(&id());
    lab.publish("");
    lab.call("ok").await;
    assert_eq!(*failure(&outcome(running).await), FunctionFailure::Stopped);
    lab.finish().await;
}

/// Real threads and real time: calls, deletions, publications and reloads race for as long as they can.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_race_with_deletions_and_reloads_never_hang() {
    let lab = Arc::new(Lab::with(cap(None)));
    lab.publish("");
    let racers = (0..8).map(|racer| {
        let lab = lab.clone();
        tokio::spawn(async move {
            for round in 0..60 {
                let mut invoke = lab.invocation(["ok", "die; ok", "die-later 0; ok", "exit 1"][round % 4]);
                if round % 5 == 0 {
                    invoke.mode = Mode::Queue;
                }
                match lab.invoke(invoke).await {
                    Ok(Reply::Done(_) | Reply::Accepted)
                    | Err(Refusal::NoFunction { .. } | Refusal::Stopping) => {}
                    other => panic!("racer {racer}: {other:?}"),
                }
                match (racer, round % 10) {
                    (0, 9) => drop(lab.engine.delete(&id())),
                    (1, _) => drop(lab.engine.republish(&id())),
                    (2, 3) => lab.publish(""),
                    _ => {}
                }
            }
        })
    });
    let racers: Vec<_> = racers.collect();
    let all = async {
        for racer in racers {
            racer.await.expect("no panic");
        }
        lab.publish("");
        lab.call("ok").await;
        lab.finish().await;
    };
    tokio::time::timeout(Duration::from_mins(1), all).await.expect("nothing hangs");
}
