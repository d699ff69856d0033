//! The object core: one store under every cloud's dialect.
//!
//! Metadata lives in memory, ordered by key, so that a listing is a scan of a range. Bodies are inline when
//! small and files of opaque names when not; a copy shares the body. Every commit gets the next number of one
//! counter and is written to one change log, which triggers read at their own pace.
//!
//! With a store the metadata is written there as it changes ([`keep`]), and the files of bodies stay.
//!
//! A bucket may keep versions: then a replaced object stays behind the new one, and a removal hides it behind a marker.
//!
//! The core knows no dialect: entity tags of joined objects, name rules and preconditions come from the
//! caller. A precondition is a closure that sees the object as it is at the moment of the commit.

mod body;
mod bucket;
mod commit;
mod digest;
mod files;
mod generations;
mod intake;
mod keep;
mod listing;
mod log;
mod object;
mod seed;
mod snapshot;
#[cfg(test)]
mod tests;
mod upload;
mod version;

pub use body::Body;
pub use bucket::{BucketId, BucketView, Documents};
pub use commit::{Deletion, Extent, NewObject};
pub use digest::{Checksum, ChecksumKind, Digests, hex};
pub use listing::{ListQuery, Listed, Page, VersionPage};
pub use log::Changes;
pub use object::{Attributes, Content, Object, Origin, PartMark};
pub use seed::{Seed, seeds};
pub use snapshot::Snapshot;
pub use upload::{Joined, Part, PartName, Plan, UploadId, UploadView};
pub use version::{Marker, Version, VersionName, Versioning, Which};

use crate::ids::Ids;
use crate::store::{Diary, Held};
use bucket::Bucket;
use files::Files;
use keep::Item;
use log::Log;
use mlemu_core::{Clock, Epoch};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use thiserror::Error;
use tokio::sync::watch;

/// What the store itself refuses. Each dialect has its own words for these.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    #[error("there is no bucket `{name}`")]
    NoBucket { name: String },
    #[error("the bucket `{name}` exists already")]
    BucketExists { name: String },
    #[error("the bucket `{name}` is not empty")]
    BucketNotEmpty { name: String },
    #[error("there is no object `{key}`")]
    NoObject { key: String },
    #[error("there is no such version of `{key}`")]
    NoVersion { key: String },
    #[error("there is no upload `{id}`")]
    NoUpload { id: String },
    #[error("the body is longer than the {limit} bytes allowed")]
    TooLarge { limit: u64 },
    #[error("the store was reset in the meantime")]
    Stale,
    #[error("mlemu cannot keep the body: {why}")]
    Disk { why: String },
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Fault::Disk { why: error.to_string() }
    }
}

/// A cheap handle; clones share one store.
#[derive(Clone)]
pub struct Objects {
    shared: Arc<Shared>,
}

struct Shared {
    files: Arc<Files>,
    clock: Arc<dyn Clock>,
    ids: Ids,
    store: Mutex<Store>,
    /// The newest sequence; wakes the readers of the log.
    newest: watch::Sender<u64>,
    /// Rung after every commit.
    pulse: OnceLock<Arc<crate::Pulse>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.files.leave();
    }
}

#[derive(Default)]
struct Store {
    epoch: Epoch,
    sequence: u64,
    buckets: BTreeMap<BucketId, Bucket>,
    log: Log,
    diary: Diary<Item>,
}

impl Store {
    fn bucket(&self, id: &BucketId) -> Result<&Bucket, Fault> {
        self.buckets.get(id).ok_or_else(|| id.missing())
    }

    fn bucket_mut(&mut self, id: &BucketId) -> Result<&mut Bucket, Fault> {
        self.buckets.get_mut(id).ok_or_else(|| id.missing())
    }
}

impl Objects {
    /// `folder` takes the bodies of large objects; it is made when the first one comes.
    pub fn new(folder: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self::named_by(folder, clock, Ids::default())
    }

    /// The same, whose uploads get their ids from `ids`.
    pub fn named_by(folder: PathBuf, clock: Arc<dyn Clock>, ids: Ids) -> Self {
        Self::with(Store::default(), Files::new(folder, crate::Shelf::default()).into(), clock, ids)
    }

    fn with(store: Store, files: Arc<Files>, clock: Arc<dyn Clock>, ids: Ids) -> Self {
        let (newest, _) = watch::channel(store.sequence);
        let (store, pulse) = (Mutex::new(store), OnceLock::new());
        Self { shared: Arc::new(Shared { files, clock, ids, store, newest, pulse }) }
    }

    /// Counts every commit as under way in `settle` until the readers of the change log have acted on it.
    pub fn counted_in(self, settle: crate::Settle) -> Self {
        // Only the first one counts, as whoever waits has it.
        let _ = self.shared.pulse.set(settle.pulse().clone());
        self.lock().log.settle = settle;
        self
    }

    /// Where ids come from.
    pub fn ids(&self) -> &Ids {
        &self.shared.ids
    }

    /// The number of the newest commit.
    pub fn sequence(&self) -> u64 {
        self.lock().sequence
    }

    /// Forgets everything and begins the next epoch. Bodies that are still being received belong to the
    /// old one and will be refused.
    pub fn reset(&self) {
        self.restore(&Snapshot::default());
    }

    fn lock(&self) -> Held<'_, Store> {
        Held(self.shared.store.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
