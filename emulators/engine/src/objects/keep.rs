//! What of the store outlives the daemon, record by record, and how it comes back.
//!
//! The mark of a change is the key of its record. A version is known by its commit, so that a key with a long
//! history costs one record for each change.

use super::body::{Body, Piece};
use super::bucket::{Bucket, BucketId, BucketView};
use super::digest::Checksum;
use super::files::{Files, StoredFile};
use super::object::{Attributes, Content, Object, PartMark};
use super::upload::{Part, PartName, Plan, Upload, UploadId};
use super::version::{Marker, Version, VersionName, Versions};
use super::{Objects, Store};
use crate::ids::Ids;
use crate::store::{Diary, Keeps, Shelf, StoreError, decode, encode};
use bytes::Bytes;
use mlemu_core::{Clock, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// What a record is of. In this order they are read: whatever belongs to something comes after it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Item {
    /// The commit counter.
    Counter,
    Bucket(BucketId),
    /// By its commit.
    Version(BucketId, Arc<str>, u64),
    Upload(BucketId, Arc<str>, UploadId),
    Part(BucketId, Arc<str>, UploadId, PartName),
    /// A commit that somebody has still to act on.
    Change(u64),
}

#[derive(Serialize, Deserialize)]
enum PieceRecord {
    Inline(Bytes),
    File { name: String, from: u64, to: u64 },
    Zeros(u64),
}

#[derive(Serialize, Deserialize)]
struct ContentRecord {
    pieces: Vec<PieceRecord>,
    md5: Option<[u8; 16]>,
    etag: Arc<str>,
    checksums: Vec<Checksum>,
    parts: Vec<PartMark>,
}

#[derive(Serialize, Deserialize)]
struct ObjectRecord {
    version: VersionName,
    created: Timestamp,
    content: ContentRecord,
    attributes: Attributes,
    upload: Option<UploadId>,
}

#[derive(Serialize, Deserialize)]
enum VersionRecord {
    Object(Box<ObjectRecord>),
    Marker { name: VersionName, created: Timestamp },
}

#[derive(Serialize, Deserialize)]
struct UploadRecord {
    begun: Timestamp,
    attributes: Attributes,
    plan: Option<Plan>,
}

#[derive(Serialize, Deserialize)]
struct PartRecord {
    content: ContentRecord,
    created: Timestamp,
}

impl ContentRecord {
    fn of(content: &Content) -> Self {
        let piece = |piece: &Piece| match piece {
            Piece::Inline(bytes) => PieceRecord::Inline(bytes.clone()),
            Piece::File { file, range } => {
                PieceRecord::File { name: file.name(), from: range.start, to: range.end }
            }
            Piece::Zeros(len) => PieceRecord::Zeros(*len),
        };
        Self {
            pieces: content.body.pieces().iter().map(piece).collect(),
            md5: content.md5,
            etag: content.etag.clone(),
            checksums: content.checksums.clone(),
            parts: content.parts.to_vec(),
        }
    }
}

impl VersionRecord {
    fn of(version: &Version) -> Self {
        match version {
            Version::Object(object) => VersionRecord::Object(Box::new(ObjectRecord {
                version: object.version,
                created: object.created,
                content: ContentRecord::of(&object.content),
                attributes: object.attributes.clone(),
                upload: object.upload.clone(),
            })),
            Version::Marker(marker) => VersionRecord::Marker { name: marker.name, created: marker.created },
        }
    }
}

impl Keeps for Store {
    fn hand_over(&mut self) {
        if self.diary.keeps() {
            self.diary.write(|mark| self.spelled(mark));
        }
    }
}

impl Store {
    /// The record of a mark; `None`: there is no such thing any more.
    fn spelled(&self, mark: &Item) -> Option<Vec<u8>> {
        let bucket = |id| self.buckets.get(id);
        let upload =
            |id, key: &Arc<str>, upload: &UploadId| bucket(id)?.uploads.get(&(key.clone(), upload.clone()));
        Some(match mark {
            Item::Counter => encode(&self.sequence),
            Item::Bucket(id) => encode(&bucket(id)?.view),
            Item::Version(id, key, sequence) => {
                encode(&VersionRecord::of(bucket(id)?.objects.get(key)?.committed(*sequence)?))
            }
            Item::Upload(id, key, name) => {
                let Upload { begun, attributes, plan, .. } = upload(id, key, name)?;
                encode(&UploadRecord { begun: *begun, attributes: attributes.clone(), plan: *plan })
            }
            Item::Part(id, key, name, part) => {
                let part = upload(id, key, name)?.parts.get(part)?;
                encode(&PartRecord { content: ContentRecord::of(&part.content), created: part.created })
            }
            Item::Change(sequence) => encode(self.log.entry(*sequence)?),
        })
    }

    pub(super) fn note_version(&self, bucket: &BucketId, version: &Version) {
        self.diary.note(|| Item::Version(bucket.clone(), version.key().clone(), version.sequence()));
    }

    pub(super) fn note_upload(&self, bucket: &BucketId, at: &(Arc<str>, UploadId), upload: Option<&Upload>) {
        self.diary.note(|| Item::Upload(bucket.clone(), at.0.clone(), at.1.clone()));
        for part in upload.into_iter().flat_map(|upload| upload.parts.keys()) {
            self.diary.note(|| Item::Part(bucket.clone(), at.0.clone(), at.1.clone(), part.clone()));
        }
    }

