//! Rules: what they fit, when they strike, and that a seed decides the dice.

use super::*;
use std::time::Duration;

fn rule(effect: Effect, when: When) -> Rule {
    Rule { matching: Matching::default(), effect, when }
}

fn request(faults: &Faults, operation: &str, resource: &str) -> Option<u64> {
    let sighting = Sighting { point: Point::Request, service: "store", operation, resource, function: "" };
    faults.hit(&sighting, Subject::default()).map(|hit| hit.rule)
}

fn strikes(faults: &Faults, times: usize) -> Vec<bool> {
    (0..times).map(|_| request(faults, "Put", "a/b").is_some()).collect()
}

#[test]
fn nothing_is_asked_while_there_is_no_rule() {
    let faults = Faults::default();
    assert!(!faults.any() && strikes(&faults, 2) == [false, false]);
    let number = faults.add(rule(Effect::Throttle, When::default()));
    assert!(faults.any() && strikes(&faults, 1) == [true]);
    assert!(faults.remove(number) && !faults.remove(number) && !faults.any());
}

#[test]
fn rules_count_what_fits_them() {
    let nth = When { nth: vec![1, 3], ..When::default() };
    let times = When { after: 1, times: Some(2), ..When::default() };
    for (when, expected) in [(nth, [true, false, true, false]), (times, [false, true, true, false])] {
        let faults = Faults::default();
        faults.add(rule(Effect::Status(503), when));
        assert_eq!(strikes(&faults, 4), expected);
    }
}

#[test]
fn the_first_rule_that_strikes_wins_and_others_count_on() {
    let faults = Faults::default();
    faults.add(rule(Effect::Throttle, When { times: Some(1), ..When::default() }));
    faults.add(rule(Effect::Hang, When { nth: vec![2], ..When::default() }));
    let hits: Vec<_> = (0..3).map(|_| request(&faults, "Put", "a")).collect();
    assert_eq!(hits, [Some(1), Some(2), None]);
    let standing = faults.standing();
    assert_eq!((standing[0].seen, standing[0].struck, standing[1].struck), (3, 1, 1));
}

#[test]
fn patterns_fit_services_operations_and_resources() {
    let faults = Faults::default();
    let matching = Matching {
        service: Some("store".into()),
        operation: Some("put*".into()),
        resource: Some("pictures/*.png".into()),
        function: None,
    };
    faults.add(Rule { matching, effect: Effect::Throttle, when: When::default() });
    assert!(request(&faults, "PutObject", "pictures/a.png").is_some());
    assert!(request(&faults, "PutObject", "pictures/a.jpg").is_none());
    assert!(request(&faults, "GetObject", "pictures/a.png").is_none());
    let bucket = Matching { resource: Some("pictures".into()), ..Matching::default() };
    faults.add(Rule { matching: bucket, effect: Effect::Throttle, when: When::default() });
    assert_eq!(request(&faults, "GetObject", "pictures/a.jpg"), Some(2), "a bucket is enough");
}

#[test]
fn a_seed_decides_the_dice() {
    let row = |seed| {
        let faults = Faults::default();
        faults.seed(seed);
        faults.add(rule(Effect::Throttle, When { probability: 0.5, ..When::default() }));
        strikes(&faults, 64)
    };
    assert_eq!(row(7), row(7));
    assert_ne!(row(7), row(8));
    let struck = row(7).iter().filter(|struck| **struck).count();
    assert!((16..=48).contains(&struck), "{struck} of 64");
    let never = Faults::default();
    never.add(rule(Effect::Throttle, When { probability: 0.0, ..When::default() }));
    let often = strikes(&never, 1000).iter().filter(|struck| **struck).count();
    assert_eq!(often, 0);
}

#[tokio::test]
async fn a_window_is_over_in_emulated_time() {
    let clock = Arc::new(crate::SteeredClock::frozen(mlemu_core::Timestamp(0)));
    let faults = Faults::new(clock.clone(), Arc::new(crate::Journal::new(10)));
    faults.add(rule(Effect::Throttle, When { window: Some(Duration::from_secs(10)), ..When::default() }));
    let settle = crate::Settle::default();
    for (by, expected) in [(0, true), (9, true), (1, true), (1, false), (3600, false)] {
        clock.forward(crate::clock::Forward::By(Duration::from_secs(by)), &settle).await;
        assert_eq!(strikes(&faults, 1), [expected], "{:?}", clock.now());
    }
    assert_eq!((faults.standing()[0].seen, faults.standing()[0].struck), (5, 3));
}

#[tokio::test]
async fn what_is_received_together_is_turned_round_and_says_so() {
    use crate::queues::{NewMessage, Notes, Queues, Settings, TopicId, Want};
    let journal = Arc::new(crate::Journal::new(10));
    let clock = Arc::new(crate::SystemClock::new());
    let faults = Faults::new(clock.clone(), journal.clone());
    let queues = Queues::new(clock).meddled_by(faults.clone());
    let topic = TopicId::new(&Arc::new(mlemu_core::Scope::new("cloud", "one", "here")), "jobs");
    queues.create_queue(&topic, Settings::default(), Notes::new(), Notes::new()).expect("made");
    faults.add(rule(Effect::Reorder, When { times: Some(1), ..When::default() }));
    let received = async |texts: &[&'static str]| {
        for text in texts {
            queues.send(&topic, NewMessage::of(*text, Cause::Mlemu)).expect("sent");
        }
        let all = queues.receive(&topic.only(), Want::now(10)).await.expect("received");
        all.iter().map(|one| String::from_utf8_lossy(&one.message.body).into_owned()).collect::<String>()
    };
    assert_eq!(received(&["a"]).await, "a", "one alone has no order, and uses nothing up");
    assert_eq!(received(&["a", "b", "c"]).await, "cba");
    assert_eq!(received(&["a", "b", "c"]).await, "abc");
    let told = journal.past().iter().filter(|record| matches!(record.what, What::Injected { .. })).count();
    assert_eq!(told, 1);
}

#[test]
fn a_latency_is_between_its_ends() {
    let faults = Faults::default();
    let (least, most) = (Duration::from_millis(10), Duration::from_millis(20));
    faults.add(rule(Effect::Latency { least, most }, When::default()));
    let sighting = Sighting { point: Point::Request, service: "", operation: "", resource: "", function: "" };
    for _ in 0..50 {
        let took = faults.hit(&sighting, Subject::default()).expect("it strikes").latency();
        assert!((least..=most).contains(&took), "{took:?}");
    }
}
