//! From a container to a function: a message for each new blob, which is tried a few times and then put aside.
//!
//! The cloud's host looks for new blobs now and then; here the change itself tells of them. What comes after is the
//! same: a queue within, five tries, and a message with the blob's name in a queue of poison.
//!
//! Source: Azure Functions documentation, "Azure Blob storage trigger" (blob receipts, poison blobs).

use super::pattern::Pattern;
use crate::blob::BlobStorage;
use crate::blob::facts::Facts;
use crate::queue::ensure;
use crate::queue::feed::last_try;
use bytes::Bytes;
use mlemu_core::{Answer, Cause, FunctionFailure, FunctionId, Sink, Subject, Timestamp, What};
use mlemu_engine::objects::{BucketId, Object, Origin};
use mlemu_engine::queues::{BackOff, Fault, NewMessage, Queues, Received, TopicId};
use mlemu_engine::sources::{BatchShape, Mapping, Verdict};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Where blobs go that failed too often.
const POISON: &str = "webjobs-blobtrigger-poison";
/// Where it is noted which blobs were seen, as the host does.
const HOSTS: &str = "azure-webjobs-hosts";
/// Largest event, in bytes.
const EVENT: usize = 64 * 1024;

/// A function that waits for blobs.
#[derive(Clone)]
pub(crate) struct Waiting {
    pub function: FunctionId,
    pub pattern: Pattern,
    pub bucket: BucketId,
    /// Only new blobs, as events tell of them; otherwise also those that are there and those that grow.
    pub by_events: bool,
    pub queue: TopicId,
}

impl Waiting {
    /// The message within that stands for a blob; `None`: the function does not wait for it.
    pub fn message(&self, container: &str, blob: &str, etag: &str, kind: &str) -> Option<Bytes> {
        if **self.bucket.name() != *container {
            return None;
        }
        self.pattern.captures(blob)?;
        let text = json!({
            "Type": "BlobTrigger",
            "FunctionId": format!("Host.Functions.{}", self.function.name),
            "BlobType": kind,
            "ContainerName": container,
            "BlobName": blob,
            "ETag": format!("\"{etag}\""),
        });
        Some(text.to_string().into())
    }

    /// The blob that notes that the function has seen another one.
    fn receipt(&self, blob: &str, etag: &str) -> String {
        let (function, container) = (&self.function.name, self.bucket.name());
        format!("blobreceipts/mlemu/Host.Functions.{function}/\"{etag}\"/{container}/{blob}")
    }

    /// Whether the function has seen this blob, or has failed often enough at it.
    pub fn has_seen(&self, blobs: &BlobStorage, blob: &str, etag: &str) -> bool {
        let hosts = blobs.bucket(blobs.accounts.own(), HOSTS);
        !self.by_events && blobs.objects.get(&hosts, &self.receipt(blob, etag)).is_ok()
    }

    fn note(&self, blobs: &BlobStorage, blob: &str, etag: &str, cause: Cause) {
        if self.by_events {
            return;
        }
        let noted = blobs.ensure(blobs.accounts.own(), HOSTS).and_then(|hosts| {
            let content = blobs.objects.laid_out(&[], "")?;
            let origin = Origin { cause, source_ip: "127.0.0.1".into(), request_id: String::new() };
            blobs.store(&hosts, &self.receipt(blob, etag), content, "application/octet-stream", origin)
        });
        // Without it the blob is seen once more after a restart, no worse.
        drop(noted);
    }

    pub fn send(&self, queues: &Queues, message: Bytes, cause: Cause) -> Result<(), Fault> {
        queues.send(&self.queue, NewMessage::of(message, cause)).map(drop)
    }
}

/// The queue within, and what feeds the function from it: how often a blob is tried, and how many at once.
pub(crate) fn mapping(
    waiting: &Waiting,
    queues: &Queues,
    blobs: &BlobStorage,
    sink: Arc<dyn Sink>,
    (most, at_once): (u32, usize),
) -> Result<Mapping, Fault> {
    ensure(queues, &waiting.queue)?;
    let no_wait = BackOff { first: Duration::ZERO, longest: Duration::ZERO };
    queues.configure(&waiting.queue.only(), |settings| settings.back_off = Some(no_wait))?;
    Ok(Mapping {
        id: id_of(&waiting.function).into(),
        from: waiting.queue.only(),
        target: waiting.function.clone(),
        qualifier: None,
        batch: 1,
        window: Duration::ZERO,
        event_limit: EVENT,
        concurrency: Some(at_once),
        shape: Arc::new(Fed {
            queues: queues.clone(),
            blobs: blobs.clone(),
            sink,
            waiting: waiting.clone(),
            most,
        }),
    })
}