    /// A bucket with all that is in it.
    pub(super) fn note_bucket(&self, id: &BucketId) {
        let Some(bucket) = self.buckets.get(id).filter(|_| self.diary.keeps()) else { return };
        self.diary.note(|| Item::Bucket(id.clone()));
        for version in bucket.objects.values().flat_map(Versions::all) {
            self.note_version(id, version);
        }
        for (at, upload) in &bucket.uploads {
            self.note_upload(id, at, Some(upload));
        }
    }

    /// Nothing of before is left.
    pub(super) fn note_all(&self) {
        self.diary.begin_anew();
        self.diary.note(|| Item::Counter);
        self.buckets.keys().for_each(|id| self.note_bucket(id));
    }
}

/// Reads records back; bodies of one file share it again.
struct Reader {
    store: Store,
    files: Arc<Files>,
    opened: HashMap<String, Arc<StoredFile>>,
}

impl Reader {
    fn content(&mut self, record: ContentRecord) -> Content {
        let mut pieces = Vec::with_capacity(record.pieces.len());
        for piece in record.pieces {
            pieces.push(match piece {
                PieceRecord::Inline(bytes) => Piece::Inline(bytes),
                PieceRecord::Zeros(len) => Piece::Zeros(len),
                PieceRecord::File { name, from, to } => {
                    let known = || Arc::new(self.files.known(&name));
                    let file = self.opened.entry(name.clone()).or_insert_with(known).clone();
                    Piece::File { file, range: from..to }
                }
            });
        }
        Content {
            body: Body::of(pieces),
            md5: record.md5,
            etag: record.etag,
            checksums: record.checksums,
            parts: record.parts.into(),
            epoch: self.store.epoch,
        }
    }

    fn version(&mut self, key: Arc<str>, sequence: u64, record: VersionRecord) -> Version {
        match record {
            VersionRecord::Marker { name, created } => {
                Version::Marker(Arc::new(Marker { key, name, sequence, created }))
            }
            VersionRecord::Object(record) => Version::Object(Arc::new(Object {
                key,
                version: record.version,
                sequence,
                created: record.created,
                content: self.content(record.content),
                attributes: record.attributes,
                upload: record.upload,
            })),
        }
    }

    /// Puts one thing back. `Err`: why that cannot be.
    fn put(&mut self, mark: Item, bytes: &[u8]) -> Result<(), String> {
        let lost =
            |id: &BucketId| format!("there is something in the bucket `{}`, which is missing", id.name());
        match mark {
            Item::Counter => self.store.sequence = decode(bytes)?,
            Item::Bucket(id) => {
                let view: BucketView = decode(bytes)?;
                self.store.buckets.insert(id, Bucket::new(view, BTreeMap::new()));
            }
            Item::Version(id, key, sequence) => {
                let version = self.version(key.clone(), sequence, decode(bytes)?);
                let bucket = self.store.buckets.get_mut(&id).ok_or_else(|| lost(&id))?;
                bucket.objects.entry(key).or_default().push(version);
            }
            Item::Upload(id, key, name) => {
                let UploadRecord { begun, attributes, plan } = decode(bytes)?;
                let upload = Upload { begun, attributes, plan, parts: BTreeMap::new() };
                let bucket = self.store.buckets.get_mut(&id).ok_or_else(|| lost(&id))?;
                bucket.uploads.insert((key, name), upload);
            }
            Item::Part(id, key, upload, name) => {
                let PartRecord { content, created } = decode(bytes)?;
                let part = Part { name: name.clone(), content: self.content(content), created };
                let bucket = self.store.buckets.get_mut(&id).ok_or_else(|| lost(&id))?;
                let upload = bucket.uploads.get_mut(&(key, upload)).ok_or_else(|| lost(&id))?;
                upload.parts.insert(name, Arc::new(part));
            }
            Item::Change(_) => self.store.log.leave(decode(bytes)?),
        }
        Ok(())
    }
}

impl Objects {
    /// The store as it was left on `shelf`, and kept there from now on. Bodies are files beside it.
    pub fn kept_on(shelf: &Shelf, clock: Arc<dyn Clock>, ids: Ids) -> Result<Self, StoreError> {
        let files = Arc::new(Files::new(shelf.bodies().unwrap_or_default(), shelf.clone()));
        let shelf = shelf.part("objects");
        let mut records: Vec<(Item, Vec<u8>)> = Vec::new();
        for (key, value) in shelf.found() {
            records.push((shelf.read(&key)?, value));
        }
        records.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut reader = Reader { store: Store::default(), files, opened: HashMap::new() };
        for (mark, bytes) in records {
            if let Err(why) = reader.put(mark, &bytes) {
                // What was read so far goes from memory alone.
                reader.files.leave();
                return Err(shelf.unreadable(why));
            }
        }
        let Reader { mut store, files, opened } = reader;
        let known: HashSet<PathBuf> = opened.values().map(|file| file.path().to_owned()).collect();
        files.sweep(&known);
        store.diary = Diary::new(shelf);
        Ok(Self::with(store, files, clock, ids))
    }
}
