//! The trigger task with a stub for the engine.

use super::*;
use crate::objects::{Attributes, NewObject, Origin};
use crate::queues::{Notes, Settings, Want};
use crate::{Journal, SystemClock, objects};
use bytes::Bytes;
use futures_util::stream;
use mlemu_core::Scope;
use mlemu_core::occurrence::Created;
use std::path::PathBuf;
use tokio::sync::mpsc;

struct Stub(mpsc::UnboundedSender<Invoke>);

impl Invoker for Stub {
    async fn invoke(&self, invoke: Invoke) -> Result<Reply, Refusal> {
        let name = invoke.target.name.to_string();
        self.0.send(invoke).unwrap();
        if name == "gone" { Err(Refusal::NoFunction { name }) } else { Ok(Reply::Accepted) }
    }
}

struct KeyShape;

impl EventShape for KeyShape {
    fn event(&self, occurrence: &Occurrence, subscription: &str) -> Bytes {
        let Fact::Object(fact) = &occurrence.fact;
        format!("{subscription} {}", fact.key).into()
    }
}

struct World {
    objects: Objects,
    triggers: Triggers,
    bucket: BucketId,
    scope: Arc<Scope>,
    journal: Arc<Journal>,
    invoked: mpsc::UnboundedReceiver<Invoke>,
}

fn world() -> World {
    let clock = Arc::new(SystemClock::new());
    let objects = Objects::new(PathBuf::from("unused"), clock.clone());
    let scope = Arc::new(Scope::new("cloud", "one", "here"));
    let bucket = objects.create_bucket(&scope, "shelf").unwrap();
    let triggers = Triggers::new(objects.clone());
    let journal = Arc::new(Journal::new(100));
    let (sender, invoked) = mpsc::unbounded_channel();
    let parts = TriggerParts {
        invoker: Stub(sender),
        clock,
        sink: journal.clone(),
        new_id: |ids| InvocationId(ids.fresh("invocation").uuid().into()),
    };
    tokio::spawn(triggers.run(parts));
    World { objects, triggers, bucket, scope, journal, invoked }
}

impl World {
    fn rule(&self, id: &str, prefix: &str, suffix: &str, function: &str) -> Rule {
        Rule {
            id: id.into(),
            changes: vec![ObjectChange::Created(Created::Put), ObjectChange::Deleted],
            prefix: prefix.into(),
            suffix: suffix.into(),
            target: Target::Function { id: FunctionId::new(self.scope.clone(), function), qualifier: None },
            shape: Arc::new(KeyShape),
        }
    }

    async fn put(&self, key: &str, how: Created) {
        let body = stream::iter([Ok::<_, objects::Fault>(Bytes::from_static(b"x"))]);
        let content = self.objects.receive(body, &[], 10).await.unwrap();
        let new =
            NewObject { key: key.into(), content, attributes: Attributes::default(), how, origin: origin() };
        self.objects.put(&self.bucket, new, |_| Ok::<_, objects::Fault>(())).unwrap();
    }

    async fn payloads(&mut self) -> Vec<String> {
        self.triggers.settled().await;
        let mut payloads = Vec::new();
        while let Ok(invoke) = self.invoked.try_recv() {
            payloads.push(String::from_utf8(invoke.payload.into()).unwrap());
        }
        payloads
    }

    fn records(&self) -> Vec<What> {
        self.journal.past().iter().map(|record| record.what.clone()).collect()
    }
}

fn origin() -> Origin {
    Origin { cause: Cause::Request("t-1".into()), source_ip: "::1".into(), request_id: "r".into() }
}

#[tokio::test]
async fn only_matching_changes_start_functions_and_in_order() {
    let mut world = world();
    let rules = vec![world.rule("pics", "in/", ".jpg", "f"), world.rule("all", "", "", "g")];
    world.triggers.set(&world.bucket, rules);
    world.put("in/a.jpg", Created::Put).await;
    world.put("in/b.jpg", Created::Copy).await;
    world.put("out/c.jpg", Created::Put).await;
    world.objects.delete(&world.bucket, "in/a.jpg", origin(), |_| Ok::<_, objects::Fault>(())).unwrap();
    let expected = ["pics in/a.jpg", "all in/a.jpg", "all out/c.jpg", "pics in/a.jpg", "all in/a.jpg"];
    assert_eq!(world.payloads().await, expected);
}

#[tokio::test]
async fn the_chain_of_causes_is_kept() {
    let mut world = world();
    world.triggers.set(&world.bucket, vec![world.rule("r", "", "", "f")]);
    world.put("k", Created::Put).await;
    let invoke = world.invoked.recv().await.unwrap();
    assert_eq!(invoke.cause, Cause::Occurrence { sequence: 1, trace: "t-1".into() });
    assert_eq!(invoke.mode, Mode::Queue);
    let What::Occurred { sequence: 1, summary } = &world.records()[0] else {
        panic!("{:?}", world.records())
    };
    assert_eq!(summary, "created shelf/k");
}

#[tokio::test]
async fn a_refusal_is_told_and_the_next_rule_still_runs() {
    let mut world = world();
    world.triggers.set(&world.bucket, vec![world.rule("a", "", "", "gone"), world.rule("b", "", "", "f")]);
    world.put("k", Created::Put).await;
    assert_eq!(world.payloads().await, ["a k", "b k"]);
    let warned = world.records().into_iter().filter(|what| matches!(what, What::Warning { .. })).count();
    assert_eq!(warned, 1);
}

#[tokio::test]
async fn rules_do_not_concern_commits_before_them() {
    let mut world = world();
    world.put("early", Created::Put).await;
    world.triggers.set(&world.bucket, vec![world.rule("r", "", "", "f")]);
    world.put("late", Created::Put).await;
    assert_eq!(world.payloads().await, ["r late"]);
    world.triggers.set(&world.bucket, vec![]);
    world.put("later", Created::Put).await;
    assert_eq!(world.payloads().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_queue_is_told_by_a_message() {
    let mut world = world();
    let queues = Queues::new(Arc::new(SystemClock::new()));
    let topic = TopicId::new(&world.scope, "told");
    queues.create_queue(&topic, Settings::default(), Notes::new(), Notes::new()).unwrap();
    let target = Target::Queue { queues: queues.clone(), topic: topic.clone() };
    let rule = Rule { target, ..world.rule("pics", "in/", "", "f") };
    world.triggers.set(&world.bucket, vec![rule]);
    world.put("in/a.jpg", Created::Put).await;
    assert!(world.payloads().await.is_empty());
    let told = queues.receive(&topic.only(), Want::next(10)).await.unwrap();
    assert_eq!(told[0].message.body, "pics in/a.jpg");
    assert_eq!(told[0].message.cause, Cause::Occurrence { sequence: 1, trace: "t-1".into() });
}
