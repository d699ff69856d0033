//! What becomes of a message, from the sending to its end.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_message_is_lent_out_until_it_is_done_with() {
    let bench = Bench::new(Settings::default());
    let sent = bench.send("a");
    assert_eq!(bench.counts(), (1, 0, 0));
    let first = bench.take(10).await.remove(0);
    assert_eq!((first.message.id.clone(), first.count), (sent.id, 1));
    assert_eq!((bench.counts(), bench.bodies(10).await), ((0, 1, 0), vec![]));

    tokio::time::advance(seconds(30)).await;
    assert_eq!(bench.counts(), (1, 0, 0));
    let second = bench.take(10).await.remove(0);
    assert_eq!((second.count, second.first), (2, first.first));
    let ack = |receipt, held| bench.queues.acknowledge(&bench.only, receipt, held).unwrap();
    assert_eq!(ack(&first.receipt, false), Standing::Superseded);
    assert_eq!(ack(&second.receipt, true), Standing::Held);
    assert_eq!(ack(&second.receipt, true), Standing::Gone);
    assert_eq!(bench.counts(), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_late_receipt_is_good_unless_the_lease_must_hold() {
    let bench = Bench::new(Settings::default());
    bench.send("a");
    let receipt = bench.take(1).await[0].receipt;
    tokio::time::advance(seconds(31)).await;
    let ack = |held| bench.queues.acknowledge(&bench.only, &receipt, held).unwrap();
    assert_eq!((ack(true), bench.counts()), (Standing::Lapsed, (1, 0, 0)));
    assert_eq!((ack(false), bench.counts()), (Standing::Lapsed, (0, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn delays_retention_and_leases_end_on_time() {
    let settings = Settings { delay: seconds(5), retention: Some(seconds(60)), ..Settings::default() };
    let bench = Bench::new(settings);
    bench.send("a");
    assert_eq!(bench.counts(), (0, 0, 1));
    tokio::time::advance(seconds(5)).await;
    assert_eq!(bench.counts(), (1, 0, 0));
    let taken = bench.take(1).await.remove(0);
    let extend = |lease| bench.queues.extend(&bench.only, &taken.receipt, Extension::of(lease)).unwrap();
    assert!(matches!(extend(seconds(50)), Extended::Done(..)));
    tokio::time::advance(seconds(40)).await;
    assert_eq!(bench.counts(), (0, 1, 0));
    assert!(matches!(extend(Duration::ZERO), Extended::Done(..)));
    assert_eq!(bench.counts(), (1, 0, 0));
    assert_eq!(extend(seconds(1)), Extended::NotHeld(Standing::Lapsed));
    tokio::time::advance(seconds(15)).await;
    assert_eq!(bench.counts(), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_message_with_an_end_of_its_own_is_dropped_then_and_not_before() {
    let (mut kept, clock) = (crate::store::reopened::Reopened::new(), Arc::new(TestClock::new()));
    let open = |shelf| Queues::kept_on(&shelf, clock.clone(), crate::Ids::default()).unwrap();
    let mut bench =
        Bench::of(open(kept.shelf()), Settings { retention: Some(seconds(60)), ..Settings::default() });
    for (body, life) in [("short", Some(seconds(10))), ("usual", None), ("long", Some(Duration::MAX))] {
        let message = NewMessage { life, ..NewMessage::of(body.to_owned(), Cause::Mlemu) };
        bench.queues.send(&bench.topic, message).unwrap();
    }
    kept.reopen();
    bench.queues = open(kept.shelf());
    let peek = |bench: &Bench| {
        let all = bench.queues.peek_next(&bench.only, 9).unwrap();
        all.iter().map(|one| String::from_utf8_lossy(&one.message.body).into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(peek(&bench), ["short", "usual", "long"]);
    tokio::time::advance(seconds(10)).await;
    assert_eq!((bench.counts(), peek(&bench)), ((2, 0, 0), vec!["usual".into(), "long".into()]));
    // Also what is lent out, and what another rule of the queue would end.
    bench.take(1).await;
    bench.queues.configure(&bench.only, |settings| settings.retention = Some(seconds(20))).unwrap();
    tokio::time::advance(seconds(10)).await;
    assert_eq!((bench.counts(), bench.bodies(9).await), ((1, 0, 0), vec!["long".into()]));
    assert_eq!(
        bench.queues.counts(&bench.only).unwrap().next_change,
        Some(bench.queues.clock().now().plus(seconds(30)))
    );
}

#[tokio::test(start_paused = true)]
async fn a_receipt_is_worth_something_for_its_own_message_only() {
    let bench = Bench::new(Settings::default());
    let ids = [bench.send("a").id, bench.send("b").id];
    let taken = bench.take(2).await;
    let standing = |at: usize, id: &str| bench.queues.standing(&bench.only, &taken[at].receipt, id).unwrap();
    assert_eq!((standing(0, &ids[0]), standing(0, &ids[1])), (Standing::Held, Standing::Superseded));
    bench.queues.acknowledge(&bench.only, &taken[0].receipt, true).unwrap();
    assert_eq!((standing(0, &ids[0]), standing(0, &ids[1])), (Standing::Gone, Standing::Superseded));
    assert_eq!(standing(1, "none"), Standing::Gone);
}

#[tokio::test(start_paused = true)]
async fn what_is_next_is_seen_in_its_order() {
    let bench = Bench::new(ordered());
    for (group, body) in [("x", "1"), ("x", "2"), ("y", "3"), ("x", "4")] {
        bench.send_in(group, body);
    }
    let next = |most| {
        let all = bench.queues.peek_next(&bench.only, most).unwrap();
        all.iter().map(|one| String::from_utf8_lossy(&one.message.body).into_owned()).collect::<String>()
    };
    assert_eq!((next(2), next(9)), ("12".into(), "1243".into()));
    bench.take(1).await;
    assert_eq!(next(9), "3", "the group of the one that is out waits");
}

#[tokio::test(start_paused = true)]
async fn a_renewed_receipt_voids_the_old_one_and_carries_new_words() {
    let bench = Bench::new(Settings::default());
    bench.send("a");
    let old = bench.take(1).await[0].receipt;
    let wanted = Extension { renew: true, body: Some("b".into()), ..Extension::of(seconds(10)) };
    let Extended::Done(new, _) = bench.queues.extend(&bench.only, &old, wanted).unwrap() else {
        panic!("refused")
    };
    assert_eq!(bench.queues.acknowledge(&bench.only, &old, true).unwrap(), Standing::Superseded);
    tokio::time::advance(seconds(10)).await;
    assert_eq!(bench.bodies(1).await, ["b"]);
    assert_eq!(bench.queues.acknowledge(&bench.only, &new, true).unwrap(), Standing::Superseded);
}

#[tokio::test(start_paused = true)]
async fn a_lease_has_a_longest() {
    let bench = Bench::new(Settings::default());
    bench.send("a");
    let receipt = bench.take(1).await[0].receipt;
    tokio::time::advance(seconds(20)).await;
    let wanted = |lease| Extension { longest: Some(seconds(60)), ..Extension::of(lease) };
    let extend = |lease| bench.queues.extend(&bench.only, &receipt, wanted(lease)).unwrap();
    assert_eq!(extend(seconds(41)), Extended::TooLong);
    assert!(matches!(extend(seconds(40)), Extended::Done(..)));
}

#[tokio::test(start_paused = true)]
async fn a_group_is_in_order_and_locked_while_one_is_out() {
    let bench = Bench::new(ordered());
    for (group, body) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("b", "b2"), ("a", "a3")] {
        bench.send_in(group, body);
    }
    let first = bench.take(2).await;
    assert_eq!(bodies(&first), ["a1", "a2"]);
    assert_eq!(bench.bodies(10).await, ["b1", "b2"]);
    assert_eq!(bench.bodies(10).await, Vec::<String>::new());
    assert_eq!(bench.counts(), (1, 4, 0));
    bench.queues.acknowledge(&bench.only, &first[0].receipt, true).unwrap();
    assert_eq!(bench.bodies(10).await, Vec::<String>::new());
    // The second comes back: it and the third are next, in their order.
    bench.queues.extend(&bench.only, &first[1].receipt, Extension::of(Duration::ZERO)).unwrap();
    assert_eq!(bench.bodies(10).await, ["a2", "a3"]);
    tokio::time::advance(seconds(30)).await;
    // The group of the oldest message is first.
    assert_eq!(bench.bodies(10).await, ["b1", "b2", "a2", "a3"]);
}

#[tokio::test(start_paused = true)]
async fn without_order_groups_hold_nobody_back() {
    let bench = Bench::new(Settings::default());
    bench.send_in("a", "a1");
    bench.send_in("a", "a2");
    assert_eq!(bench.bodies(1).await, ["a1"]);
    assert_eq!(bench.bodies(1).await, ["a2"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_lent_out_too_often_goes_elsewhere_with_its_id() {
    let bench = Bench::new(Settings::default());
    let dead = bench.queue("dead", Settings { retention: Some(seconds(100)), ..Settings::default() });
    let rule = DeadLetter { to: dead.clone(), after: 2, restamps: false };
    bench.queues.configure(&bench.only, |settings| settings.dead_letter = Some(rule)).unwrap();
    let sent = bench.send("a");
    bench.send("b");
    for _ in 0..2 {
        assert_eq!(bench.bodies(1).await, ["a"]);
        tokio::time::advance(seconds(20)).await;
        assert_eq!(bench.bodies(1).await, ["b"]);
        tokio::time::advance(seconds(10)).await;
    }
    // The first has gone on; the second is still out.
    assert_eq!(bench.bodies(10).await, Vec::<String>::new());
    let held = bench.queues.peek(&dead.only(), 10).unwrap();
    assert_eq!((held.len(), held[0].message.id.clone(), held[0].count), (1, sent.id, 0));
    assert_eq!(held[0].message.origin.as_ref(), Some(&bench.only));
    // Its age is counted from the first sending.
    tokio::time::advance(seconds(40)).await;
    assert_eq!(bench.queues.counts(&dead.only()).unwrap().visible, 0);
}

#[tokio::test(start_paused = true)]
async fn dead_letters_go_back_where_they_came_from() {
    let bench = Bench::new(Settings::default());
    let dead = bench.queue("dead", Settings::default());
    let rule = DeadLetter { to: dead.clone(), after: 1, restamps: false };
    bench.queues.configure(&bench.only, |settings| settings.dead_letter = Some(rule)).unwrap();
    bench.send("a");
    bench.take(1).await;
    tokio::time::advance(seconds(30)).await;
    bench.take(1).await;
    bench.queues.send(&dead, NewMessage::of("stray", Cause::Mlemu)).unwrap();
    let moved = bench.queues.move_messages(&dead.only(), None, 10).unwrap();
    assert_eq!(moved, Moved { moved: 1, left: 1, stuck: true });
    let back = bench.take(1).await.remove(0);
    assert_eq!((back.count, back.message.origin.clone()), (1, None));
    let moved = bench.queues.move_messages(&dead.only(), Some(&bench.topic), 10).unwrap();
    assert_eq!(moved, Moved { moved: 1, left: 0, stuck: false });
}

#[tokio::test(start_paused = true)]
async fn the_same_message_is_accepted_once_in_five_minutes() {
    let bench = Bench::new(ordered());
    let send = |once: &str| {
        let message = NewMessage::of("a", Cause::Mlemu);
        bench.queues.send(&bench.topic, NewMessage { once: Some(once.into()), ..message }).unwrap()
    };
    let first = send("x");
    assert_eq!(send("x"), Sent { duplicate: true, ..first.clone() });
    assert!(!send("y").duplicate);
    // Even when it has been taken and is gone.
    let taken = bench.take(1).await.remove(0);
    bench.queues.acknowledge(&bench.only, &taken.receipt, true).unwrap();
    tokio::time::advance(seconds(299)).await;
    assert!(send("x").duplicate);
    tokio::time::advance(seconds(1)).await;
    assert!(!send("x").duplicate);
}

#[tokio::test(start_paused = true)]
async fn every_subscription_has_its_own_course() {
    let bench = Bench::new(Settings::default());
    let topic = bench.topic("news");
    bench.queues.create_topic(&topic, Notes::new(), Notes::new()).unwrap();
    bench.queues.send(&topic, NewMessage::of("unheard", Cause::Mlemu)).unwrap();
    let named = |name: &str| SubscriptionId { topic: topic.clone(), name: name.into() };
    bench.queues.subscribe(&named("left"), Settings::default()).unwrap();
    bench.queues.subscribe(&named("right"), Settings { lease: seconds(1), ..Settings::default() }).unwrap();
    bench.queues.send(&topic, NewMessage::of("a", Cause::Mlemu)).unwrap();
    let left = bench.queues.receive(&named("left"), Want::now(10)).await.unwrap();
    let right = bench.queues.receive(&named("right"), Want::now(10)).await.unwrap();
    assert_eq!((bodies(&left), bodies(&right)), (vec!["a".to_owned()], vec!["a".to_owned()]));
    bench.queues.acknowledge(&named("left"), &left[0].receipt, true).unwrap();
    tokio::time::advance(seconds(1)).await;
    assert_eq!(bench.queues.counts(&named("left")).unwrap().visible, 0);
    assert_eq!(bench.queues.counts(&named("right")).unwrap().visible, 1);
}

#[tokio::test(start_paused = true)]
async fn a_reset_voids_receipts() {
    let bench = Bench::new(Settings::default());
    bench.send("a");
    let old = bench.take(1).await.remove(0);
    bench.queues.reset();
    assert!(matches!(bench.queues.counts(&bench.only), Err(Fault::NoTopic { .. })));
    bench.queues.create_queue(&bench.topic, Settings::default(), Notes::new(), Notes::new()).unwrap();
    assert_eq!(bench.queues.acknowledge(&bench.only, &old.receipt, false).unwrap(), Standing::Gone);
}

#[tokio::test(start_paused = true)]
async fn only_so_many_are_out_and_given_back_uncounted() {
    let bench = Bench::new(Settings { most_leased: Some(2), ..Settings::default() });
    for body in ["a", "b", "c"] {
        bench.send(body);
    }
    let taken = bench.take(10).await;
    assert_eq!(bodies(&taken), ["a", "b"]);
    let refused = bench.queues.receive(&bench.only, Want::now(1)).await;
    assert_eq!(refused.unwrap_err(), Fault::TooManyLeased { limit: 2 });
    bench.queues.release(&bench.only, &[taken[0].receipt]).unwrap();
    assert_eq!(bench.bodies(1).await, ["c"]);
    bench.queues.acknowledge(&bench.only, &taken[1].receipt, true).unwrap();
    let again = bench.take(1).await.remove(0);
    assert_eq!((bodies(std::slice::from_ref(&again)), again.count), (vec!["a".to_owned()], 1));
}

#[tokio::test(start_paused = true)]
async fn bytes_bound_a_batch_but_for_its_first() {
    let bench = Bench::new(Settings::default());
    for _ in 0..4 {
        bench.send("12345");
    }
    let want = |bytes| Want { bytes, ..Want::now(10) };
    assert_eq!(bench.queues.receive(&bench.only, want(10)).await.unwrap().len(), 2);
    assert_eq!(bench.queues.receive(&bench.only, want(1)).await.unwrap().len(), 1);
}
