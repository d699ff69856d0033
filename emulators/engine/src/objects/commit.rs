//! Reading and changing single objects. Each change is one commit under one lock.

use super::bucket::{BucketId, Documents};
use super::keep::Item;
use super::object::{Attributes, Content, Object, Origin};
use super::version::{Marker, Version, VersionName, Versioning, Versions, Which};
use super::{Fault, Objects, Store, UploadId};
use mlemu_core::occurrence::{Created, Described, Fact, ObjectChange, ObjectOccurrence};
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

/// How much of a key is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    Current,
    /// The versions that are kept beside it.
    Kept,
    Whole,
}

impl Extent {
    fn covers(self, name: VersionName) -> bool {
        match self {
            Extent::Current => name == VersionName::Unnamed,
            Extent::Kept => name != VersionName::Unnamed,
            Extent::Whole => true,
        }
    }
}

/// What came of a removal.
#[derive(Clone, Debug)]
pub enum Deletion {
    /// There was nothing.
    Nothing,
    /// It is gone for good.
    Removed(Version),
    /// It is hidden behind this marker.
    Marked(Arc<Marker>),
}

impl Objects {
    /// The object that a key stands for. Fails with [`Fault::NoBucket`] or [`Fault::NoObject`].
    pub fn get(&self, bucket: &BucketId, key: &str) -> Result<Arc<Object>, Fault> {
        let store = self.lock();
        store.bucket(bucket)?.current(key).cloned().ok_or_else(|| no_object(key))
    }

    /// A version of a key, which may be a marker. Fails with [`Fault::NoObject`] where the key was never written, and
    /// with [`Fault::NoVersion`] where a name is no version's.
    pub fn version(&self, bucket: &BucketId, key: &str, which: Which) -> Result<Version, Fault> {
        let store = self.lock();
        store.version(bucket, key, which).cloned()
    }

    /// All versions of a key, newest first; none where it was never written.
    pub fn versions(&self, bucket: &BucketId, key: &str) -> Result<Vec<Version>, Fault> {
        let store = self.lock();
        let versions = store.bucket(bucket)?.objects.get(key);
        Ok(versions.into_iter().flat_map(Versions::all).cloned().collect())
    }

    /// Puts an object, unless `check` refuses what is there now. It replaces the one before it, or hides it where the
    /// bucket keeps versions.
    pub fn put<E: From<Fault>>(
        &self,
        bucket: &BucketId,
        new: NewObject,
        check: impl FnOnce(Option<&Object>) -> Result<(), E>,
    ) -> Result<Arc<Object>, E> {
        self.put_over(bucket, new, None, |current, _| check(current))
    }

