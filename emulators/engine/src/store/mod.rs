//! What survives the daemon: one file of records, written by one thread, in groups.
//!
//! Memory is the truth for whoever reads. A core notes what it changed under its lock ([`Diary`]); when the lock is
//! left the records of just that go to the [`Inbox`](inbox), in order. The [`writer`] takes all that has come
//! together and commits it at once. Nobody waits under a lock: whoever has to be sure asks [`Store::written`]
//! before it answers, so that many wait for one commit. Tables of other services are written whole ([`Kept`]).
//!
//! Without a store there is a [`Shelf`] that keeps nothing, and a note costs one look at it.

mod diary;
mod folder;
mod inbox;
mod kept;
mod record;
#[cfg(test)]
pub(crate) mod reopened;
mod shelf;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use diary::{Diary, Held, Keeps};
pub use kept::{Kept, KeptGuard};
pub(crate) use record::{decode, encode, names};
pub(crate) use shelf::Change;
pub use shelf::Shelf;

use folder::Folder;
use inbox::{Inbox, Write};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use thiserror::Error;
use writer::Writer;

/// What an answer promises of what it changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The operating system has it: it survives the daemon, however that ends, but not the loss of power.
    #[default]
    Disk,
    /// The disk has it.
    Durable,
}

impl Durability {
    /// As settings say it.
    pub fn word(self) -> &'static str {
        match self {
            Durability::Disk => "disk",
            Durability::Durable => "durable",
        }
    }
}

/// Why a store cannot be used. Nothing of it was changed then.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error(
        "{} was written by a newer mlemu ({by}): its format is {found}, and this mlemu knows formats up to {known}",
        .folder.display()
    )]
    Newer { folder: PathBuf, found: u64, known: u64, by: String },
    #[error("{} is used by another mlemu{}", .folder.display(), .by.map(|by| format!(" (process {by})")).unwrap_or_default())]
    InUse { folder: PathBuf, by: Option<u32> },
    #[error("{} is not empty and has no store of mlemu", .folder.display())]
    Foreign { folder: PathBuf },
    #[error("{} cannot be read: {why}", .path.display())]
    Unreadable { path: PathBuf, why: String },
    #[error("cannot use {}: {source}", .path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

impl StoreError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            StoreError::Newer { .. } => "start it with that version of mlemu, or choose another folder",
            StoreError::InUse { .. } => "end that one, or choose another folder",
            StoreError::Foreign { .. } => "choose a new or an empty folder",
            StoreError::Unreadable { .. } => {
                "put back a copy of the folder, or choose another one; nothing in it was changed"
            }
            StoreError::Io { .. } => return None,
        };
        Some(hint.into())
    }
}

/// The disk did not take what was changed. It is in memory, and is written as soon as that is possible.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the store cannot be written: {why}")]
pub struct Unwritten {
    pub why: Arc<str>,
}

/// A cheap handle; clones share one store.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    folder: Folder,
    durability: Durability,
    inbox: Arc<Inbox>,
    #[cfg(test)]
    full: Arc<std::sync::atomic::AtomicBool>,
    /// What was there at the start, until its owner takes it.
    found: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
    /// What of it could not be read.
    blamed: Mutex<Option<StoreError>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

/// While it lives nothing is committed: what is changed meanwhile becomes one commit.
#[must_use]
pub struct Together(Arc<Inbox>);

impl Drop for Together {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

impl Store {
    /// Opens the store in `folder`, or makes one in a new or empty folder. Blocking.
    pub fn open(folder: &Path, durability: Durability) -> Result<Self, StoreError> {
        let folder = Folder::open(folder)?;
        let mut writer = Writer::open(folder.records(), durability)?;
        let found = writer.read()?;
        #[cfg(test)]
        let full = writer.full.clone();
        let inbox = Arc::<Inbox>::default();
        let thread = writer.start(inbox.clone());
        let thread = thread.map_err(|source| StoreError::Io { path: folder.path().into(), source })?;
        let (found, writer) = (Mutex::new(found), Mutex::new(Some(thread)));
        let shared = Shared {
            folder,
            durability,
            inbox,
            #[cfg(test)]
            full,
            found,
            blamed: Mutex::default(),
            writer,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub fn durability(&self) -> Durability {
        self.shared.durability
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        self.shared.folder.path()
    }

    /// The shelf of one world.
    pub fn world(&self, name: &str) -> Shelf {
        Shelf::of(self.clone(), name)
    }

    /// Completes when everything that was changed before is written as the durability promises.
    pub async fn written(&self) -> Result<(), Unwritten> {
        self.shared.inbox.written().await
    }

    /// The number of the newest change: the same before and after means that nothing was changed.
    pub fn issued(&self) -> u64 {
        self.shared.inbox.issued()
    }

    /// Whether the last commit failed.
    pub fn is_failing(&self) -> bool {
        self.shared.inbox.is_failing()
    }

    /// Tries once more to write what could not be written.
    pub async fn retry(&self) -> Result<(), Unwritten> {
        self.shared.inbox.submit(Vec::new());
        self.written().await
    }

    pub fn together(&self) -> Together {
        self.shared.inbox.hold();
        Together(self.shared.inbox.clone())
    }

    /// Writes what is left, ends and gives the folder free. Blocking; later changes are not written any more.
    pub fn close(&self) {
        self.shared.inbox.close();
        let writer = self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A panic of the writer was told by itself.
            let _ = writer.join();
        }
        self.shared.folder.release();
    }

    /// Whether the disk has no room, for tests.
    #[cfg(test)]
    fn fill(&self, full: bool) {
        self.shared.full.store(full, std::sync::atomic::Ordering::SeqCst);
    }

    fn blame(&self, error: StoreError) {
        *self.shared.blamed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    fn blamed(&self) -> Option<StoreError> {
        self.shared.blamed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn submit(&self, writes: Vec<Write>) {
        self.shared.inbox.submit(writes);
    }

    /// Takes what was found under a prefix, without the prefix.
    fn take(&self, prefix: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut found = self.shared.found.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = found.split_off(prefix);
        let mut others = taken.split_off(&record::after(prefix));
        found.append(&mut others);
        taken.into_iter().map(|(key, value)| (key[prefix.len()..].to_vec(), value)).collect()
    }
}
