//! From a change of an object to the functions that wait for it.
//!
//! One task reads the change log in order, from its own place in it. Whoever changed the object has long
//! been answered: nothing waits for triggers but those who ask [`Triggers::settled`].

use crate::Engine;
use crate::ids::Ids;
use crate::objects::{BucketId, Changes, Objects};
use crate::queues::{NewMessage, Queues, TopicId};
use crate::settle::Work;
use crate::turns::Turns;
use bytes::Bytes;
use mlemu_core::occurrence::{Fact, ObjectChange};
use mlemu_core::{
    Boxed, Cause, Clock, EventShape, FunctionId, InvocationId, Invoke, Mode, Occurrence, Refusal, Reply,
    Sink, Subject, What,
};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Runs functions. The engine does; tests have their own.
pub trait Invoker: Send + Sync + 'static {
    fn invoke(&self, invoke: Invoke) -> impl Future<Output = Result<Reply, Refusal>> + Send;

    /// Who acts by itself waits for its turn here.
    fn turns(&self) -> Turns {
        Turns::default()
    }

    /// Where ids come from.
    fn ids(&self) -> Ids {
        Ids::default()
    }
}

impl Invoker for Engine {
    async fn invoke(&self, invoke: Invoke) -> Result<Reply, Refusal> {
        Engine::invoke(self, invoke).await
    }

    fn turns(&self) -> Turns {
        Engine::turns(self).clone()
    }

    fn ids(&self) -> Ids {
        Engine::ids(self).clone()
    }
}

/// Which changes of a bucket start which function.
#[derive(Clone)]
pub struct Rule {
    /// The id under which it was configured.
    pub id: String,
    pub changes: Vec<ObjectChange>,
    /// Keys must begin with it.
    pub prefix: String,
    /// Keys must end with it.
    pub suffix: String,
    pub target: Target,
    pub shape: Arc<dyn EventShape>,
}

/// Completes a message that has its payload and its cause.
pub type Says = Arc<dyn Fn(&Occurrence, NewMessage) -> NewMessage + Send + Sync>;

/// Delivers the event of a change. What comes of it is under way when it completes; `Err` says why nothing does.
pub type Deliver = Arc<dyn Fn(&Occurrence, Bytes, Cause) -> Boxed<'static, Result<(), String>> + Send + Sync>;

/// Who is told of a change.
#[derive(Clone)]
pub enum Target {
    Function {
        id: FunctionId,
        /// Which revision, by the vendor's label; `None` is the latest.
        qualifier: Option<String>,
    },
    /// The event is a message there.
    Queue { queues: Queues, topic: TopicId },
    /// The same, where the dialect says more on the message.
    Told { queues: Queues, topic: TopicId, says: Says },
    /// Whatever else a cloud has.
    Other { name: Arc<str>, deliver: Deliver },
}

impl Target {
    /// Whether it is this function, in whatever revision.
    pub fn is(&self, function: &FunctionId) -> bool {
        matches!(self, Target::Function { id, .. } if id == function)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Function { id, .. } => id.fmt(f),
            Target::Queue { topic, .. } | Target::Told { topic, .. } => topic.fmt(f),
            Target::Other { name, .. } => name.fmt(f),
        }
    }
}

impl Rule {
    fn matches(&self, occurrence: &Occurrence) -> bool {
        let Fact::Object(fact) = &occurrence.fact;
        self.changes.contains(&fact.change)
            && fact.key.starts_with(&self.prefix)
            && fact.key.ends_with(&self.suffix)
            && self.shape.concerns(occurrence)
    }
}

/// A bucket's rules, and the newest commit when they were set: older ones do not concern them.
struct Rules {
    since: u64,
    rules: Arc<[Rule]>,
}

/// What the reading task needs beside the table.
#[derive(Clone)]
pub struct TriggerParts<I> {
    pub invoker: I,
    pub clock: Arc<dyn Clock>,
    pub sink: Arc<dyn Sink>,
    /// Makes an id for each invocation.
    pub new_id: fn(&Ids) -> InvocationId,
}

/// The table of rules. A cheap handle; clones share one table.
#[derive(Clone)]
pub struct Triggers {
    objects: Objects,
    table: Arc<Mutex<HashMap<BucketId, Rules>>>,
    done: Arc<watch::Sender<u64>>,
}

impl Triggers {
    pub fn new(objects: Objects) -> Self {
        Self { objects, table: Arc::default(), done: Arc::new(watch::channel(0).0) }
    }

    /// Replaces the rules of a bucket; none removes them. Only later commits concern the new ones.
    pub fn set(&self, bucket: &BucketId, rules: Vec<Rule>) {
        let since = self.objects.since();
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if rules.is_empty() {
            table.remove(bucket);
        } else {
            table.insert(bucket.clone(), Rules { since, rules: rules.into() });
        }
    }

    /// Waits until every commit before this call has reached its functions' queues.
    pub async fn settled(&self) {
        let wanted = self.objects.sequence();
        let mut done = self.done.subscribe();
        // The sender lives as long as `self`.
        let _ = done.wait_for(|done| *done >= wanted).await;
    }

