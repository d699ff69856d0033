//! Uploads in parts: begun, filled part by part in any order, then joined without copying.

use super::bucket::BucketId;
use super::commit::NewObject;
use super::digest::ChecksumKind;
use super::keep::Item;
use super::object::{Attributes, Content, Object, Origin, PartMark};
use super::{Body, Checksum, Fault, Objects, Store};
use mlemu_core::Timestamp;
use mlemu_core::occurrence::Created;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UploadId(pub Arc<str>);

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a dialect calls a part: a number, a block id, an offset. Parts are kept in the order of the bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PartName(pub Vec<u8>);

impl From<u16> for PartName {
    fn from(number: u16) -> Self {
        Self(number.to_be_bytes().into())
    }
}

impl PartName {
    /// The number it was made from, if it was.
    pub fn number(&self) -> Option<u16> {
        Some(u16::from_be_bytes(self.0.as_slice().try_into().ok()?))
    }
}

#[derive(Clone, Debug)]
pub struct Part {
    pub name: PartName,
    pub content: Content,
    pub created: Timestamp,
}

impl Part {
    fn mark(&self) -> PartMark {
        let Content { body, checksums, .. } = &self.content;
        PartMark { name: self.name.clone(), size: body.len(), checksums: checksums.clone() }
    }
}

/// The checksum that the joined object shall have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub kind: ChecksumKind,
    /// Of the checksums of the parts, not of the bytes.
    pub of_parts: bool,
}

pub(super) struct Upload {
    pub begun: Timestamp,
    pub attributes: Attributes,
    pub plan: Option<Plan>,
    pub parts: BTreeMap<PartName, Arc<Part>>,
}

/// An upload as it is at one moment.
#[derive(Clone, Debug)]
pub struct UploadView {
    pub key: Arc<str>,
    pub id: UploadId,
    pub begun: Timestamp,
    pub attributes: Attributes,
    pub plan: Option<Plan>,
    /// In the order of their names.
    pub parts: Vec<Arc<Part>>,
}

impl Objects {
    pub fn begin_upload(
        &self,
        bucket: &BucketId,
        key: &str,
        attributes: Attributes,
        plan: Option<Plan>,
    ) -> Result<UploadId, Fault> {
        let begun = self.shared.clock.now();
        let id = UploadId(self.shared.ids.fresh("upload").hex().into());
        let upload = Upload { begun, attributes, plan, parts: BTreeMap::new() };
        let at: (Arc<str>, _) = (key.into(), id.clone());
        let mut store = self.lock();
        store.bucket_mut(bucket)?.uploads.insert(at.clone(), upload);
        store.diary.note(|| Item::Upload(bucket.clone(), at.0, at.1));
        Ok(id)
    }

    /// Makes sure that there is an upload of this id: where parts may come without a beginning of their own.
    pub fn open_upload(&self, bucket: &BucketId, key: &str, id: &UploadId) -> Result<(), Fault> {
        let begun = self.shared.clock.now();
        let at: (Arc<str>, _) = (key.into(), id.clone());
        let mut store = self.lock();
        let uploads = &mut store.bucket_mut(bucket)?.uploads;
        if !uploads.contains_key(&at) {
            let (attributes, plan, parts) = (Attributes::default(), None, BTreeMap::new());
            uploads.insert(at.clone(), Upload { begun, attributes, plan, parts });
            store.diary.note(|| Item::Upload(bucket.clone(), at.0, at.1));
        }
        Ok(())
    }

    /// Parts laid end to end, as content that is nowhere yet. Fails with [`Fault::Stale`] for parts of before a reset.
    pub fn laid_out(&self, parts: &[Part], etag: &str) -> Result<Content, Fault> {
        let epoch = self.lock().epoch;
        if parts.iter().any(|part| part.content.epoch != epoch) {
            return Err(Fault::Stale);
        }
        Ok(Content {
            body: Body::join(parts.iter().map(|part| &part.content.body)),
            md5: None,
            etag: etag.into(),
            checksums: Vec::new(),
            parts: parts.iter().map(Part::mark).collect(),
            epoch,
        })
    }

    /// Adds a part, or replaces the one of the same name.
    pub fn put_part(
        &self,
        bucket: &BucketId,
        key: &str,
        id: &UploadId,
        name: PartName,
        content: Content,
    ) -> Result<Arc<Part>, Fault> {
        let part = Arc::new(Part { name: name.clone(), content, created: self.shared.clock.now() });
        let mut store = self.lock();
        if part.content.epoch != store.epoch {
            return Err(Fault::Stale);
        }
        let uploads = &mut store.bucket_mut(bucket)?.uploads;
        let upload = uploads.get_mut(&(key.into(), id.clone())).ok_or_else(|| no_upload(id))?;
        let replaced = upload.parts.insert(name.clone(), part.clone());
        store.diary.note(|| Item::Part(bucket.clone(), key.into(), id.clone(), name));
        drop(store);
        drop(replaced);
        Ok(part)
    }