    /// The same, where what is said of the new object depends on what it replaces. With `closing`, that upload of the
    /// same key is over with it.
    pub fn put_over<E: From<Fault>>(
        &self,
        bucket: &BucketId,
        mut new: NewObject,
        closing: Option<&UploadId>,
        decide: impl FnOnce(Option<&Object>, &mut Attributes) -> Result<(), E>,
    ) -> Result<Arc<Object>, E> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let held = store.bucket(bucket)?;
        decide(held.current(&new.key).map(Arc::as_ref), &mut new.attributes)?;
        let key = new.key.clone();
        let (object, replaced) = store.insert(bucket, new, now, None)?;
        let closed = match closing {
            Some(id) => store.close_upload(bucket, &(key, id.clone()))?,
            None => None,
        };
        drop(store);
        drop((replaced, closed));
        self.wake(object.sequence);
        Ok(object)
    }

    /// Keeps the object that a key stands for as it is, under a name of its own, whatever becomes of the key; unless
    /// `decide` refuses, which also says what else there is to say of the one that is kept. The object itself is
    /// committed anew, otherwise as it was.
    pub fn keep_version<E: From<Fault>>(
        &self,
        bucket: &BucketId,
        key: &str,
        origin: Origin,
        decide: impl FnOnce(&Object, &mut Attributes) -> Result<(), E>,
    ) -> Result<Arc<Object>, E> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let current = store.bucket(bucket)?.current(key).cloned().ok_or_else(|| no_object(key))?;
        let mut kept = Object { version: VersionName::Numbered(current.sequence), ..Object::clone(&current) };
        decide(&current, &mut kept.attributes)?;
        let change = Change::of(&current, ObjectChange::Described(Described::Kept));
        let sequence = store.record(bucket, change, origin, now)?;
        let again = Object { sequence, ..Object::clone(&current) };
        let kept = Arc::new(kept);
        // The one that is replaced is the one that is kept, and its record becomes that one's.
        store.push(bucket, Version::Object(kept.clone()))?;
        let replaced = store.push(bucket, Version::Object(Arc::new(again)))?;
        drop(store);
        drop(replaced);
        self.wake(sequence);
        Ok(kept)
    }

    /// Removes as much of a key as `decide` says, which sees the object that it stands for and how many versions are
    /// kept beside it. Versions of a bucket that keeps them by itself are not meant.
    pub fn delete_extent<E: From<Fault>>(
        &self,
        bucket: &BucketId,
        key: &str,
        origin: Origin,
        decide: impl FnOnce(Option<&Object>, usize) -> Result<Extent, E>,
    ) -> Result<(), E> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let versions = store.bucket(bucket)?.objects.get(key);
        let current = versions.and_then(Versions::current).cloned();
        let kept =
            versions.map_or(0, |versions| versions.all().filter(|one| one.name().number().is_some()).count());
        let extent = decide(current.as_deref(), kept)?;
        let names: Vec<VersionName> = versions
            .into_iter()
            .flat_map(Versions::all)
            .map(Version::name)
            .filter(|name| extent.covers(*name))
            .collect();
        let mut removed = Vec::new();
        for name in names {
            removed.extend(store.remove(bucket, key, name, origin.clone(), now)?);
        }
        drop(store);
        if let Some((_, sequence)) = removed.last() {
            self.wake(*sequence);
        }
        Ok(())
    }

    /// Removes the object that a key stands for, unless `check` refuses what is there now. Where the bucket keeps
    /// versions a marker hides it, and hides nothing where there was nothing.
    pub fn delete<E: From<Fault>>(
        &self,
        bucket: &BucketId,
        key: &str,
        origin: Origin,
        check: impl FnOnce(Option<&Object>) -> Result<(), E>,
    ) -> Result<Deletion, E> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let held = store.bucket(bucket)?;
        check(held.current(key).map(Arc::as_ref))?;
        if held.view.versioning == Versioning::Off {
            let removed = store.remove(bucket, key, VersionName::Unnamed, origin, now)?;
            drop(store);
            return Ok(self.removed(removed));
        }
        let (marker, replaced) = store.mark(bucket, key, origin, now)?;
        drop(store);
        drop(replaced);
        self.wake(marker.sequence);
        Ok(Deletion::Marked(marker))
    }

    /// Removes a version for good, be it a marker, unless `check` refuses.
    pub fn delete_version<E: From<Fault>>(
        &self,
        bucket: &BucketId,
        key: &str,
        name: VersionName,
        origin: Origin,
        check: impl FnOnce(&Version) -> Result<(), E>,
    ) -> Result<Deletion, E> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let versions = store.bucket(bucket)?.objects.get(key);
        if let Some(version) = versions.and_then(|versions| versions.find(Which::Named(name))) {
            check(version)?;
        }
        let removed = store.remove(bucket, key, name, origin, now)?;
        drop(store);
        Ok(self.removed(removed))
    }

    /// Tells of a removal; the lock must have been left.
    fn removed(&self, removed: Option<(Version, u64)>) -> Deletion {
        removed.map_or(Deletion::Nothing, |(version, sequence)| {
            self.wake(sequence);
            Deletion::Removed(version)
        })
    }

    /// Changes what is said about the object that a key stands for; its content, its sequence and its date stay.
    pub fn describe(
        &self,
        bucket: &BucketId,
        key: &str,
        change: impl FnOnce(&mut Attributes),
    ) -> Result<Arc<Object>, Fault> {
        let mut store = self.lock();
        let current = store.bucket(bucket)?.current(key).ok_or_else(|| no_object(key))?;
        let mut object = Object::clone(current);
        change(&mut object.attributes);
        store.amend(bucket, object)
    }

    /// Changes what is said about a version, unless `change` refuses, and tells of it where there is a word for it.
    pub fn describe_version<E: From<Fault>>(
        &self,
        bucket: &BucketId,
        object: &Object,
        how: Option<Described>,
        origin: Origin,
        change: impl FnOnce(&mut Attributes) -> Result<(), E>,
    ) -> Result<Arc<Object>, E> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let version = store.version(bucket, &object.key, Which::Named(object.version))?;
        let mut object =
            version.object().map(|held| Object::clone(held)).ok_or_else(|| no_object(&object.key))?;
        change(&mut object.attributes)?;
        let object = store.amend(bucket, object)?;
        let Some(how) = how else { return Ok(object) };
        let change = Change::of(&object, ObjectChange::Described(how));
        let sequence = store.record(bucket, change, origin, now)?;
        drop(store);
        self.wake(sequence);
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

pub(super) struct Change<'a> {
    pub key: Arc<str>,
    pub kind: ObjectChange,
    pub size: u64,
    pub etag: &'a str,
    pub previous: Option<u64>,
    pub version: Option<u64>,
    pub said: Documents,
}

impl<'a> Change<'a> {
    fn of(object: &'a Object, kind: ObjectChange) -> Self {
        Self {
            key: object.key.clone(),
            kind,
            size: object.content.size(),
            etag: &object.content.etag,
            previous: None,
            version: object.version.number(),
            said: object.attributes.said(),
        }
    }
}

impl Store {
    fn version(&self, bucket: &BucketId, key: &str, which: Which) -> Result<&Version, Fault> {
        let versions = self.bucket(bucket)?.objects.get(key).ok_or_else(|| no_object(key))?;
        versions.find(which).ok_or_else(|| Fault::NoVersion { key: key.into() })
    }

