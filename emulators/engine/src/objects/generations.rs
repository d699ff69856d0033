//! For dialects that number every version of an object, keep markers to themselves, and never let an older version
//! take the place of one that was removed.

use super::bucket::BucketId;
use super::commit::{Change, Deletion, NewObject};
use super::object::{Object, Origin};
use super::version::{Marker, Version, VersionName, Versions, Which};
use super::{Fault, Objects, Store};
use mlemu_core::Timestamp;
use mlemu_core::occurrence::ObjectChange;
use std::sync::Arc;

impl Objects {
    /// All versions of a key, newest first, with the markers among them. Empty where it was never written.
    pub fn history(&self, bucket: &BucketId, key: &str) -> Result<Vec<Version>, Fault> {
        let store = self.lock();
        let versions = store.bucket(bucket)?.objects.get(key);
        Ok(versions.map(|versions| versions.all().cloned().collect()).unwrap_or_default())
    }

    /// Puts an object in a bucket that keeps no more versions, unless `check` refuses what is there now: what the key
    /// stood for is gone, and older versions stay. It is told of without the name of a version, as nothing stays behind it.
    pub fn supplant<E: From<Fault>>(
        &self,
        bucket: &BucketId,
        new: NewObject,
        check: impl FnOnce(Option<&Object>) -> Result<(), E>,
    ) -> Result<Arc<Object>, E> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let before = store.bucket(bucket)?.current(&new.key).cloned();
        check(before.as_deref())?;
        let object = store.supplant(bucket, new, before.as_deref(), now)?;
        drop(store);
        drop(before);
        self.wake(object.sequence);
        Ok(object)
    }

    /// Removes a version for good, unless `check` refuses. What the key stood for is not followed by an older version,
    /// and no marker stays without something to hide.
    pub fn expunge<E: From<Fault>>(
        &self,
        bucket: &BucketId,
        key: &str,
        name: VersionName,
        origin: Origin,
        check: impl FnOnce(&Object) -> Result<(), E>,
    ) -> Result<Deletion, E> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let versions = store.bucket(bucket)?.objects.get(key);
        let found = versions.and_then(|versions| versions.find(Which::Named(name)));
        let Some(object) = found.and_then(Version::object).cloned() else { return Ok(Deletion::Nothing) };
        check(&object)?;
        let sequence = store.expunge(bucket, &object, origin, now)?;
        drop(store);
        self.wake(sequence);
        Ok(Deletion::Removed(Version::Object(object)))
    }
}

impl Store {
    fn supplant(
        &mut self,
        bucket: &BucketId,
        new: NewObject,
        before: Option<&Object>,
        now: Timestamp,
    ) -> Result<Arc<Object>, Fault> {
        if new.content.epoch != self.epoch {
            return Err(Fault::Stale);
        }
        let change = Change {
            key: new.key.clone(),
            kind: ObjectChange::Created(new.how),
            size: new.content.size(),
            etag: &new.content.etag,
            previous: before.map(|object| object.sequence),
            version: None,
            said: new.attributes.said(),
        };
        let sequence = self.record(bucket, change, new.origin, now)?;
        if let Some(before) = before {
            self.drop_version(bucket, before)?;
        }
        let object = Arc::new(Object {
            key: new.key,
            version: VersionName::Numbered(sequence),
            sequence,
            created: now,
            content: new.content,
            attributes: new.attributes,
            upload: None,
        });
        self.push(bucket, Version::Object(object.clone()))?;
        Ok(object)
    }

    fn expunge(
        &mut self,
        bucket: &BucketId,
        object: &Object,
        origin: Origin,
        now: Timestamp,
    ) -> Result<u64, Fault> {
        let change = Change {
            key: object.key.clone(),
            kind: ObjectChange::Deleted,
            size: 0,
            etag: "",
            previous: Some(object.sequence),
            version: object.version.number(),
            said: object.attributes.said(),
        };
        let sequence = self.record(bucket, change, origin, now)?;
        self.drop_version(bucket, object)?;
        let left = self.bucket(bucket)?.objects.get(&object.key);
        let uncovered = left
            .is_some_and(|versions| versions.current().is_some_and(|next| next.sequence < object.sequence));
        if uncovered {
            let name = VersionName::Numbered(sequence);
            let marker = Marker { key: object.key.clone(), name, sequence, created: now };
            self.push(bucket, Version::Marker(Arc::new(marker)))?;
        }
        Ok(sequence)
    }

    /// Takes a version out without a word; and the markers with it, where nothing else is left.
    fn drop_version(&mut self, bucket: &BucketId, object: &Object) -> Result<(), Fault> {
        let objects = &mut self.bucket_mut(bucket)?.objects;
        let Some(versions) = objects.get_mut(&object.key) else { return Ok(()) };
        let mut gone: Vec<Version> = versions.remove(object.version).into_iter().collect();
        if versions.all().all(|version| version.object().is_none()) {
            let rest = objects.remove(&object.key);
            gone.extend(rest.iter().flat_map(Versions::all).cloned());
        }
        for version in &gone {
            self.note_version(bucket, version);
        }
        Ok(())
    }
}
