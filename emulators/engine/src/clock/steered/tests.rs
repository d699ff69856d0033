//! Timers that are advanced over, from the outside.

use super::*;
use tokio::task::JoinHandle;

const HOUR: Duration = Duration::from_secs(3600);

fn clock() -> Arc<SteeredClock> {
    Arc::new(SteeredClock::new())
}

/// Waits `delays` one after the other, and says when each was over.
fn waits(clock: &Arc<SteeredClock>, name: u32, delays: &[Duration], heard: &Heard) -> JoinHandle<()> {
    let (clock, delays, heard) = (clock.clone(), delays.to_vec(), heard.clone());
    // The first timer is set before this returns.
    let mut next = Some(clock.until(clock.now().plus(delays[0])));
    tokio::spawn(async move {
        for index in 0..delays.len() {
            let Some(timer) = next.take() else { return };
            let due = timer.await;
            // What comes of it takes its time.
            tokio::task::yield_now().await;
            heard.lock().unwrap().push((name, clock.now()));
            next = delays.get(index + 1).map(|delay| clock.until(clock.now().plus(*delay)));
            drop(due);
        }
    })
}

type Heard = Arc<Mutex<Vec<(u32, Timestamp)>>>;

#[tokio::test]
async fn a_day_of_timers_happens_in_order_and_at_once() {
    let (clock, settle, heard) = (clock(), Settle::default(), Heard::default());
    clock.set(Course::Steered { at: Timestamp(0), rate: 0.0 }).await;
    let first = waits(&clock, 1, &[HOUR; 6], &heard);
    let second = waits(&clock, 2, &[HOUR.mul_f64(1.5); 4], &heard);
    let never = waits(&clock, 3, &[HOUR * 7], &heard);
    let began = clock.elapsed();
    assert_eq!(clock.forward(Forward::By(HOUR * 6), &settle).await, Timestamp::default().plus(HOUR * 6));
    assert!(clock.elapsed().saturating_sub(began) < Duration::from_secs(5));
    first.await.unwrap();
    second.await.unwrap();
    let heard: Vec<_> =
        heard.lock().unwrap().iter().map(|(name, at)| (*name, at.millis() / 60_000)).collect();
    let expected =
        [(1, 60), (2, 90), (1, 120), (2, 180), (1, 180), (1, 240), (2, 270), (1, 300), (2, 360), (1, 360)];
    assert_eq!(heard, expected);
    assert!(!never.is_finished());
    assert_eq!(clock.next_due(9), [Timestamp::default().plus(HOUR * 7)]);
    assert_eq!(clock.now(), Timestamp::default().plus(HOUR * 6), "it stands where it was sent");
}

#[tokio::test]
async fn going_forward_waits_for_what_is_under_way() {
    let (clock, settle) = (clock(), Settle::default());
    clock.set(Course::Steered { at: Timestamp(0), rate: 0.0 }).await;
    let scope = Arc::new(Scope::new("cloud", "one", "here"));
    let busy = settle.enter(&scope, "t".into(), Work::Due { what: "work".into() });
    let going = tokio::spawn({
        let (clock, settle) = (clock.clone(), settle.clone());
        async move { clock.forward(Forward::By(HOUR), &settle).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(clock.now(), Timestamp(0), "time stands still meanwhile");
    drop(busy);
    going.await.unwrap();
    assert_eq!(clock.now(), Timestamp(0).plus(HOUR));
}

#[tokio::test]
async fn who_gives_up_on_the_way_leaves_time_on_its_course() {
    let (clock, settle) = (clock(), Settle::default());
    clock.set(Course::Steered { at: Timestamp(0), rate: 0.0 }).await;
    let stuck = clock.until(Timestamp(10));
    let stuck = tokio::spawn(async move { (stuck.await, std::future::pending::<()>().await) });
    let going = clock.forward(Forward::By(HOUR), &settle);
    assert!(tokio::time::timeout(Duration::from_millis(20), going).await.is_err());
    assert_eq!(clock.course(), Course::Steered { at: Timestamp(10), rate: 0.0 });
    stuck.abort();
    let _ = stuck.await;
    assert_eq!(clock.forward(Forward::To(Timestamp(30)), &settle).await, Timestamp(30));
}

#[tokio::test]
async fn timers_follow_the_course() {
    let clock = clock();
    let before = clock.machine();
    assert!(clock.now() >= before, "real at first");
    let timer = clock.until(clock.now().plus(HOUR));
    // An hour in a tenth of a second.
    clock.set(Course::Steered { at: clock.now(), rate: 36_000.0 }).await;
    assert!(!timer.await.is_watched());
    clock.set(Course::Steered { at: Timestamp(5), rate: 0.0 }).await;
    assert_eq!((clock.now(), clock.now()), (Timestamp(5), Timestamp(5)));
    assert!(clock.machine() >= before, "processes read another clock");
    let jumped = clock.until(Timestamp(6));
    clock.set(Course::Real).await;
    let _ = jumped.await;
    assert!(clock.next_due(1).is_empty(), "timers that are over leave nothing");
}
