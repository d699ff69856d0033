//! Receivers that wait: each is woken by what concerns it, and by nothing else.

use super::*;
use crate::settle::Settle;
use mlemu_core::{Boxed, Clock, Due, Timestamp};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::task::JoinHandle;
use tokio::time::Instant;

fn wait(bench: &Bench, most: usize, wait: Duration) -> JoinHandle<Result<Vec<Received>, Fault>> {
    let (queues, only) = (bench.queues.clone(), bench.only.clone());
    let want = Want { wait: Some(wait), ..Want::now(most) };
    tokio::spawn(async move { queues.receive(&only, want).await })
}

async fn seated(bench: &Bench, count: usize) {
    let mut commits = bench.queues.commits();
    while bench.queues.counts(&bench.only).unwrap().waiting != count {
        commits.changed().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_wakes_one_receiver_each() {
    let bench = Bench::new(Settings::default());
    let began = Instant::now();
    let receivers: Vec<_> = (0..3).map(|_| wait(&bench, 1, seconds(20))).collect();
    seated(&bench, 3).await;
    tokio::time::advance(seconds(4)).await;
    bench.send("a");
    bench.send("b");
    let mut got = Vec::new();
    for receiver in receivers {
        got.push(bodies(&receiver.await.unwrap().unwrap()).concat());
    }
    got.sort();
    assert_eq!(got, ["", "a", "b"]);
    assert_eq!(began.elapsed(), seconds(20));
}

#[tokio::test(start_paused = true)]
async fn time_wakes_a_receiver_too() {
    let bench = Bench::new(Settings { delay: seconds(7), ..Settings::default() });
    bench.send("a");
    let began = Instant::now();
    let got = wait(&bench, 1, seconds(20)).await.unwrap().unwrap();
    assert_eq!((bodies(&got), began.elapsed()), (vec!["a".to_owned()], seconds(7)));
    // Its lease ends.
    let again = wait(&bench, 1, Duration::MAX).await.unwrap().unwrap();
    assert_eq!((again[0].count, began.elapsed()), (2, seconds(37)));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_comes_nearer_is_heard() {
    let bench = Bench::new(Settings { lease: seconds(1000), ..Settings::default() });
    bench.send("a");
    let out = bench.take(1).await.remove(0);
    let (one, two) = (wait(&bench, 1, seconds(3)), wait(&bench, 1, seconds(100)));
    seated(&bench, 2).await;
    bench.queues.extend(&bench.only, &out.receipt, Extension::of(seconds(10))).unwrap();
    // The receiver that heard it may be the one that leaves first.
    let began = Instant::now();
    assert_eq!(one.await.unwrap().unwrap().len(), 0);
    assert_eq!(two.await.unwrap().unwrap().len(), 1);
    assert_eq!(began.elapsed(), seconds(10));
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_takes_nothing_with_it() {
    let bench = Bench::new(Settings::default());
    let gone = wait(&bench, 1, seconds(20));
    let stays = wait(&bench, 1, seconds(20));
    seated(&bench, 2).await;
    // It is chosen for the message, and leaves before it can take it.
    bench.send("a");
    gone.abort();
    assert_eq!(bodies(&stays.await.unwrap().unwrap()), ["a"]);
    seated(&bench, 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_freed_group_wakes_its_receiver() {
    let bench = Bench::new(ordered());
    bench.send_in("g", "1");
    bench.send_in("g", "2");
    let first = bench.take(1).await.remove(0);
    let receiver = wait(&bench, 1, seconds(20));
    seated(&bench, 1).await;
    let began = Instant::now();
    bench.queues.acknowledge(&bench.only, &first.receipt, true).unwrap();
    assert_eq!(bodies(&receiver.await.unwrap().unwrap()), ["2"]);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_queue_tells_who_waits_there() {
    let bench = Bench::new(Settings::default());
    let receiver = wait(&bench, 1, Duration::MAX);
    seated(&bench, 1).await;
    bench.queues.delete_topic(&bench.topic).unwrap();
    assert!(matches!(receiver.await.unwrap(), Err(Fault::NoTopic { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_messages_are_found_as_fast_as_few() {
    let bench = Bench::new(Settings { retention: Some(seconds(1000)), ..Settings::default() });
    let many = (0..100_000).map(|_| NewMessage::of("x", Cause::Mlemu));
    bench.queues.send_all(&bench.topic, many).unwrap();
    assert_eq!(bench.counts(), (100_000, 0, 0));
    // Quadratic work would take minutes here.
    let mut taken = 0;
    loop {
        let batch = bench.take(10).await;
        taken += batch.len();
        if batch.is_empty() {
            break;
        }
    }
    assert_eq!((taken, bench.counts()), (100_000, (0, 100_000, 0)));
    tokio::time::advance(seconds(30)).await;
    assert_eq!(bench.counts(), (100_000, 0, 0));
}

/// Counts the deadlines that were given up while time could go on.
struct Careful {
    clock: TestClock,
    settle: Settle,
    careless: Arc<AtomicUsize>,
}

struct Deadline {
    settle: Settle,
    careless: Arc<AtomicUsize>,
    reached: bool,
}

impl Drop for Deadline {
    fn drop(&mut self) {
        if !self.reached && self.settle.is_still() {
            self.careless.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Clock for Careful {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    fn sleep(&self, wait: Duration) -> Boxed<'static, ()> {
        self.clock.sleep(wait)
    }

    fn until(&self, at: Timestamp) -> Boxed<'static, Due> {
        let (settle, careless) = (self.settle.clone(), self.careless.clone());
        let deadline = Deadline { settle, careless, reached: false };
        let reached = self.clock.until(at);
        Box::pin(async move {
            let mut deadline = deadline;
            let due = reached.await;
            deadline.reached = true;
            due
        })
    }
}

#[tokio::test(start_paused = true)]
async fn time_stands_while_a_receiver_changes_its_deadline() {
    let (settle, careless) = (Settle::default(), Arc::<AtomicUsize>::default());
    let clock = Careful { clock: TestClock::new(), settle: settle.clone(), careless: careless.clone() };
    let queues = Queues::new(Arc::new(clock)).counted_in(settle.clone());
    let bench = Bench::of(queues, Settings::default());
    let later = |delay| NewMessage { delay: Some(delay), ..NewMessage::of("x", Cause::Mlemu) };
    bench.queues.send(&bench.topic, later(seconds(60))).unwrap();
    let receiver = wait(&bench, 1, Duration::MAX);
    seated(&bench, 1).await;
    settle.still().await;
    // Roused by something that brings it nothing, and then by what it waits for.
    for delay in [90, 30] {
        bench.queues.send(&bench.topic, later(seconds(delay))).unwrap();
        tokio::time::advance(seconds(1)).await;
        assert!(settle.is_still());
    }
    assert_eq!(receiver.await.unwrap().unwrap().len(), 1);
    assert_eq!(careless.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_patient_waits_for_room() {
    let bench = Bench::new(Settings { most_leased: Some(1), ..Settings::default() });
    bench.send("a");
    bench.send("b");
    bench.take(1).await;
    let began = Instant::now();
    let next = bench.queues.receive(&bench.only, Want::next(1)).await.unwrap().remove(0);
    assert_eq!((bodies(std::slice::from_ref(&next)), began.elapsed()), (vec!["b".to_owned()], seconds(30)));
    // By what somebody does, as well as by time.
    let (queues, only) = (bench.queues.clone(), bench.only.clone());
    let last = tokio::spawn(async move { queues.receive(&only, Want::next(1)).await });
    seated(&bench, 1).await;
    tokio::time::advance(seconds(1)).await;
    bench.queues.acknowledge(&bench.only, &next.receipt, true).unwrap();
    assert_eq!(bodies(&last.await.unwrap().unwrap()), ["a"]);
    assert_eq!(began.elapsed(), seconds(31));
}
