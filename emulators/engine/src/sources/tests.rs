//! Mappings on a paused clock, with a stub for the engine.

use super::*;
use crate::queues::tests::TestClock;
use crate::queues::{DeadLetter, NewMessage, Notes, Settings, TopicId};
use crate::{Journal, SystemClock};
use mlemu_core::sandbox::Enforcement;
use mlemu_core::{Cause, FunctionFailure, Outcome, Scope, StartKind, Throttle, Timestamp, Usage};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// An invocation that the test ends.
pub(super) struct Asked {
    body: String,
    pub end: oneshot::Sender<Result<String, Refusal>>,
    at: Instant,
}

pub(super) struct Stub(pub mpsc::UnboundedSender<Asked>);

impl Invoker for Stub {
    async fn invoke(&self, invoke: Invoke) -> Result<Reply, Refusal> {
        let (end, ended) = oneshot::channel();
        let body = String::from_utf8(invoke.payload.to_vec()).unwrap();
        self.0.send(Asked { body, end, at: Instant::now() }).map_err(|_| Refusal::Stopping)?;
        let said = ended.await.map_err(|_| Refusal::Stopping)??;
        let result = match &*said {
            "fail" => Err(FunctionFailure::Stopped),
            said => {
                Ok(Answer { body: said.to_owned().into(), content_type: None, streamed: false, head: None })
            }
        };
        let usage = Usage {
            queued: Duration::ZERO,
            start: StartKind::Warm,
            init: None,
            handler: Duration::ZERO,
            peak_memory: 1,
            memory_limit: 2,
            enforcement: Enforcement::None,
            cpu: None,
        };
        let (id, revision, log) = (invoke.id, "1".into(), Vec::new());
        Ok(Reply::Done(Box::new(Outcome { id, revision, result, usage, log })))
    }
}

/// Bodies, joined; `x` is unwanted; the answer names what failed.
pub(super) struct Words;

impl BatchShape for Words {
    fn wants(&self, one: &Received) -> bool {
        one.message.body != "x"
    }

    fn event(&self, batch: &[Received]) -> Bytes {
        let bodies: Vec<_> = batch.iter().map(|one| String::from_utf8_lossy(&one.message.body)).collect();
        bodies.join(" ").into()
    }

    fn verdict(&self, batch: &[Received], answer: &Answer) -> Verdict {
        let failed: Vec<usize> =
            (0..batch.len()).filter(|place| answer.body == batch[*place].message.body).collect();
        if failed.is_empty() { Verdict::Done } else { Verdict::Partly(failed) }
    }
}

struct World {
    queues: Queues,
    topic: TopicId,
    sources: Sources,
    asked: mpsc::UnboundedReceiver<Asked>,
}

impl World {
    fn new(settings: Settings) -> Self {
        let queues = Queues::new(Arc::new(TestClock::new()));
        let topic = TopicId::new(&Arc::new(Scope::new("cloud", "one", "here")), "work");
        queues.create_queue(&topic, settings, Notes::new(), Notes::new()).unwrap();
        let (sender, asked) = mpsc::unbounded_channel();
        let sources = Sources::new(SourceParts {
            queues: queues.clone(),
            invoker: Stub(sender),
            sink: Arc::new(Journal::new(100)),
            new_id: |ids| InvocationId(ids.fresh("invocation").uuid().into()),
            cap: 4,
        });
        Self { queues, topic, sources, asked }
    }

    fn mapping(&self, batch: usize) -> Mapping {
        Mapping {
            id: "m".into(),
            from: self.topic.only(),
            target: FunctionId::new(self.topic.scope.clone(), "f"),
            qualifier: None,
            batch,
            window: Duration::ZERO,
            event_limit: 1000,
            concurrency: None,
            shape: Arc::new(Words),
        }
    }

    fn send(&self, bodies: &str) {
        for body in bodies.split(' ') {
            let new = NewMessage { group: Some("g".into()), ..NewMessage::of(body.to_owned(), Cause::Mlemu) };
            self.queues.send(&self.topic, new).unwrap();
        }
    }

    async fn next(&mut self) -> Asked {
        self.asked.recv().await.expect("an invocation")
    }

