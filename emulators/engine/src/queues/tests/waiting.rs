//! Receivers that wait: each is woken by what concerns it, and by nothing else.

use super::*;
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
