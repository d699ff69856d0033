//! Messages that come back, and subscriptions that go back.

use super::*;

fn give_back(bench: &Bench, one: &Received) {
    let zero = Extension::of(Duration::ZERO);
    assert!(matches!(bench.queues.extend(&bench.only, &one.receipt, zero).unwrap(), Extended::Done(..)));
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_hides_for_longer_each_time() {
    let back_off = Some(BackOff { first: seconds(10), longest: seconds(15) });
    let bench = Bench::new(Settings { back_off, ..Settings::default() });
    bench.send("a");
    give_back(&bench, &bench.take(1).await[0]);
    assert_eq!(bench.counts(), (0, 0, 1));
    tokio::time::advance(seconds(10)).await;
    assert_eq!(bench.bodies(1).await, ["a"]);
    // A lease that is over by itself counts as well.
    tokio::time::advance(seconds(30)).await;
    assert_eq!(bench.counts(), (0, 0, 1));
    tokio::time::advance(seconds(15)).await;
    let received = bench.take(1).await;
    assert_eq!(received[0].count, 3);
    bench.queues.release(&bench.only, &[received[0].receipt]).unwrap();
    assert_eq!(bench.counts(), (1, 0, 0), "what was not touched need not wait");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_rewinds_begins_anew_with_what_came_back() {
    let back_off = Some(BackOff { first: seconds(10), longest: seconds(10) });
    let bench = Bench::new(Settings { rewinds: true, back_off, ..ordered() });
    for body in ["1", "2", "3"] {
        bench.send_in("g", body);
    }
    let received = bench.take(10).await;
    assert_eq!(bodies(&received), ["1", "2", "3"]);
    bench.queues.acknowledge(&bench.only, &received[0].receipt, true).unwrap();
    give_back(&bench, &received[1]);
    assert!(bench.take(10).await.is_empty(), "the whole group waits");
    tokio::time::advance(seconds(10)).await;
    assert_eq!(bench.bodies(10).await, ["2", "3"]);
    let late = bench.queues.acknowledge(&bench.only, &received[2].receipt, true).unwrap();
    assert_eq!(late, Standing::Superseded);
}

#[tokio::test(start_paused = true)]
async fn a_filter_keeps_messages_out_for_good() {
    let filter = Some(Filter::new(|message| message.body.starts_with(b"a")));
    let bench = Bench::new(Settings { filter, keeps_done: true, ..Settings::default() });
    let began = bench.queues.clock().now();
    for body in ["a1", "b", "a2"] {
        bench.send(body);
    }
    assert_eq!(bench.bodies(10).await, ["a1", "a2"]);
    bench.queues.purge(&bench.only).unwrap();
    bench.queues.seek(&bench.only, &Seek::Time(began)).unwrap();
    assert_eq!(bench.bodies(10).await, ["a1", "a2"]);
}

#[tokio::test(start_paused = true)]
async fn a_bookmark_brings_back_what_was_waiting_and_all_since() {
    let bench = Bench::new(Settings::default());
    bench.send("done");
    let done = bench.take(1).await;
    bench.queues.acknowledge(&bench.only, &done[0].receipt, true).unwrap();
    bench.send("waiting");
    let mark = bench.queues.bookmark(&bench.only).unwrap();
    bench.send("later");
    let all = bench.take(10).await;
    let receipts: Vec<_> = all.iter().map(|one| one.receipt).collect();
    let standings = bench.queues.acknowledge_all(&bench.only, &receipts, true).unwrap();
    assert_eq!(standings, [Standing::Held, Standing::Held]);
    bench.queues.seek(&bench.only, &Seek::To(mark.clone())).unwrap();
    assert_eq!(bench.bodies(10).await, ["waiting", "later"]);
    // What is out and not done stays out.
    bench.queues.seek(&bench.only, &Seek::To(mark)).unwrap();
    assert_eq!(bench.counts(), (0, 2, 0));
    bench.queues.seek(&bench.only, &Seek::Time(bench.queues.clock().now().plus(seconds(1)))).unwrap();
    assert_eq!(bench.counts(), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_archive_forgets_what_nobody_wants_any_more() {
    let retention = Some(seconds(60));
    let bench = Bench::new(Settings { keeps_done: true, retention, ..Settings::default() });
    let began = bench.queues.clock().now();
    bench.send("old");
    tokio::time::advance(seconds(61)).await;
    bench.send("new");
    bench.queues.seek(&bench.only, &Seek::Time(began)).unwrap();
    assert_eq!(bench.bodies(10).await, ["new"]);
}

#[tokio::test(start_paused = true)]
async fn an_allowance_is_given_back_however_a_lease_ends() {
    let bench = Bench::new(Settings::default());
    for body in ["1", "2", "3", "4"] {
        bench.send(body);
    }
    let allowance = Allowance::new(3, 1000);
    let want = |most| Want { allowance: Some(allowance.clone()), ..Want::now(most) };
    assert_eq!(allowance.room().await, (3, 1000));
    let received = bench.queues.receive(&bench.only, want(3)).await.unwrap();
    let mut full = Box::pin(allowance.room());
    assert!(futures_util::poll!(&mut full).is_pending());
    bench.queues.acknowledge(&bench.only, &received[0].receipt, true).unwrap();
    assert_eq!(full.await, (1, 998));
    give_back(&bench, &received[1]);
    assert_eq!(allowance.room().await, (2, 999));
    tokio::time::advance(seconds(30)).await;
    assert_eq!(bench.counts(), (3, 0, 0));
    assert_eq!(allowance.room().await, (3, 1000));
    bench.queues.receive(&bench.only, want(1)).await.unwrap();
    bench.queues.delete_topic(&bench.topic).unwrap();
    assert_eq!(allowance.room().await, (3, 1000));
}

#[tokio::test(start_paused = true)]
async fn subscriptions_outlive_their_topic() {
    let bench = Bench::new(Settings::default());
    bench.send("kept");
    let grave = bench.queue("grave", Settings::default());
    let left = SubscriptionId { topic: bench.topic.clone(), name: "left".into() };
    bench.queues.subscribe(&left, Settings::default()).unwrap();
    bench.send("both");
    bench.queues.unsubscribe(&bench.only).unwrap();
    bench.queues.orphan(&bench.topic, &grave).unwrap();
    let moved = SubscriptionId { topic: grave, name: "left".into() };
    assert_eq!(bodies(&bench.queues.receive(&moved, Want::now(10)).await.unwrap()), ["both"]);
    assert!(bench.queues.topic(&bench.topic).is_err());
}

#[tokio::test(start_paused = true)]
async fn marks_are_added_to_what_is_sent_on() {
    let mark = Mark::new(|message, count| {
        let value = format!("{count} times {}", message.body.len()).into();
        vec![Attribute { name: "why".into(), kind: "".into(), value }]
    });
    let bench = Bench::new(Settings::default());
    let to = bench.queue("dead", Settings::default());
    let rule = Some(DeadLetter { to: to.clone(), after: 1, restamps: true });
    bench
        .queues
        .configure(&bench.only, |settings| {
            (settings.dead_letter, settings.mark) = (rule, Some(mark));
        })
        .unwrap();
    bench.send("four");
    give_back(&bench, &bench.take(1).await[0]);
    assert!(bench.take(1).await.is_empty());
    let dead = bench.queues.receive(&to.only(), Want::now(1)).await.unwrap();
    assert_eq!(dead[0].message.attributes[0].value, "1 times 4");
}
