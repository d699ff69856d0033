//! Which files a build looked at, so that the next one can see with a few `stat` calls that nothing changed.

use crate::shelf::{blocking, disk};
use mlemu_core::{BuildFailure, Needs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Manifests and sources are read up to this size; what is longer was not written by a person.
const LONGEST_FILE: u64 = 16 << 20;

/// What changes when a file does. For a folder: when an entry comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// `None`: there is nothing of this name. That is worth remembering, too.
    pub fn of(path: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok()?;
        Some(Self { inode: meta.ino(), length: meta.len(), modified: (meta.mtime(), meta.mtime_nsec()) })
    }
}

/// The files and folders that a result depends on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    stamps: BTreeMap<PathBuf, Option<Stamp>>,
}

impl Inputs {
    /// Takes note of a path before it is looked at.
    pub fn watch(&mut self, path: &Path) {
        if !self.stamps.contains_key(path) {
            self.stamps.insert(path.to_owned(), Stamp::of(path));
        }
    }

    /// Reads a text; `None` when there is no such file. Bytes that are no UTF-8 are replaced.
    pub fn read(&mut self, path: &Path) -> io::Result<Option<String>> {
        self.watch(path);
        let meta = match fs::metadata(path) {
            Ok(meta) if meta.is_file() => meta,
            Ok(_) => return Err(io::Error::other("not a file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if meta.len() > LONGEST_FILE {
            return Err(io::Error::other(format!("longer than {LONGEST_FILE} bytes")));
        }
        Ok(Some(String::from_utf8_lossy(&fs::read(path)?).into_owned()))
    }

    /// At most so many entries of a folder, in order of their names; none when it cannot be read.
    pub fn list(&mut self, folder: &Path, most: usize) -> Vec<fs::DirEntry> {
        self.watch(folder);
        let all = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let mut entries: Vec<_> = all.take(most).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        entries
    }

    /// Whether all of it is as it was.
    pub fn unchanged(&self) -> bool {
        self.stamps.iter().all(|(path, stamp)| Stamp::of(path) == *stamp)
    }
}

/// Reads what a source says of itself, on a thread that may block, with what was looked at.
pub(crate) async fn gather<T: Send + 'static>(
    needs: Needs,
    read: fn(&Needs, &mut Inputs) -> Result<T, BuildFailure>,
) -> Result<(T, Inputs), BuildFailure> {
    let source = needs.source.clone();
    let work = move || {
        let mut inputs = Inputs::default();
        let said = read(&needs, &mut inputs);
        Ok(said.map(|said| (said, inputs)))
    };
    blocking(work).await.map_err(|error| disk(&source, &error))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_change_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (there, missing) = (folder.path().join("there"), folder.path().join("missing"));
        fs::write(&there, "one").unwrap();
        let look = || {
            let mut inputs = Inputs::default();
            assert!(inputs.read(&there).unwrap().is_some());
            inputs.watch(&missing);
            inputs
        };
        let first = look();
        assert!(first.unchanged());
        fs::write(&there, "longer").unwrap();
        assert!(!first.unchanged(), "edited");
        let second = look();
        fs::write(folder.path().join("new"), "LONGER").unwrap();
        fs::rename(folder.path().join("new"), &there).unwrap();
        assert!(!second.unchanged(), "replaced, as editors do");
        let third = look();
        fs::write(&missing, "").unwrap();
        assert!(!third.unchanged(), "appeared");
        let fourth = look();
        fs::remove_file(&there).unwrap();
        assert!(!fourth.unchanged(), "removed");
    }

    #[test]
    fn a_new_entry_changes_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut inputs = Inputs::default();
        assert!(inputs.list(folder.path(), 9).is_empty());
        assert!(inputs.unchanged());
        fs::write(folder.path().join("new.py"), "").unwrap();
        assert!(!inputs.unchanged());
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut inputs = Inputs::default();
        assert!(inputs.read(folder.path()).is_err());
        assert!(inputs.read(&folder.path().join("none")).unwrap().is_none());
    }
}
