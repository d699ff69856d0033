//! The clouds' terms: CPU, simulated starts, keep-alive, and instances that are always there.

use crate::fake::{Lab, id, millis, policy, text};
use mlemu_core::{ColdStarts, Profile, Simulated, Terms, What};
use mlemu_engine::{Interrupt, Policy, Simulation};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const TERMS: &str = r#"{
    "name": "fake", "cloud": "x", "title": "Fake", "dated": "2026-11-21",
    "sources": {"page": {"what": "a page", "grade": "page"}},
    "figures": {"simulation": {
        "vcpu": {"v": {"per_mb": 0.001, "max": 2}, "src": "page"},
        "init_vcpu": {"v": 1, "src": "page"},
        "placement_ms": {"v": {"p50": 15000, "sigma": 0.4}, "src": "page"},
        "fetch_ms_per_mb": {"v": 8, "src": "page"},
        "keep_alive_min": {"v": 5, "src": "page"}
    }}, "rules": []
}"#;

fn simulating(cold_starts: ColdStarts, sleeps: bool) -> Policy {
    let terms = Terms::of(&Profile::read(TERMS).expect("a profile"));
    let terms = Arc::new(BTreeMap::from([("fake".to_owned(), terms)]));
    Policy { simulation: Simulation { cpu: true, cold_starts, sleeps, terms }, ..policy() }
}

fn told(lab: &Lab) -> Vec<Simulated> {
    let records = lab.records();
    let inits = records.iter().filter_map(|record| match &record.what {
        What::InitEnded { init, .. } => init.simulated,
        _ => None,
    });
    inits.collect()
}

#[tokio::test(start_paused = true)]
async fn fifteen_seconds_of_cold_start_are_told_and_not_waited_for() {
    let lab = Lab::with(simulating(ColdStarts::Typical, false));
    lab.publish("");
    let before = tokio::time::Instant::now();
    let outcome = lab.call("ok").await;
    assert!(before.elapsed() < millis(10), "{:?}", before.elapsed());
    let init = outcome.usage.init.expect("a cold start");
    let simulated = init.simulated.expect("told");
    assert!(simulated.placement.abs_diff(Duration::from_secs(15)) < millis(1), "{simulated:?}");
    assert!(init.duration < millis(10), "what is measured has nothing of it");
    assert_eq!(told(&lab), [simulated], "the record says the same");
    assert_eq!(lab.call("ok").await.usage.init, None);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_it_waits_and_no_more_than_that() {
    let lab = Lab::with(simulating(ColdStarts::Typical, true));
    lab.publish("");
    let before = tokio::time::Instant::now();
    let outcome = lab.call("ok").await;
    let usage = outcome.usage;
    let init = usage.init.expect("a cold start");
    let parts = init.simulated.expect("told").total() + init.duration + usage.handler;
    assert!(before.elapsed() >= Duration::from_secs(15));
    assert!(before.elapsed().saturating_sub(parts) < millis(10), "{:?} {parts:?}", before.elapsed());
    assert!(usage.queued < millis(1), "a start is no queue: {:?}", usage.queued);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_draws_the_same_starts() {
    let draws = async |seed| {
        let lab = Lab::with(simulating(ColdStarts::Sampled, false));
        lab.engine.ids().seed(seed);
        lab.publish("");
        for _ in 0..3 {
            lab.call("ok").await;
            lab.engine.interrupt(None, Interrupt::Warmth);
        }
        let told = told(&lab);
        lab.finish().await;
        told
    };
    let once = draws(7).await;
    assert_eq!(once, draws(7).await);
    assert_eq!(once.len(), 3);
    assert!(once[0] != once[1] && once != draws(8).await, "drawn, not fixed");
}

#[tokio::test(start_paused = true)]
async fn without_a_wish_nothing_is_told() {
    let lab = Lab::with(simulating(ColdStarts::Off, false));
    lab.publish("");
    assert_eq!(lab.call("ok").await.usage.init.and_then(|init| init.simulated), None);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_init_has_its_boost_and_what_follows_its_share() {
    let lab = Lab::with(simulating(ColdStarts::Off, false));
    lab.publish("");
    let usage = lab.call("ok").await.usage;
    // 128 MB, a thousandth of a CPU for each.
    assert_eq!(lab.world.seen().grants, [Some(1.0), Some(0.128)]);
    assert_eq!(usage.cpu, Some(0.128));
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_instance_is_kept_as_long_as_its_product_keeps_it() {
    let lab = Lab::with(simulating(ColdStarts::Off, false));
    lab.publish("");
    lab.call("ok").await;
    crate::fake::pass(Duration::from_secs(299)).await;
    assert_eq!(lab.view().instances, 1);
    crate::fake::pass(Duration::from_secs(2)).await;
    assert_eq!(lab.view().instances, 0);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn provided_instances_are_there_uncalled_and_stay() {
    let lab = Lab::with(simulating(ColdStarts::Off, false));
    lab.publish("");
    assert!(lab.engine.provide(&id(), 2));
    lab.world.until(|seen| seen.live == 2).await;
    assert_eq!(text(&lab.call("ok fine").await), "fine");
    assert_eq!(lab.world.seen().started, 2, "the call needed no other");
    crate::fake::pass(Duration::from_hours(5)).await;
    assert_eq!(lab.view().instances, 2);
    lab.engine.interrupt(None, Interrupt::Warmth);
    lab.world.until(|seen| seen.started == 4 && seen.live == 2).await;
    lab.engine.provide(&id(), 0);
    lab.engine.interrupt(None, Interrupt::Warmth);
    lab.world.until(|seen| seen.live == 0).await;
    assert!(!lab.engine.provide(&mlemu_core::FunctionId::new(id().scope.clone(), "other"), 1));
    lab.finish().await;
}