pub(crate) fn id_of(function: &FunctionId) -> String {
    format!("blob-{}", function.name)
}

/// As the host calls it.
pub(crate) fn queue_of(function: &FunctionId) -> TopicId {
    let name = function.name.to_ascii_lowercase().replace('_', "-");
    TopicId::new(&function.scope, &format!("azure-webjobs-blobtrigger-{name}"))
}

struct Fed {
    queues: Queues,
    blobs: BlobStorage,
    sink: Arc<dyn Sink>,
    waiting: Waiting,
    most: u32,
}

impl Fed {
    fn say(&self, text: String) {
        let subject = Subject { function: Some(self.waiting.function.clone()), ..Subject::default() };
        self.sink.send(self.queues.clock().now(), subject, What::Warning { text });
    }

    /// The blob that a message stands for, unless it is gone or another one by now: that one has a message too.
    fn blob(&self, one: &Received) -> Option<(Arc<Object>, String)> {
        let said: Value = serde_json::from_slice(&one.message.body).ok()?;
        let (container, name) = (said["ContainerName"].as_str()?, said["BlobName"].as_str()?);
        let object = self.blobs.objects.get(&self.waiting.bucket, name).ok()?;
        let etag = Facts::of(&object.attributes).etag;
        (said["ETag"] == format!("\"{etag}\"")).then(|| (object, format!("{container}/{name}")))
    }

    fn note(&self, one: &Received) {
        if let Some((object, _)) = self.blob(one) {
            let etag = Facts::of(&object.attributes).etag;
            self.waiting.note(&self.blobs, &object.key, &etag, one.message.cause.clone());
        }
    }

    fn put_aside(&self, one: &Received, failure: &FunctionFailure) {
        let most = self.most;
        let name = serde_json::from_slice::<Value>(&one.message.body).unwrap_or_default();
        let (container, blob) = (&name["ContainerName"], &name["BlobName"]);
        let path =
            format!("{}/{}", container.as_str().unwrap_or_default(), blob.as_str().unwrap_or_default());
        self.say(format!(
            "Message has reached MaxDequeueCount of {most}. Moving message to queue '{POISON}'. The blob is {path}. {}",
            last_try(failure)
        ));
        let to = TopicId::new(&self.waiting.queue.scope, POISON);
        let text = crate::queue::feed::encoded(&one.message.body);
        let new = NewMessage::of(text, one.message.cause.clone());
        if let Err(fault) = ensure(&self.queues, &to).and_then(|()| self.queues.send(&to, new).map(drop)) {
            self.say(format!("the message could not be moved: {fault}"));
        }
    }
}

impl BatchShape for Fed {
    fn wants(&self, one: &Received) -> bool {
        self.blob(one).is_some_and(|(object, _)| {
            let etag = Facts::of(&object.attributes).etag;
            !self.waiting.has_seen(&self.blobs, &object.key, &etag)
        })
    }

    fn event(&self, batch: &[Received]) -> Bytes {
        let Some(one) = batch.first() else { return Bytes::new() };
        let Some((object, path)) = self.blob(one) else { return Bytes::new() };
        let stamp = |at: Timestamp| jiff::Timestamp::from_microsecond(at.0).unwrap_or_default().to_string();
        let facts = Facts::of(&object.attributes);
        // What comes after the path is for the console.
        let document = json!({
            "BlobTrigger": path,
            "Source": if self.waiting.by_events { "EventGrid" } else { "LogsAndContainerScan" },
            "Id": &*one.message.id,
            "DequeueCount": one.count,
            "InsertionTime": stamp(one.message.enqueued),
            "BlobCreated": stamp(facts.created),
            "BlobLastModified": stamp(facts.modified),
        });
        document.to_string().into()
    }

    fn verdict(&self, batch: &[Received], _answer: &Answer) -> Verdict {
        for one in batch {
            self.note(one);
        }
        Verdict::Done
    }

    fn failed(&self, batch: &[Received], failure: &FunctionFailure) -> Verdict {
        match batch.first() {
            Some(one) if one.count >= self.most => {
                self.put_aside(one, failure);
                self.note(one);
                Verdict::Done
            }
            _ => Verdict::Failed,
        }
    }
}
