//! What a test does by hand, without a client: put an object, read one, send a message.

use super::world::World;
use bytes::Bytes;
use mlemu_core::Cause;
use mlemu_core::occurrence::Created;
use mlemu_engine::Ids;
use mlemu_engine::objects::{self, Attributes, BucketId, NewObject, Object, Origin};
use mlemu_engine::queues::{self, NewMessage};
use std::sync::Arc;
use std::time::Duration;

/// A request of its own, that everything which comes of it belongs to.
fn request(ids: &Ids) -> (String, Cause) {
    let trace = ids.fresh("trace").hex();
    let cause = Cause::Request(trace.as_str().into());
    (trace, cause)
}

impl World {
    /// The bucket of that name, in whichever cloud has one.
    pub fn bucket(&self, name: &str) -> Result<BucketId, objects::Fault> {
        let found = self.objects.named(name).into_iter().next();
        found.map(|view| view.id).ok_or_else(|| objects::Fault::NoBucket { name: name.into() })
    }

    /// Puts an object as a client of its cloud would; gives the trace of whatever that causes.
    pub async fn put(&self, bucket: &str, key: &str, body: Bytes) -> Result<String, objects::Fault> {
        let body = futures_util::stream::iter([Ok::<_, objects::Fault>(body)]);
        let content = self.objects.receive(body, &[], u64::MAX).await?;
        let (trace, cause) = request(self.engine.ids());
        let origin = Origin { cause, source_ip: "127.0.0.1".into(), request_id: trace.clone() };
        let new = NewObject {
            key: key.into(),
            content,
            attributes: Attributes::default(),
            how: Created::Put,
            origin,
        };
        self.objects.put(&self.bucket(bucket)?, new, |_| Ok::<_, objects::Fault>(()))?;
        Ok(trace)
    }

    pub fn object(&self, bucket: &str, key: &str) -> Result<Arc<Object>, objects::Fault> {
        self.objects.get(&self.bucket(bucket)?, key)
    }

    /// Sends a message; gives the trace of whatever that causes.
    pub fn send(&self, queue: &str, body: Bytes, delay: Option<Duration>) -> Result<String, queues::Fault> {
        let all = self.queues.all_counts();
        let found = all.into_iter().find(|(id, _)| *id.topic.name == *queue);
        let (id, _) = found.ok_or_else(|| queues::Fault::NoTopic { name: queue.into() })?;
        let (trace, cause) = request(self.engine.ids());
        self.queues.send(&id.topic, NewMessage { delay, ..NewMessage::of(body, cause) })?;
        Ok(trace)
    }
}