    /// The reading task; give it to a runtime. Commits made before this call are not seen, but for those that were left
    /// when the daemon ended.
    pub fn run<I: Invoker>(&self, parts: TriggerParts<I>) -> impl Future<Output = ()> + Send + use<I> {
        let since = self.objects.since();
        let changes = self.objects.changes();
        self.done.send_replace(since);
        read(self.clone(), changes, parts)
    }

    fn hits(&self, occurrence: &Occurrence) -> Vec<Rule> {
        let Fact::Object(fact) = &occurrence.fact;
        let bucket = BucketId::new(&fact.scope, &fact.bucket);
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        match table.get(&bucket) {
            Some(held) if held.since < occurrence.sequence => {
                held.rules.iter().filter(|rule| rule.matches(occurrence)).cloned().collect()
            }
            _ => Vec::new(),
        }
    }
}

async fn read<I: Invoker>(triggers: Triggers, mut changes: Changes, parts: TriggerParts<I>) {
    let parts = Arc::new(parts);
    loop {
        let occurrence = changes.next().await;
        for rule in triggers.hits(&occurrence) {
            let turns = parts.invoker.turns();
            if turns.are_kept() {
                tokio::spawn(fire_in_turn(parts.clone(), turns.clone(), occurrence.clone(), rule));
            } else {
                fire(&parts, &occurrence, &rule).await;
            }
        }
        triggers.done.send_replace(occurrence.sequence);
    }
}

/// Counts as under way from this call on.
fn fire_in_turn<I: Invoker>(
    parts: Arc<TriggerParts<I>>,
    turns: Turns,
    occurrence: Arc<Occurrence>,
    rule: Rule,
) -> impl Future<Output = ()> + Send {
    let Fact::Object(fact) = &occurrence.fact;
    let work = Work::Change { bucket: fact.bucket.clone(), key: fact.key.clone() };
    let pending = turns.settle().enter_waiting(&fact.scope, occurrence.cause.trace(), work);
    let moving = turns.moving();
    async move {
        let name = format!("change {:020} {} {}", occurrence.sequence, rule.target, rule.id);
        let turn = turns.wait(name, moving).await;
        fire(&parts, &occurrence, &rule).await;
        drop((turn, pending));
    }
}

async fn fire<I: Invoker>(parts: &TriggerParts<I>, occurrence: &Occurrence, rule: &Rule) {
    let cause = Cause::Occurrence { sequence: occurrence.sequence, trace: occurrence.cause.trace() };
    let payload = rule.shape.event(occurrence, &rule.id);
    let (target, qualifier) = match &rule.target {
        Target::Function { id, qualifier } => (id.clone(), qualifier.clone()),
        Target::Queue { queues, topic } => {
            return tell(parts, occurrence, (queues, topic), NewMessage::of(payload, cause));
        }
        Target::Told { queues, topic, says } => {
            let new = says(occurrence, NewMessage::of(payload, cause));
            return tell(parts, occurrence, (queues, topic), new);
        }
        Target::Other { name, deliver } => {
            let subject = Subject { cause: Some(cause.clone()), ..Subject::default() };
            if let Err(why) = deliver(occurrence, payload, cause).await {
                let text = format!("{name} was not told of {}: {why}", summary(occurrence));
                parts.sink.send(parts.clock.now(), subject, What::Warning { text });
            }
            return;
        }
    };
    let id = (parts.new_id)(&parts.invoker.ids());
    let subject = Subject {
        function: Some(target.clone()),
        invocation: Some(id.clone()),
        cause: Some(cause.clone()),
        ..Subject::default()
    };
    let occurred = What::Occurred { sequence: occurrence.sequence, summary: summary(occurrence) };
    parts.sink.send(parts.clock.now(), subject.clone(), occurred);
    let invoke = Invoke { qualifier, mode: Mode::Queue, ..Invoke::of(id, target, payload, cause) };
    if let Err(refusal) = parts.invoker.invoke(invoke).await {
        let text = format!("{} was not started by {}: {refusal}", rule.target, summary(occurrence));
        parts.sink.send(parts.clock.now(), subject, What::Warning { text });
    }
}

fn tell<I>(
    parts: &TriggerParts<I>,
    occurrence: &Occurrence,
    (queues, topic): (&Queues, &TopicId),
    new: NewMessage,
) {
    let subject = Subject { cause: Some(new.cause.clone()), ..Subject::default() };
    if let Err(fault) = queues.send(topic, new) {
        let text = format!("{topic} was not told of {}: {fault}", summary(occurrence));
        parts.sink.send(parts.clock.now(), subject, What::Warning { text });
    }
}

fn summary(occurrence: &Occurrence) -> String {
    let Fact::Object(fact) = &occurrence.fact;
    let verb = match fact.change {
        ObjectChange::Created(_) => "created",
        ObjectChange::Deleted => "deleted",
        ObjectChange::Marked => "hidden",
        ObjectChange::Described(_) => "described",
    };
    format!("{verb} {}/{}", fact.bucket, fact.key)
}

#[cfg(test)]
mod tests;