    /// The name of a version that is made with the next commit.
    fn next_name(&self, bucket: &BucketId) -> Result<VersionName, Fault> {
        Ok(match self.bucket(bucket)?.view.versioning {
            Versioning::Enabled => VersionName::Numbered(self.sequence + 1),
            Versioning::Off | Versioning::Suspended => VersionName::Unnamed,
        })
    }

    /// Makes `new` the newest version. The second of the pair is what it replaced, to be dropped outside
    /// the lock.
    pub(super) fn insert(
        &mut self,
        bucket: &BucketId,
        new: NewObject,
        now: Timestamp,
        upload: Option<UploadId>,
    ) -> Result<(Arc<Object>, Option<Version>), Fault> {
        if new.content.epoch != self.epoch {
            return Err(Fault::Stale);
        }
        let version = self.next_name(bucket)?;
        let change = Change {
            key: new.key.clone(),
            kind: ObjectChange::Created(new.how),
            size: new.content.size(),
            etag: &new.content.etag,
            previous: self.bucket(bucket)?.current(&new.key).map(|object| object.sequence),
            version: version.number(),
            said: new.attributes.said(),
        };
        let sequence = self.record(bucket, change, new.origin, now)?;
        let object = Arc::new(Object {
            key: new.key,
            version,
            sequence,
            created: now,
            content: new.content,
            attributes: new.attributes,
            upload,
        });
        let replaced = self.push(bucket, Version::Object(object.clone()))?;
        Ok((object, replaced))
    }

    /// Makes a marker the newest version.
    fn mark(
        &mut self,
        bucket: &BucketId,
        key: &str,
        origin: Origin,
        now: Timestamp,
    ) -> Result<(Arc<Marker>, Option<Version>), Fault> {
        let name = self.next_name(bucket)?;
        let key: Arc<str> = key.into();
        let previous = self.bucket(bucket)?.current(&key).map(|object| object.sequence);
        let kind = ObjectChange::Marked;
        let (version, said) = (name.number(), Documents::new());
        let change = Change { key: key.clone(), kind, size: 0, etag: "", previous, version, said };
        let sequence = self.record(bucket, change, origin, now)?;
        let marker = Arc::new(Marker { key, name, sequence, created: now });
        let replaced = self.push(bucket, Version::Marker(marker.clone()))?;
        Ok((marker, replaced))
    }

    /// Takes a version out, if it is there, and records that.
    fn remove(
        &mut self,
        bucket: &BucketId,
        key: &str,
        name: VersionName,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Option<(Version, u64)>, Fault> {
        let objects = &mut self.bucket_mut(bucket)?.objects;
        let Some(versions) = objects.get_mut(key) else { return Ok(None) };
        let Some(removed) = versions.remove(name) else { return Ok(None) };
        if versions.is_empty() {
            objects.remove(key);
        }
        self.note_version(bucket, &removed);
        let change = Change {
            key: removed.key().clone(),
            kind: ObjectChange::Deleted,
            size: 0,
            etag: "",
            previous: Some(removed.sequence()),
            version: name.number(),
            said: removed.object().map(|object| object.attributes.said()).unwrap_or_default(),
        };
        let sequence = self.record(bucket, change, origin, now)?;
        Ok(Some((removed, sequence)))
    }

    pub(super) fn push(&mut self, bucket: &BucketId, version: Version) -> Result<Option<Version>, Fault> {
        self.note_version(bucket, &version);
        let objects = &mut self.bucket_mut(bucket)?.objects;
        let replaced = objects.entry(version.key().clone()).or_default().push(version);
        if let Some(replaced) = &replaced {
            self.note_version(bucket, replaced);
        }
        Ok(replaced)
    }

    /// Puts `object` in the place of the version of the same name.
    fn amend(&mut self, bucket: &BucketId, object: Object) -> Result<Arc<Object>, Fault> {
        let object = Arc::new(object);
        if let Some(versions) = self.bucket_mut(bucket)?.objects.get_mut(&object.key) {
            versions.amend(object.clone());
        }
        self.note_version(bucket, &Version::Object(object.clone()));
        Ok(object)
    }

    pub(super) fn record(
        &mut self,
        bucket: &BucketId,
        change: Change<'_>,
        origin: Origin,
        at: Timestamp,
    ) -> Result<u64, Fault> {
        let scope = self.bucket(bucket)?.view.scope.clone();
        self.sequence += 1;
        self.diary.note(|| Item::Counter);
        let fact = Fact::Object(ObjectOccurrence {
            scope,
            bucket: bucket.name().clone(),
            key: change.key,
            change: change.kind,
            size: change.size,
            etag: change.etag.into(),
            version: change.version,
            previous: change.previous,
            said: change.said,
            source_ip: origin.source_ip,
            request_id: origin.request_id,
        });
        let (sequence, epoch) = (self.sequence, self.epoch);
        if self.log.push(Occurrence { sequence, epoch, at, cause: origin.cause, fact }) {
            self.diary.note(|| Item::Change(sequence));
        }
        Ok(sequence)
    }
}
