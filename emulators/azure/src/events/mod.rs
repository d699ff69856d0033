//! Who is told of changes of blobs: functions that wait for them, and subscribers of events.
//!
//! One task reads the change log in order, and puts a message into the queue of everybody whom a change concerns. What
//! becomes of the message is the queue's matter: nothing here waits for anybody. [`event`] is what subscribers are told,
//! [`subscription`] which of it, [`feed`] brings it to functions and [`courier`] to addresses.

mod courier;
pub(crate) mod event;
mod feed;
pub(crate) mod subscription;
#[cfg(test)]
mod tests;

use crate::bindings::trigger::Waiting;
use crate::blob::BlobStorage;
use crate::blob::facts::Facts;
use crate::queue::ensure;
use crate::storage::fault::Fault;
use crate::storage::properties::KEPT;
use courier::{Courier, Post};
use event::Event;
use mlemu_core::occurrence::{Created, Fact, ObjectChange, ObjectOccurrence};
use mlemu_core::{Cause, FunctionId, Occurrence, Scope, Sink, Subject, What};
use mlemu_engine::objects::{BucketId, Fault as Core};
use mlemu_engine::queues::{BackOff, NewMessage, Queues, TopicId};
use mlemu_engine::sources::Sources;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use subscription::{Destination, Subscription};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What is kept of subscriptions, beside what is said of services as a whole.
const DOCUMENT: &str = "subscriptions";

/// What the reading task lives on.
struct Parts {
    queues: Queues,
    blobs: BlobStorage,
    sources: Sources,
    sink: Arc<dyn Sink>,
    scope: Arc<Scope>,
    post: Post,
}

#[derive(Default)]
struct Table {
    waiting: BTreeMap<FunctionId, Waiting>,
    /// With what carries their events, where that is a task of ours.
    subscriptions: BTreeMap<String, (Subscription, Option<DropGuard>)>,
    /// While it lives the change log is read.
    reading: Option<DropGuard>,
}

/// A cheap handle; clones share one table.
#[derive(Clone)]
pub(crate) struct Hearers {
    parts: Arc<Parts>,
    table: Arc<Mutex<Table>>,
}

