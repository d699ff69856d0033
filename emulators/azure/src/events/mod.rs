//! Who is told of changes of blobs: functions that wait for them, and subscribers of events.
//!
//! One task reads the change log in order, and puts a message into the queue of everybody whom a change concerns. What
//! becomes of the message is the queue's matter: nothing here waits for anybody.

use crate::bindings::trigger::Waiting;
use crate::blob::BlobStorage;
use crate::blob::facts::Facts;
use mlemu_core::occurrence::{Created, Fact, ObjectChange, ObjectOccurrence};
use mlemu_core::{Cause, FunctionId, Occurrence, Sink, Subject, What};
use mlemu_engine::objects::{BucketId, Object};
use mlemu_engine::queues::Queues;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A cheap handle; clones share one table.
#[derive(Clone)]
pub(crate) struct Hearers {
    queues: Queues,
    blobs: BlobStorage,
    sink: Arc<dyn Sink>,
    table: Arc<Mutex<BTreeMap<FunctionId, Waiting>>>,
    reading: Arc<Mutex<Option<DropGuard>>>,
}

impl Hearers {
    pub fn new(queues: Queues, blobs: BlobStorage, sink: Arc<dyn Sink>) -> Self {
        Self { queues, blobs, sink, table: Arc::default(), reading: Arc::default() }
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<FunctionId, Waiting>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to read, unless it does already. Must be called inside a tokio runtime.
    pub fn begin(&self) {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if reading.is_some() {
            return;
        }
        let stop = CancellationToken::new();
        let (own, stopped) = (self.clone(), stop.clone());
        let mut changes = self.blobs.objects.changes();
        let work = async move {
            loop {
                let occurrence = changes.next().await;
                own.hear(&occurrence);
            }
        };
        tokio::spawn(async move { stopped.run_until_cancelled::<_>(work).await });
        *reading = Some(stop.drop_guard());
    }

    /// From now on the function is told of blobs.
    pub fn wait(&self, waiting: Waiting) {
        self.table().insert(waiting.function.clone(), waiting);
        self.begin();
    }

    /// The function is told of nothing any more.
    pub fn forget(&self, function: &FunctionId) {
        self.table().remove(function);
    }

    pub fn stop(&self) {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn hear(&self, occurrence: &Occurrence) {
        let Fact::Object(fact) = &occurrence.fact;
        let ObjectChange::Created(how) = fact.change else { return };
        let bucket = BucketId::new(&fact.scope, &fact.bucket);
        let waiting: Vec<Waiting> =
            self.table().values().filter(|waiting| waiting.bucket == bucket).cloned().collect();
        if waiting.is_empty() {
            return;
        }
        let kind = self.kind(&bucket, fact);
        for one in waiting.iter().filter(|one| !(one.by_events && how == Created::Post)) {
            let message = one.message(&fact.bucket, &fact.key, &fact.etag, kind);
            let cause = Cause::Occurrence {
                sequence: occurrence.sequence,
                trace: mlemu_engine::settle::trace(&occurrence.cause),
            };
            if let Some(Err(fault)) = message.map(|message| one.send(&self.queues, message, cause)) {
                let text = format!("{} was not told of {}/{}: {fault}", one.function, fact.bucket, fact.key);
                let subject = Subject { function: Some(one.function.clone()), ..Subject::default() };
                self.sink.send(self.queues.clock().now(), subject, What::Warning { text });
            }
        }
    }

    fn kind(&self, bucket: &BucketId, fact: &ObjectOccurrence) -> &'static str {
        let object: Option<Arc<Object>> = self.blobs.objects.get(bucket, &fact.key).ok();
        object.map(|object| Facts::of(&object.attributes)).unwrap_or_default().kind.name()
    }
}
