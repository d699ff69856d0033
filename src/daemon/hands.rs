//! What a test does by hand, without a client: put an object, read one, send a message.

use super::world::{Plugged, World};
use bytes::Bytes;
use mlemu_core::Cause;
use mlemu_core::occurrence::Created;
use mlemu_engine::objects::{self, Attributes, BucketId, BucketView, NewObject, Origin};
use mlemu_engine::queues::{self, NewMessage, TopicId};
use std::time::Duration;

/// A request of its own, that everything which comes of it belongs to.
fn request(world: &World) -> (String, Cause) {
    let trace = world.engine.ids().fresh("trace").hex();
    world.traces.remember(&trace);
    let cause = Cause::Request(trace.as_str().into());
    (trace, cause)
}

impl World {
    /// The bucket of that name, in this cloud or in whichever has one.
    pub fn bucket(&self, name: &str, cloud: Option<&str>) -> Result<BucketView, objects::Fault> {
        let mut found = self.objects.named(name).into_iter();
        let found = found.find(|view| cloud.is_none_or(|cloud| *view.scope.cloud == *cloud));
        found.ok_or_else(|| objects::Fault::NoBucket { name: name.into() })
    }

    /// Puts an object as a client of its cloud would; gives the trace of whatever that causes.
    pub async fn put(&self, bucket: &BucketId, key: &str, body: Bytes) -> Result<String, objects::Fault> {
        let body = futures_util::stream::iter([Ok::<_, objects::Fault>(body)]);
        let content = self.objects.receive(body, &[], u64::MAX).await?;
        let (trace, cause) = request(self);
        let origin = Origin { cause, source_ip: "127.0.0.1".into(), request_id: trace.clone() };
        let new = NewObject {
            key: key.into(),
            content,
            attributes: Attributes::default(),
            how: Created::Put,
            origin,
        };
        self.objects.put(bucket, new, |_| Ok::<_, objects::Fault>(()))?;
        Ok(trace)
    }

    /// The queue or topic of that name, in this cloud or in whichever has one.
    pub fn topic(&self, name: &str, cloud: Option<&str>) -> Result<TopicId, queues::Fault> {
        let mut all = self.queues.all_counts().into_iter().map(|(id, _)| id.topic);
        let found =
            all.find(|topic| *topic.name == *name && cloud.is_none_or(|cloud| *topic.scope.cloud == *cloud));
        found.ok_or_else(|| queues::Fault::NoTopic { name: name.into() })
    }

    /// The same, also where a function app is still to say which queues it wants.
    pub async fn topic_to_be(&self, name: &str, cloud: Option<&str>) -> Result<TopicId, queues::Fault> {
        if let Ok(topic) = self.topic(name, cloud) {
            return Ok(topic);
        }
        self.ready().await;
        self.known().await;
        self.topic(name, cloud)
    }

    /// Sends a message; gives the trace of whatever that causes.
    pub fn send(&self, to: &TopicId, body: Bytes, delay: Option<Duration>) -> Result<String, queues::Fault> {
        let (trace, cause) = request(self);
        self.queues.send(to, NewMessage { delay, ..NewMessage::of(body, cause) })?;
        Ok(trace)
    }

    /// Where each cloud listens for requests of this scope.
    pub fn addresses(&self) -> Vec<(&'static str, String)> {
        let of =
            |plugged: &Plugged| (plugged.name, format!("http://{}{}", plugged.address, self.name.prefix()));
        self.plugged.iter().map(of).collect()
    }
}
