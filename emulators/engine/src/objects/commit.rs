//! Reading and changing single objects. Each change is one commit under one lock.

use super::bucket::{BucketId, Versions};
use super::object::{Attributes, Content, Object, Origin};
use super::{Fault, Objects, Store, UploadId};
use mlemu_core::occurrence::{Created, Fact, ObjectChange, ObjectOccurrence};
use mlemu_core::{Occurrence, Timestamp};
use std::sync::Arc;

/// An object as it shall be.
#[derive(Clone, Debug)]
pub struct NewObject {
    pub key: Arc<str>,
    pub content: Content,
    pub attributes: Attributes,
    pub how: Created,
    pub origin: Origin,
}

impl Objects {
    /// Fails with [`Fault::NoBucket`] or [`Fault::NoObject`].
    pub fn get(&self, bucket: &BucketId, key: &str) -> Result<Arc<Object>, Fault> {
        let store = self.lock();
        store.bucket(bucket)?.current(key).cloned().ok_or_else(|| no_object(key))
    }

    /// Puts an object, replacing the one before it, unless `check` refuses what is there now.
    pub fn put<E: From<Fault>>(
        &self,
        bucket: &BucketId,
        new: NewObject,
        check: impl FnOnce(Option<&Object>) -> Result<(), E>,
    ) -> Result<Arc<Object>, E> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        check(store.bucket(bucket)?.current(&new.key).map(Arc::as_ref))?;
        let (object, replaced) = store.insert(bucket, new, now, None)?;
        drop(store);
        drop(replaced);
        self.wake(object.sequence);
        Ok(object)
    }

    /// Removes an object for good, unless `check` refuses what is there now. `None`: there was none.
    pub fn delete<E: From<Fault>>(
        &self,
        bucket: &BucketId,
        key: &str,
        origin: Origin,
        check: impl FnOnce(Option<&Object>) -> Result<(), E>,
    ) -> Result<Option<Arc<Object>>, E> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let current = store.bucket(bucket)?.current(key).cloned();
        check(current.as_deref())?;
        let Some(object) = current else { return Ok(None) };
        let removed = store.bucket_mut(bucket)?.objects.remove(key);
        let change = Change {
            key: object.key.clone(),
            kind: ObjectChange::Deleted,
            size: 0,
            etag: "",
            previous: Some(object.sequence),
        };
        let sequence = store.record(bucket, change, origin, now)?;
        drop(store);
        drop(removed);
        self.wake(sequence);
        Ok(Some(object))
    }

    /// Changes what is said about an object; its content, its sequence and its date stay.
    pub fn describe(
        &self,
        bucket: &BucketId,
        key: &str,
        change: impl FnOnce(&mut Attributes),
    ) -> Result<Arc<Object>, Fault> {
        let mut store = self.lock();
        let held = store.bucket_mut(bucket)?;
        let mut object =
            held.current(key).map(|object| Object::clone(object)).ok_or_else(|| no_object(key))?;
        change(&mut object.attributes);
        let object = Arc::new(object);
        held.objects.insert(object.key.clone(), Versions::of(object.clone()));
        Ok(object)
    }

    pub(super) fn wake(&self, sequence: u64) {
        // Two writers may come here out of order; readers look into the log anyway.
        self.shared.newest.send_modify(|newest| *newest = sequence.max(*newest));
        if let Some(pulse) = self.shared.pulse.get() {
            pulse.ring();
        }
    }
}

fn no_object(key: &str) -> Fault {
    Fault::NoObject { key: key.into() }
}

struct Change<'a> {
    key: Arc<str>,
    kind: ObjectChange,
    size: u64,
    etag: &'a str,
    previous: Option<u64>,
}

impl Store {
    /// Makes `new` the current version. The second of the pair is what it replaced, to be dropped outside
    /// the lock.
    pub(super) fn insert(
        &mut self,
        bucket: &BucketId,
        new: NewObject,
        now: Timestamp,
        upload: Option<UploadId>,
    ) -> Result<(Arc<Object>, Option<Versions>), Fault> {
        if new.content.epoch != self.epoch {
            return Err(Fault::Stale);
        }
        let change = Change {
            key: new.key.clone(),
            kind: ObjectChange::Created(new.how),
            size: new.content.size(),
            etag: &new.content.etag,
            previous: self.bucket(bucket)?.current(&new.key).map(|object| object.sequence),
        };
        let sequence = self.record(bucket, change, new.origin, now)?;
        let object = Arc::new(Object {
            key: new.key.clone(),
            sequence,
            created: now,
            content: new.content,
            attributes: new.attributes,
            upload,
        });
        let replaced = self.bucket_mut(bucket)?.objects.insert(new.key, Versions::of(object.clone()));
        Ok((object, replaced))
    }

    fn record(
        &mut self,
        bucket: &BucketId,
        change: Change<'_>,
        origin: Origin,
        at: Timestamp,
    ) -> Result<u64, Fault> {
        let scope = self.bucket(bucket)?.scope.clone();
        self.sequence += 1;
        let fact = Fact::Object(ObjectOccurrence {
            scope,
            bucket: bucket.name().clone(),
            key: change.key,
            change: change.kind,
            size: change.size,
            etag: change.etag.into(),
            version: None,
            previous: change.previous,
            source_ip: origin.source_ip,
            request_id: origin.request_id,
        });
        let (sequence, epoch) = (self.sequence, self.epoch);
        self.log.push(Occurrence { sequence, epoch, at, cause: origin.cause, fact });
        Ok(sequence)
    }
}
