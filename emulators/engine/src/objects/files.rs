//! The files of large bodies. Each lives as long as something points at it; with a store also beyond the daemon.

use super::Fault;
use crate::store::Shelf;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where the files are, and who removes them.
#[derive(Default)]
pub(super) struct Files {
    folder: PathBuf,
    shelf: Shelf,
    /// Nothing is removed any more: memory goes, and what is kept stays.
    leaving: AtomicBool,
}

/// A file that lives as long as something points at it.
pub(super) struct StoredFile {
    path: PathBuf,
    files: Arc<Files>,
}

impl Files {
    /// `folder` is made when the first file comes.
    pub fn new(folder: PathBuf, shelf: Shelf) -> Self {
        Self { folder, shelf, leaving: AtomicBool::new(false) }
    }

    /// A new file under a name of its own, which tells nothing of its key: users' names never become names of
    /// files. It is on its way until it is finished. Blocking.
    pub fn create(self: &Arc<Self>) -> io::Result<(File, StoredFile)> {
        std::fs::create_dir_all(&self.folder)?;
        let name = crate::ids::unguessable();
        let path = self.folder.join(name).with_extension("part");
        let file = File::create_new(&path)?;
        Ok((file, StoredFile { path, files: self.clone() }))
    }

    /// One that was there at the start.
    pub fn known(self: &Arc<Self>, name: &str) -> StoredFile {
        StoredFile { path: self.folder.join(name), files: self.clone() }
    }

    /// Removes what was there at the start and nothing points at.
    pub fn sweep(&self, known: &HashSet<PathBuf>) {
        for file in self.shelf.files() {
            if !known.contains(&file) {
                self.shelf.unlink(file);
            }
        }
    }

    /// Why a body could not be written or read, where, and what to do about it.
    pub fn failed(&self, error: &io::Error) -> Fault {
        let folder = self.folder.display();
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded].contains(&error.kind());
        let next = if full { "; make room on that disk, then send it again" } else { "" };
        Fault::Disk { why: format!("{folder}: {error}{next}") }
    }

    pub fn leave(&self) {
        self.leaving.store(true, Ordering::SeqCst);
    }
}

impl StoredFile {
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// All of `file` is written: from here on it may be pointed at. Blocking.
    pub fn finish(&mut self, file: &File) -> io::Result<()> {
        let to = self.path.with_extension("");
        if self.files.shelf.syncs() {
            file.sync_data()?;
        }
        std::fs::rename(&self.path, &to)?;
        self.path = to;
        if self.files.shelf.syncs() {
            File::open(&self.files.folder)?.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for StoredFile {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.path);
        if self.files.shelf.keeps() {
            if !self.files.leaving.load(Ordering::SeqCst) {
                self.files.shelf.unlink(path);
            }
            return;
        }
        // Unlinking gigabytes takes a while: not on a thread that serves requests.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || std::fs::remove_file(path))),
            Err(_) => drop(std::fs::remove_file(path)),
        }
    }
}

impl std::fmt::Debug for StoredFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StoredFile").field(&self.path).finish()
    }
}