    pub fn upload(&self, bucket: &BucketId, key: &str, id: &UploadId) -> Result<UploadView, Fault> {
        let store = self.lock();
        let at = (Arc::from(key), id.clone());
        store.bucket(bucket)?.uploads.get(&at).map(|upload| upload.view(&at)).ok_or_else(|| no_upload(id))
    }

    /// The name of the first part of an upload, if it has one, and how many there are.
    pub fn first_part(
        &self,
        bucket: &BucketId,
        key: &str,
        id: &UploadId,
    ) -> Result<(Option<PartName>, usize), Fault> {
        let store = self.lock();
        let uploads = &store.bucket(bucket)?.uploads;
        let parts = &uploads.get(&(key.into(), id.clone())).ok_or_else(|| no_upload(id))?.parts;
        Ok((parts.first_key_value().map(|(name, _)| name.clone()), parts.len()))
    }

    /// All uploads of a bucket that are neither joined nor given up, by key and then by age.
    pub fn uploads(&self, bucket: &BucketId) -> Result<Vec<UploadView>, Fault> {
        let store = self.lock();
        let mut views: Vec<_> =
            store.bucket(bucket)?.uploads.iter().map(|(at, upload)| upload.view(at)).collect();
        views.sort_by(|a, b| (&a.key, a.begun, &a.id).cmp(&(&b.key, b.begun, &b.id)));
        Ok(views)
    }

    /// Joins `parts`, in this order, to an object whose entity tag and checksums the dialect gives, unless
    /// `check` refuses what is there now.
    pub fn complete_upload<E: From<Fault>>(
        &self,
        bucket: &BucketId,
        upload: &UploadView,
        joined: Joined<'_>,
        check: impl FnOnce(Option<&Object>) -> Result<(), E>,
    ) -> Result<Arc<Object>, E> {
        let now = self.shared.clock.now();
        let mut store = self.lock();
        let epoch = store.epoch;
        let held = store.bucket_mut(bucket)?;
        let at = (upload.key.clone(), upload.id.clone());
        if !held.uploads.contains_key(&at) {
            return Err(no_upload(&upload.id).into());
        }
        check(held.current(&upload.key).map(Arc::as_ref))?;
        let gone = held.uploads.remove(&at);
        store.note_upload(bucket, &at, gone.as_ref());
        let new = NewObject {
            key: upload.key.clone(),
            content: joined.content(epoch),
            attributes: upload.attributes.clone(),
            how: Created::Multipart,
            origin: joined.origin,
        };
        let (object, replaced) = store.insert(bucket, new, now, Some(upload.id.clone()))?;
        drop(store);
        drop((gone, replaced));
        self.wake(object.sequence);
        Ok(object)
    }

    pub fn abort_upload(&self, bucket: &BucketId, key: &str, id: &UploadId) -> Result<(), Fault> {
        let mut store = self.lock();
        let at = (key.into(), id.clone());
        let gone = store.bucket_mut(bucket)?.uploads.remove(&at);
        store.note_upload(bucket, &at, gone.as_ref());
        drop(store);
        gone.map(drop).ok_or_else(|| no_upload(id))
    }
}

/// The parts of a finished upload and what the dialect says of them together.
#[derive(Clone, Debug)]
pub struct Joined<'a> {
    pub parts: &'a [Arc<Part>],
    pub etag: String,
    pub checksums: Vec<Checksum>,
    pub origin: Origin,
}

impl Joined<'_> {
    fn content(&self, epoch: mlemu_core::Epoch) -> Content {
        Content {
            body: Body::join(self.parts.iter().map(|part| &part.content.body)),
            md5: None,
            etag: self.etag.as_str().into(),
            checksums: self.checksums.clone(),
            parts: self.parts.iter().map(|part| part.mark()).collect(),
            epoch,
        }
    }
}

impl Store {
    /// Takes an upload out, if it is there; to be dropped outside the lock.
    pub(super) fn close_upload(
        &mut self,
        bucket: &BucketId,
        at: &(Arc<str>, UploadId),
    ) -> Result<Option<Upload>, Fault> {
        let gone = self.bucket_mut(bucket)?.uploads.remove(at);
        if gone.is_some() {
            self.note_upload(bucket, at, gone.as_ref());
        }
        Ok(gone)
    }
}

impl Upload {
    fn view(&self, at: &(Arc<str>, UploadId)) -> UploadView {
        UploadView {
            key: at.0.clone(),
            id: at.1.clone(),
            begun: self.begun,
            attributes: self.attributes.clone(),
            plan: self.plan,
            parts: self.parts.values().cloned().collect(),
        }
    }
}

fn no_upload(id: &UploadId) -> Fault {
    Fault::NoUpload { id: id.to_string() }
}
