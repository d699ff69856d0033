//! Queued calls that somebody cares for: tried again on the clock, and told of once in the end.

use crate::fake::{Lab, id, pass};
use mlemu_core::{Boxed, Invoke, Mode};
use mlemu_engine::care::{Care, End, Patience, Verdict};
use mlemu_engine::queues::BackOff;
use mlemu_engine::settle::Which;
use mlemu_engine::{Durability, Shelf, Store};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

const MINUTE: Duration = Duration::from_secs(60);

struct Carer {
    patience: Patience,
    ends: mpsc::UnboundedSender<End>,
    /// How often it was asked.
    asked: Mutex<usize>,
}

impl Care for Carer {
    fn patience(&self, _: &Invoke) -> Patience {
        *self.asked.lock().expect("whole") += 1;
        self.patience
    }

    fn ended(&self, end: End) -> Boxed<'_, ()> {
        let _ = self.ends.send(end);
        Box::pin(async {})
    }
}

fn patience() -> Patience {
    Patience {
        runs: 3,
        age: MINUTE * 360,
        after_failure: BackOff { first: MINUTE, longest: MINUTE * 2 },
        after_refusal: BackOff { first: Duration::from_secs(1), longest: MINUTE * 5 },
    }
}

struct Bench {
    lab: Arc<Lab>,
    ends: mpsc::UnboundedReceiver<End>,
    began: tokio::time::Instant,
}

impl Bench {
    fn new(patience: Patience) -> Self {
        Self::kept_on(patience, Shelf::default())
    }

    /// One whose calls are kept there.
    fn kept_on(patience: Patience, shelf: Shelf) -> Self {
        let lab = Arc::new(Lab::new());
        lab.engine.keep_calls_on(shelf);
        lab.publish("");
        let (ends, heard) = mpsc::unbounded_channel();
        lab.engine.cared_for_by("cloud", Arc::new(Carer { patience, ends, asked: Mutex::default() }));
        Self { lab, ends: heard, began: tokio::time::Instant::now() }
    }

    async fn queue(&self, script: &str) {
        let invoke = Invoke { mode: Mode::Queue, ..self.lab.invocation(script) };
        self.lab.engine.invoke(invoke).await.expect("it is taken");
    }

    /// How it ended, and after how many minutes.
    async fn end(&mut self) -> (Verdict, u32, u64) {
        let end = self.ends.recv().await.expect("the carer lives");
        (end.verdict, end.runs, self.began.elapsed().as_secs() / 60)
    }

    fn is_settled(&self) -> bool {
        self.lab.engine.settle().is_settled(&Which::Everything)
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_is_tried_again_and_counts_meanwhile() {
    let mut bench = Bench::new(patience());
    bench.queue("error no").await;
    pass(MINUTE / 2).await;
    assert!(!bench.is_settled() && bench.lab.engine.settle().is_still(), "it waits for its time");
    assert_eq!(bench.end().await, (Verdict::Exhausted, 3, 3));
    assert_eq!(bench.lab.world.seen().deliveries.len(), 3);
    let ids: Vec<_> = bench.lab.world.seen().deliveries.iter().map(|one| one.id.clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "it is one invocation, tried thrice");
    bench.lab.engine.settle().settled(&Which::Everything).await;
    bench.lab.engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_goes_well_ends_at_once() {
    let mut bench = Bench::new(patience());
    bench.queue("ok fine").await;
    let end = bench.ends.recv().await.expect("an end");
    assert_eq!((end.verdict, end.runs), (Verdict::Done, 1));
    assert_eq!(end.outcome.expect("it ran").result.expect("it went well").body, "fine");
    bench.lab.engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_would_be_too_old_is_given_up_at_once() {
    let mut bench = Bench::new(Patience { age: MINUTE * 2, ..patience() });
    bench.queue("error no").await;
    assert_eq!(bench.end().await, (Verdict::TooOld, 2, 1), "the second wait would end too late");
    bench.lab.engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_function_that_may_not_run_ends_its_calls() {
    let mut bench = Bench::new(patience());
    bench.lab.engine.reserve(&id(), Some(0));
    bench.queue("ok").await;
    assert_eq!(bench.end().await, (Verdict::NoRoom, 0, 0));
    bench.lab.engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_sends_waiting_tries_away() {
    let mut bench = Bench::new(patience());
    bench.queue("error no").await;
    pass(MINUTE / 2).await;
    bench.lab.engine.quiesce().await;
    assert!(bench.is_settled());
    pass(MINUTE * 10).await;
    assert!(bench.ends.try_recv().is_err(), "nobody is told");
    assert_eq!(bench.lab.world.seen().deliveries.len(), 1);
    bench.lab.engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_function_that_is_gone_has_no_more_tries() {
    let mut bench = Bench::new(patience());
    bench.queue("error no").await;
    pass(MINUTE / 2).await;
    bench.lab.engine.delete(&id());
    pass(MINUTE * 10).await;
    assert!(bench.is_settled() && bench.ends.try_recv().is_err());
    bench.lab.engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn calls_of_other_clouds_are_tried_once() {
    let lab = Arc::new(Lab::new());
    lab.publish("");
    let (ends, mut heard) = mpsc::unbounded_channel();
    lab.engine.cared_for_by("other", Arc::new(Carer { patience: patience(), ends, asked: Mutex::default() }));
    let invoke = Invoke { mode: Mode::Queue, ..lab.invocation("error no") };
    lab.engine.invoke(invoke).await.expect("it is taken");
    pass(MINUTE * 10).await;
    assert!(heard.try_recv().is_err());
    assert_eq!(lab.world.seen().deliveries.len(), 1);
    lab.finish().await;
}

/// A store that is left as a daemon leaves it that is killed, and opened again.
fn reopened(store: Store, folder: &std::path::Path) -> Shelf {
    store.close();
    Store::open(folder, Durability::Disk).expect("a store").world("one").part("calls")
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_goes_on_after_the_end_of_the_daemon() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path(), Durability::Disk).expect("a store");
    let first = Bench::kept_on(patience(), store.world("one").part("calls"));
    first.queue("error no").await;
    pass(MINUTE / 2).await;
    let shelf = reopened(store, folder.path());
    let mut second = Bench::kept_on(patience(), shelf);
    second.lab.engine.go_on();
    assert!(!second.is_settled(), "it is under way from then on");
    let (verdict, runs, _) = second.end().await;
    assert_eq!((verdict, runs), (Verdict::Exhausted, 3));
    assert_eq!(second.lab.world.seen().deliveries.len(), 2, "it had run once");
    second.lab.engine.shutdown().await;
    first.lab.engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ran_when_the_daemon_ended_runs_again_and_one_that_ended_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path(), Durability::Disk).expect("a store");
    let mut first = Bench::kept_on(patience(), store.world("one").part("calls"));
    first.queue("ok done").await;
    assert_eq!(first.end().await.0, Verdict::Done);
    first.lab.engine.settle().settled(&Which::Everything).await;
    first.queue("hang").await;
    let shelf = reopened(store, folder.path());
    let second = Bench::kept_on(patience(), shelf);
    second.lab.engine.go_on();
    pass(Duration::from_millis(10)).await;
    assert_eq!(second.lab.world.seen().deliveries.len(), 1);
    second.lab.engine.shutdown().await;
    first.lab.engine.shutdown().await;
}
