//! Paths as configuration files write them.

use std::path::{Component, Path, PathBuf};

/// `path` seen from `folder`, with `.` and `..` taken out by name alone: nothing needs to exist.
pub fn join(folder: &Path, path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    clean
}

/// A path as the project's own files are named: seen from its root where it is inside.
pub fn shown(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}
