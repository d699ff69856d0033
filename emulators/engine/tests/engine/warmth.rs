//! Instances that are kept although nothing calls, how many there may be where each takes several calls, and lines
//! that say themselves which call they are of.

use crate::fake::{Lab, cap, id, millis, outcome, pass};
use mlemu_core::{StartKind, What};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn as_many_as_shall_be_there_are_there_before_the_first_call_and_stay() {
    let lab = Lab::with(cap(Some(4)));
    lab.publish("sleep 50");
    lab.engine.provide(&id(), 2);
    lab.world.until(|seen| seen.live == 2).await;
    pass(millis(60)).await;
    assert_eq!(lab.call("ok").await.usage.start, StartKind::Cold, "the first to hear of its init");
    pass(Duration::from_hours(2)).await;
    let seen = lab.world.seen();
    assert_eq!((seen.live, seen.started), (2, 2), "nobody is given up");
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_is_replaced_though_not_for_ever() {
    let lab = Lab::with(cap(Some(4)));
    lab.publish("die-later 20");
    lab.engine.provide(&id(), 1);
    pass(Duration::from_mins(5)).await;
    let started = lab.world.seen().started;
    assert!((2..=5).contains(&started), "{started}");
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_reservation_of_calls_is_one_of_instances_too() {
    let lab = Arc::new(Lab::with(cap(None)));
    lab.publish_crowd("sleep 10");
    // Two instances, each full with three.
    lab.engine.reserve(&id(), Some(6));
    let mut pending = Vec::new();
    for _ in 0..6 {
        pending.push(lab.send("sleep 1000; ok").await);
    }
    let more = lab.invoke(lab.invocation("ok")).await;
    assert!(more.is_err(), "{more:?}");
    for call in pending {
        outcome(call).await;
    }
    assert_eq!(lab.world.seen().most_live, 2);
    // A call that waits for others to end starts no third, as each has room again in a moment.
    let queued = mlemu_core::Invoke { mode: mlemu_core::Mode::Queue, ..lab.invocation("sleep 1000; ok") };
    for number in 0..12 {
        let id = mlemu_core::InvocationId(format!("queued-{number}").into());
        assert!(lab.invoke(mlemu_core::Invoke { id, ..queued.clone() }).await.is_ok());
    }
    lab.until_recorded(18, |what| matches!(what, What::Ended { .. })).await;
    assert_eq!(lab.world.seen().most_live, 2);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn lines_that_say_whose_they_are_go_there() {
    let lab = Arc::new(Lab::with(cap(Some(1))));
    lab.publish_crowd("");
    let one = lab.invocation("sleep 10; print @call-1 mine; sleep 30; ok");
    let other = lab.invocation("sleep 20; print @call-1 late; print @call-2 two|lines; print nobody's; ok");
    assert_eq!((&*one.id.0, &*other.id.0), ("call-1", "call-2"));
    let pending = [lab.send_invocation(one.clone()).await, lab.send_invocation(other.clone()).await];
    for call in pending {
        outcome(call).await;
    }
    lab.until_recorded(2, |what| matches!(what, What::Ended { .. })).await;
    assert_eq!(lab.story(&one.id), ["started", "log: mine", "log: late", "ended: ok"]);
    assert_eq!(lab.story(&other.id), ["started", "log: two", "log: lines", "ended: ok"]);
    lab.finish().await;
}
