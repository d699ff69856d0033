//! Mappings on a clock that is advanced: hours of leases in less than a second, in their order.

use super::tests::{Stub, Words};
use super::*;
use crate::clock::{Course, Forward, SteeredClock};
use crate::queues::{DeadLetter, NewMessage, Notes, Settings, TopicId};
use crate::settle::{Settle, Which, Work};
use crate::{Journal, SystemClock};
use mlemu_core::{Cause, Scope};
use tokio::sync::mpsc;

const HOUR: Duration = Duration::from_secs(3600);

struct World {
    clock: Arc<SteeredClock>,
    settle: Settle,
    queues: Queues,
    work: TopicId,
    dead: TopicId,
    sources: Sources,
    /// When each invocation began, in emulated hours from the beginning.
    calls: mpsc::UnboundedReceiver<i64>,
}

/// A function that fails, or takes no call at all; each call counts as the engine counts it.
async fn world(answer: Result<String, ()>, lease: Duration) -> World {
    let clock = Arc::new(SteeredClock::new());
    clock.set(Course::Steered { at: SystemClock::new().now(), rate: 0.0 }).await;
    let began = clock.now();
    let settle = Settle::default();
    let queues = Queues::new(clock.clone()).counted_in(settle.clone());
    let scope = Arc::new(Scope::new("cloud", "one", "here"));
    let (work, dead) = (TopicId::new(&scope, "work"), TopicId::new(&scope, "dead"));
    queues.create_queue(&dead, Settings::default(), Notes::new(), Notes::new()).unwrap();
    let rule = DeadLetter { to: dead.clone(), after: 3, restamps: false };
    let settings = Settings { lease, dead_letter: Some(rule), ..Settings::default() };
    queues.create_queue(&work, settings, Notes::new(), Notes::new()).unwrap();
    let (sender, mut asked) = mpsc::unbounded_channel();
    let (told, calls) = mpsc::unbounded_channel();
    let (timed, counting, place) = (clock.clone(), settle.clone(), scope.clone());
    tokio::spawn(async move {
        while let Some(one) = asked.recv().await {
            let one: super::tests::Asked = one;
            let what = Work::Due { what: "a call".into() };
            let pending = counting.enter(&place, "".into(), what);
            tokio::task::yield_now().await;
            let hours = (timed.now().0 - began.0) / i64::try_from(HOUR.as_micros()).unwrap();
            told.send(hours).unwrap();
            let throttled = || Refusal::Throttled(mlemu_core::Throttle::Reserved);
            let _ = one.end.send(answer.clone().map_err(|()| throttled()));
            drop(pending);
        }
    });
    let sources = Sources::new(SourceParts {
        queues: queues.clone(),
        invoker: Stub(sender),
        sink: Arc::new(Journal::new(100)),
        new_id: |ids| InvocationId(ids.fresh("invocation").uuid().into()),
        cap: 1,
    });
    World { clock, settle, queues, work, dead, sources, calls }
}

impl World {
    fn map(&self, window: Duration) {
        self.sources.put(Mapping {
            id: "m".into(),
            from: self.work.only(),
            target: FunctionId::new(self.work.scope.clone(), "f"),
            qualifier: None,
            batch: 10,
            window,
            event_limit: 1000,
            concurrency: None,
            shape: Arc::new(Words),
        });
    }

    fn send(&self, delay: Option<Duration>) {
        let cause = Cause::Request("mine".into());
        let new = NewMessage { delay, ..NewMessage::of("a".to_owned(), cause) };
        self.queues.send(&self.work, new).unwrap();
    }

    async fn forward(&self, hours: u32) {
        self.clock.forward(Forward::By(HOUR * hours), &self.settle).await;
    }

    async fn consumed(&self) {
        let mut commits = self.queues.commits();
        while self.queues.counts(&self.work.only()).unwrap().consumers == 0 {
            commits.changed().await.unwrap();
        }
    }

    fn calls(&mut self) -> Vec<i64> {
        std::iter::from_fn(|| self.calls.try_recv().ok()).collect()
    }
}

#[tokio::test]
async fn hours_of_redeliveries_end_among_the_dead_in_no_time() {
    let began = std::time::Duration::from_secs(1);
    let test = async {
        let mut world = world(Ok("fail".into()), HOUR * 6).await;
        world.map(Duration::ZERO);
        world.consumed().await;
        world.send(Some(HOUR));
        let mine = Which::Trace("mine".into());
        world.forward(2).await;
        assert_eq!(world.calls(), [1]);
        assert!(!world.settle.is_settled(&mine));
        world.forward(20).await;
        assert_eq!(world.calls(), [7, 13]);
        assert_eq!(world.queues.counts(&world.dead.only()).unwrap().visible, 1);
        // Nobody consumes the dead.
        assert!(world.settle.is_settled(&Which::Everything));
    };
    tokio::time::timeout(began, test).await.expect("in time");
}

#[tokio::test]
async fn a_window_is_a_time_like_any_other() {
    let mut world = world(Ok(String::new()), HOUR * 6).await;
    world.map(HOUR * 3);
    world.consumed().await;
    world.send(None);
    world.send(Some(HOUR));
    world.forward(2).await;
    assert!(world.calls().is_empty());
    world.forward(2).await;
    assert_eq!(world.calls(), [3]);
    assert!(world.settle.is_settled(&Which::Everything));
}

#[tokio::test]
async fn throttles_do_not_hold_time_up() {
    let mut world = world(Err(()), Duration::from_secs(60)).await;
    world.map(Duration::ZERO);
    world.consumed().await;
    world.send(None);
    world.send(None);
    world.forward(1).await;
    assert!(!world.calls().is_empty());
    assert_eq!(world.queues.counts(&world.dead.only()).unwrap().visible, 2);
}

#[tokio::test]
async fn messages_count_only_while_somebody_consumes_them() {
    let world = world(Ok("fail".into()), HOUR).await;
    world.send(Some(HOUR));
    assert!(world.settle.is_settled(&Which::Everything));
    let consumer = world.queues.consumer(&world.work.only()).unwrap();
    assert_eq!(world.settle.open(&Which::Trace("mine".into())).len(), 1);
    world.queues.purge(&world.work.only()).unwrap();
    assert!(world.settle.is_settled(&Which::Everything));
    world.send(None);
    let kept = world.queues.snapshot();
    world.queues.forget_messages();
    assert!(world.settle.is_settled(&Which::Everything));
    world.queues.restore(&kept);
    assert!(!world.settle.is_settled(&Which::Everything));
    drop(consumer);
    assert!(world.settle.is_settled(&Which::Everything) && world.settle.is_still());
    assert_eq!(world.queues.counts(&world.work.only()).unwrap().visible, 1);
}