    /// Waits until nothing is out.
    async fn counts(&self, wanted: (usize, usize)) {
        let mut commits = self.queues.commits();
        loop {
            let counts = self.queues.counts(&self.topic.only()).unwrap();
            if (counts.visible, counts.leased) == wanted {
                return;
            }
            commits.changed().await.unwrap();
        }
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[tokio::test(start_paused = true)]
async fn messages_are_worked_off_in_batches() {
    let mut world = World::new(Settings::default());
    world.send("a b c");
    world.sources.put(Mapping { concurrency: Some(1), ..world.mapping(2) });
    let first = world.next().await;
    assert_eq!(first.body, "a b");
    // One at a time: the third message is not even taken.
    assert!(world.asked.try_recv().is_err());
    let counts = world.queues.counts(&world.topic.only()).unwrap();
    assert_eq!((counts.visible, counts.leased, counts.consumers), (1, 2, 1));
    first.end.send(Ok(String::new())).unwrap();
    let second = world.next().await;
    assert_eq!(second.body, "c");
    second.end.send(Ok(String::new())).unwrap();
    world.counts((0, 0)).await;
    // A mapping that waits is woken at once.
    let sent = Instant::now();
    world.send("d");
    assert_eq!((world.next().await.at - sent).as_millis(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_window_gathers_more() {
    let mut world = World::new(Settings::default());
    world.sources.put(Mapping { window: seconds(5), ..world.mapping(10) });
    let began = Instant::now();
    world.send("a");
    tokio::time::sleep(seconds(3)).await;
    world.send("b");
    let asked = world.next().await;
    assert_eq!((&*asked.body, (asked.at - began).as_secs()), ("a b", 5));
}

#[tokio::test(start_paused = true)]
async fn what_failed_comes_back_when_its_lease_ends() {
    let mut world = World::new(Settings::default());
    world.sources.put(world.mapping(10));
    world.send("a b");
    let began = Instant::now();
    let first = world.next().await;
    let rest = if first.body == "a" { Some(world.next().await) } else { None };
    first.end.send(Ok("a".into())).unwrap();
    if let Some(rest) = rest {
        rest.end.send(Ok(String::new())).unwrap();
    }
    let again = world.next().await;
    assert_eq!((&*again.body, (again.at - began).as_secs()), ("a", 30));
    again.end.send(Ok("fail".into())).unwrap();
    assert_eq!((world.next().await.at - began).as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_slow_function_keeps_its_messages() {
    let mut world = World::new(Settings::default());
    world.sources.put(world.mapping(10));
    world.send("a");
    let slow = world.next().await;
    tokio::time::sleep(seconds(200)).await;
    assert!(world.asked.try_recv().is_err());
    slow.end.send(Ok("fail".into())).unwrap();
    let again = world.next().await;
    assert_eq!((again.at - slow.at).as_secs(), 200);
}

#[tokio::test(start_paused = true)]
async fn unwanted_messages_are_done_with() {
    let mut world = World::new(Settings::default());
    world.send("x x a");
    world.sources.put(world.mapping(10));
    let asked = world.next().await;
    assert_eq!(asked.body, "a");
    asked.end.send(Ok(String::new())).unwrap();
    world.counts((0, 0)).await;
}

#[tokio::test(start_paused = true)]
async fn a_group_goes_on_when_its_batch_is_done() {
    let mut world = World::new(Settings { ordered: true, ..Settings::default() });
    world.send("a b c");
    world.sources.put(world.mapping(2));
    let first = world.next().await;
    assert_eq!(first.body, "a b");
    assert!(world.asked.try_recv().is_err());
    first.end.send(Ok("b".into())).unwrap();
    let second = world.next().await;
    assert_eq!((&*second.body, (second.at - first.at).as_secs()), ("b c", 30));
}

#[tokio::test(start_paused = true)]
async fn a_batch_too_large_is_split() {
    let mut world = World::new(Settings::default());
    world.send("aaaa bbbb cccc");
    world.sources.put(Mapping { event_limit: 12, concurrency: Some(1), ..world.mapping(10) });
    for expected in ["aaaa", "bbbb cccc"] {
        let asked = world.next().await;
        assert_eq!(asked.body, expected);
        asked.end.send(Ok(String::new())).unwrap();
    }
    world.counts((0, 0)).await;
}

#[tokio::test(start_paused = true)]
async fn throttles_are_tried_again_until_the_lease_ends() {
    let mut world = World::new(Settings::default());
    world.sources.put(world.mapping(1));
    world.send("a");
    let began = Instant::now();
    let mut tries = 0;
    loop {
        let asked = world.next().await;
        if (asked.at - began) >= seconds(60) {
            break;
        }
        tries += 1;
        asked.end.send(Err(Refusal::Throttled(Throttle::Reserved))).unwrap();
    }
    assert!((10..40).contains(&tries), "{tries}");
}

#[tokio::test(start_paused = true)]
async fn a_missing_function_halts_and_revives() {
    let mut world = World::new(Settings::default());
    world.sources.put(world.mapping(1));
    world.send("a");
    let asked = world.next().await;
    asked.end.send(Err(Refusal::NoFunction { name: "f".into() })).unwrap();
    world.counts((1, 0)).await;
    assert!(world.sources.halted("m").unwrap().contains("no function"));
    world.sources.revive(&world.mapping(1).target);
    let again = world.next().await;
    again.end.send(Ok(String::new())).unwrap();
    world.counts((0, 0)).await;
    assert_eq!(world.sources.halted("m"), None);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_from_before_the_function_was_there_halts_nobody() {
    let mut world = World::new(Settings::default());
    world.sources.put(world.mapping(1));
    world.send("a");
    let refused = world.next().await;
    // It was looked for and not found; before that is heard, it is made.
    world.sources.revive(&world.mapping(1).target);
    refused.end.send(Err(Refusal::NoFunction { name: "f".into() })).unwrap();
    let again = world.next().await;
    assert_eq!(world.sources.halted("m"), None);
    again.end.send(Ok(String::new())).unwrap();
    world.counts((0, 0)).await;
}

#[tokio::test(start_paused = true)]
async fn stopping_gives_back_what_was_gathered() {
    let mut world = World::new(Settings::default());
    world.sources.put(Mapping { window: seconds(50), ..world.mapping(10) });
    world.send("a");
    world.counts((0, 1)).await;
    assert!(world.sources.remove("m") && !world.sources.remove("m"));
    world.counts((1, 0)).await;
    assert!(world.asked.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn every_message_ends_in_success_or_among_the_dead() {
    let mut world = World::new(Settings::default());
    let dead = TopicId::new(&world.topic.scope, "dead");
    world.queues.create_queue(&dead, Settings::default(), Notes::new(), Notes::new()).unwrap();
    let rule = DeadLetter { to: dead.clone(), after: 3, restamps: false };
    world.queues.configure(&world.topic.only(), |settings| settings.dead_letter = Some(rule)).unwrap();
    world.sources.put(world.mapping(1));
    let bodies: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    world.send(&bodies.join(" "));
    let (mut done, mut calls) = (0, 0);
    while done + world.queues.counts(&dead.only()).unwrap().visible < 300 {
        let asked = tokio::time::timeout(seconds(31), world.asked.recv()).await;
        let Ok(Some(asked)) = asked else { continue };
        calls += 1;
        let good = calls % 3 != 0;
        done += usize::from(good);
        asked.end.send(Ok(if good { String::new() } else { "fail".into() })).unwrap();
    }
    world.counts((0, 0)).await;
    assert!(calls <= 900);
}

#[tokio::test]
async fn a_queue_may_come_late_and_go() {
    let mut world = World::new(Settings::default());
    world.queues.delete_topic(&world.topic).unwrap();
    world.sources.put(world.mapping(1));
    for _ in 0..2 {
        world.queues.create_queue(&world.topic, Settings::default(), Notes::new(), Notes::new()).unwrap();
        world.send("a");
        world.next().await.end.send(Ok(String::new())).unwrap();
        world.queues.delete_topic(&world.topic).unwrap();
    }
    // The real clock works here too.
    assert!(SystemClock::new().now() > Timestamp(0));
}