impl Hearers {
    pub fn new(
        queues: Queues,
        blobs: BlobStorage,
        sources: Sources,
        sink: Arc<dyn Sink>,
        scope: Arc<Scope>,
    ) -> Self {
        let parts = Parts { queues, blobs, sources, sink, scope, post: Post::new() };
        Self { parts: Arc::new(parts), table: Arc::default() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to read, unless it does already. Must be called inside a tokio runtime.
    fn begin(&self, table: &mut Table) {
        if table.reading.is_some() {
            return;
        }
        let stop = CancellationToken::new();
        let (own, stopped) = (self.clone(), stop.clone());
        let mut changes = self.parts.blobs.objects.changes();
        let work = async move {
            loop {
                let occurrence = changes.next().await;
                own.hear(&occurrence);
            }
        };
        tokio::spawn(async move { stopped.run_until_cancelled::<_>(work).await });
        table.reading = Some(stop.drop_guard());
    }

    /// From now on the function is told of blobs; of those that are there already too, unless events tell of them.
    pub fn wait(&self, waiting: Waiting) {
        let mut table = self.table();
        let before = table.waiting.insert(waiting.function.clone(), waiting.clone());
        self.begin(&mut table);
        drop(table);
        if !waiting.by_events && before.is_none_or(|before| before.pattern != waiting.pattern) {
            self.catch_up(&waiting);
        }
    }

    /// Tells of the blobs that were there before their function, and that it has not seen in another life.
    fn catch_up(&self, waiting: &Waiting) {
        let all = mlemu_engine::objects::ListQuery { limit: usize::MAX, ..Default::default() };
        let Ok(page) = self.parts.blobs.objects.list(&waiting.bucket, all) else { return };
        for object in page.objects {
            let facts = Facts::of(&object.attributes);
            let container = waiting.bucket.name();
            if waiting.has_seen(&self.parts.blobs, &object.key, &facts.etag) {
                continue;
            }
            if let Some(message) = waiting.message(container, &object.key, &facts.etag, facts.kind.name()) {
                self.tell(waiting, message, Cause::Mlemu, &format!("{container}/{}", object.key));
            }
        }
    }

    /// The function is told of one blob, by somebody else than the change itself.
    pub fn told(&self, function: &FunctionId, container: &str, blob: &str) {
        let Some(waiting) = self.table().waiting.get(function).cloned() else { return };
        let Ok(object) = self.parts.blobs.objects.get(&waiting.bucket, blob) else { return };
        let facts = Facts::of(&object.attributes);
        if let Some(message) = waiting.message(container, blob, &facts.etag, facts.kind.name()) {
            self.tell(&waiting, message, Cause::Mlemu, &format!("{container}/{blob}"));
        }
    }

    /// The function is told of nothing any more.
    pub fn forget(&self, function: &FunctionId) {
        self.table().waiting.remove(function);
    }

    pub fn stop(&self) {
        *self.table() = Table::default();
    }

    fn hear(&self, occurrence: &Occurrence) {
        let Fact::Object(fact) = &occurrence.fact;
        let trace = mlemu_engine::settle::trace(&occurrence.cause);
        let cause = Cause::Occurrence { sequence: occurrence.sequence, trace };
        if let ObjectChange::Created(how) = fact.change {
            self.tell_functions(fact, how, &cause);
        }
        if let Some(kind) = event::kind(fact) {
            self.tell_subscribers(occurrence, fact, kind, &cause);
        }
    }

    fn tell_functions(&self, fact: &ObjectOccurrence, how: Created, cause: &Cause) {
        let bucket = BucketId::new(&fact.scope, &fact.bucket);
        let of_it =
            |waiting: &&Waiting| waiting.bucket == bucket && !(waiting.by_events && how == Created::Post);
        let waiting: Vec<Waiting> = self.table().waiting.values().filter(of_it).cloned().collect();
        for one in waiting {
            let object = self.parts.blobs.objects.get(&bucket, &fact.key).ok();
            let facts = object.map(|object| Facts::of(&object.attributes)).unwrap_or_default();
            if let Some(message) = one.message(&fact.bucket, &fact.key, &fact.etag, facts.kind.name()) {
                self.tell(&one, message, cause.clone(), &format!("{}/{}", fact.bucket, fact.key));
            }
        }
    }

    fn tell(&self, waiting: &Waiting, message: bytes::Bytes, cause: Cause, blob: &str) {
        if let Err(fault) = waiting.send(&self.parts.queues, message, cause) {
            let subject = Subject { function: Some(waiting.function.clone()), ..Subject::default() };
            self.parts.warn(subject, format!("{} was not told of {blob}: {fault}", waiting.function));
        }
    }

    fn tell_subscribers(&self, occurrence: &Occurrence, fact: &ObjectOccurrence, kind: &str, cause: &Cause) {
        let subject = event::subject(fact);
        let subscribers: Vec<(String, event::Schema)> = self
            .table()
            .subscriptions
            .values()
            .filter(|(one, _)| one.wants(kind, &subject))
            .map(|(one, _)| (one.name.clone(), one.schema))
            .collect();
        if subscribers.is_empty() {
            return;
        }
        let Some(event) = Event::of(occurrence, &self.parts.blobs) else { return };
        for (name, schema) in subscribers {
            let new = NewMessage::of(event.written(schema), cause.clone());
            if let Err(fault) = self.parts.queues.send(&self.parts.queue(&name), new) {
                self.parts.warn(
                    Subject::default(),
                    format!("subscription {name} was not told of {subject}: {fault}"),
                );
            }
        }
    }
}

impl Parts {
    /// The queue of a subscription, which Queue Storage does not show.
    fn queue(&self, subscription: &str) -> TopicId {
        TopicId::new(&self.scope, &format!("$eventgrid-{subscription}"))
    }

    fn warn(&self, subject: Subject, text: String) {
        self.sink.send(self.queues.clock().now(), subject, What::Warning { text });
    }

    fn kept(&self) -> BTreeMap<String, Value> {
        let view = self.blobs.objects.bucket(&BucketId::new(&self.scope, KEPT)).ok();
        view.map(|view| read(view.document(DOCUMENT))).unwrap_or_default()
    }

    fn keep(&self, change: impl FnOnce(&mut BTreeMap<String, Value>)) -> Result<(), Fault> {
        match self.blobs.objects.create_bucket(&self.scope, KEPT) {
            Ok(_) | Err(Core::BucketExists { .. }) => {}
            Err(fault) => return Err(fault.into()),
        }
        // Read and written in one go: somebody else may change another subscription meanwhile.
        self.blobs.objects.describe_bucket(&BucketId::new(&self.scope, KEPT), |documents| {
            let mut all = read(documents.get(DOCUMENT));
            change(&mut all);
            let text = serde_json::to_string(&all).unwrap_or_default();
            documents.insert(DOCUMENT.into(), text.into());
            Ok(())
        })
    }
}

fn read(document: Option<&Arc<str>>) -> BTreeMap<String, Value> {
    document.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

impl Hearers {
    /// All subscriptions, by name.
    pub fn subscriptions(&self) -> Vec<Subscription> {
        self.table().subscriptions.values().map(|(one, _)| one.clone()).collect()
    }

    /// Makes a subscription whose handler has said that it wants events. `Err` says why not.
    pub async fn subscribe(&self, new: Subscription) -> Result<(), String> {
        if let Destination::WebHook(url) = &new.to {
            self.parts.post.shake_hands(&new, url, &**self.parts.queues.clock()).await?;
        }
        self.declare(new)
    }

    /// Makes a subscription; its handler is asked before the first event.
    pub fn declare(&self, new: Subscription) -> Result<(), String> {
        let kept = self.parts.keep(|all| drop(all.insert(new.name.clone(), new.shown())));
        kept.map_err(|fault| fault.to_string())?;
        self.sync();
        Ok(())
    }

    /// `false`: there was none.
    pub fn unsubscribe(&self, name: &str) -> bool {
        let mut was_there = false;
        let kept = self.parts.keep(|all| was_there = all.remove(name).is_some());
        self.sync();
        kept.is_ok() && was_there
    }

    /// Carries events for exactly the subscriptions that are kept. Must be called inside a tokio runtime.
    pub fn sync(&self) {
        let mut table = self.table();
        let mut old = std::mem::take(&mut table.subscriptions);
        for (name, said) in self.parts.kept() {
            let Ok(wanted) = Subscription::read(&name, &said) else { continue };
            let entry = match old.remove(&name) {
                Some(kept) if kept.0 == wanted => kept,
                _ => (wanted.clone(), self.carry(&wanted)),
            };
            table.subscriptions.insert(name, entry);
        }
        if !table.subscriptions.is_empty() {
            self.begin(&mut table);
        }
        drop(table);
        for (name, (gone, _)) in old {
            if matches!(gone.to, Destination::Function(_)) {
                self.parts.sources.remove(&feed::id_of(&name));
            }
        }
    }

    /// Begins to carry the events of a subscription.
    fn carry(&self, wanted: &Subscription) -> Option<DropGuard> {
        let parts = &self.parts;
        let queue = parts.queue(&wanted.name);
        // One that is there already has what was not carried yet.
        let _ = ensure(&parts.queues, &queue);
        match &wanted.to {
            Destination::Function(name) => {
                let pauses =
                    BackOff { first: Duration::from_secs(10), longest: Duration::from_secs(3 * 3600) };
                let _ = parts.queues.configure(&queue.only(), |settings| settings.back_off = Some(pauses));
                let function = FunctionId::new(parts.scope.clone(), name);
                let (queues, sink) = (&parts.queues, parts.sink.clone());
                parts.sources.put(feed::mapping(wanted, function, &queue, queues, sink));
                None
            }
            Destination::WebHook(url) => {
                let (stop, own) = (CancellationToken::new(), self.parts.clone());
                let courier = Courier {
                    to: wanted.clone(),
                    url: url.clone(),
                    queues: parts.queues.clone(),
                    from: queue.only(),
                    post: parts.post.clone(),
                    knows: AtomicBool::new(false),
                    say: Arc::new(move |text| own.warn(Subject::default(), text)),
                };
                let stopped = stop.clone();
                tokio::spawn(async move { stopped.run_until_cancelled(Arc::new(courier).run()).await });
                Some(stop.drop_guard())
            }
        }
    }
}
