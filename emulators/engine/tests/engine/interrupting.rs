//! What counts as under way, and calls and instances that are ended from outside.

use crate::fake::{Lab, cap, done, failure, id, millis, outcome, pass};
use mlemu_core::{FunctionFailure, Refusal, StartKind};
use mlemu_engine::Interrupt;
use mlemu_engine::settle::{Which, Work};
use std::sync::Arc;

#[tokio::test(start_paused = true)]
async fn a_call_is_under_way_until_its_process_asks_for_more() {
    let lab = Arc::new(Lab::new());
    lab.publish("");
    let call = lab.invocation("linger 50; ok");
    let called = call.id.clone();
    done(lab.invoke(call).await);
    let open = lab.engine.settle().open(&Which::Everything);
    assert_eq!(open.len(), 1, "it has answered, and may still do something");
    assert_eq!(open[0].work, Work::Invocation { id: called, function: id() });
    lab.engine.settle().settled(&Which::Everything).await;
    let past = lab.engine.history().after(0);
    assert!(past[0].status().expect("it has ended").is_ok());
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn everything_under_way_ends_and_what_comes_later_works() {
    let lab = Arc::new(Lab::with(cap(Some(1))));
    lab.publish("");
    let running = lab.send("hang").await;
    let waiting = lab.send("ok").await;
    lab.world.until(|seen| seen.deliveries.len() == 1).await;
    lab.engine.quiesce().await;
    assert!(lab.engine.settle().is_settled(&Which::Everything));
    assert_eq!(*failure(&outcome(running).await), FunctionFailure::Stopped);
    assert_eq!(waiting.await.expect("no panic").err(), Some(Refusal::Stopping));
    let later = lab.call("ok").await;
    assert!(later.result.is_ok());
    assert_eq!(lab.engine.history().after(0).len(), 3);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn idle_instances_stay_when_calls_are_ended() {
    let lab = Arc::new(Lab::with(cap(Some(2))));
    lab.publish("");
    let busy = lab.send("hang").await;
    lab.call("ok").await;
    pass(millis(5)).await;
    lab.engine.quiesce().await;
    drop(busy.await);
    assert_eq!(lab.call("ok").await.usage.start, StartKind::Warm);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn who_has_answered_stays_warm_unless_it_lingers() {
    for (script, start) in [("linger 5; ok", StartKind::Warm), ("linger 5000; ok", StartKind::Cold)] {
        let lab = Arc::new(Lab::with(cap(Some(1))));
        lab.publish("");
        lab.call(script).await;
        let began = tokio::time::Instant::now();
        lab.engine.quiesce().await;
        assert!(began.elapsed() < millis(200), "{script}");
        assert!(lab.engine.settle().is_settled(&Which::Everything), "{script}");
        assert_eq!(lab.call("ok").await.usage.start, start, "{script}");
        lab.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cold_start_comes_on_demand_whatever_the_instance_does() {
    for script in ["ok", "linger 50; ok", "sleep 30; ok"] {
        for after in [0, 1, 25, 100] {
            let lab = Arc::new(Lab::with(cap(Some(1))));
            lab.publish("");
            lab.call("ok").await;
            let before = lab.send(script).await;
            pass(millis(after)).await;
            lab.engine.interrupt(Some(&id()), Interrupt::Warmth);
            assert!(outcome(before).await.result.is_ok(), "{script} ends as it would have");
            let next = lab.call("ok").await;
            assert_eq!(next.usage.start, StartKind::Cold, "{script} after {after}");
            lab.finish().await;
        }
    }
}
