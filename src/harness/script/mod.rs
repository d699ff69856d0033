//! Tests without a program: `*.mlemu.yaml` files that say what is done, and what shall come of it.
//!
//! [`model`] is what a file says, [`read`] reads it and points at what is wrong in it, [`fields`] is what can be expected, [`run`] does the steps in a
//! scope of their own, [`check`] looks at what came of them, and [`matching`] compares. [`schema`] describes files to editors. Nothing here prints.

pub mod check;
mod content;
mod fields;
pub mod matching;
pub mod model;
pub mod read;
pub mod run;
pub mod schema;
mod secrets;
pub mod snapshots;
#[cfg(test)]
mod tests;
pub mod write;

use ignore::WalkBuilder;
use std::path::{Path, PathBuf};

/// How the files' names end.
pub const ENDINGS: [&str; 2] = [".mlemu.yaml", ".mlemu.yml"];
/// Folders below the project's that are looked through.
const DEPTH: usize = 6;

/// The test files of a project, in the order of their names.
pub fn files(root: &Path) -> Vec<PathBuf> {
    let walk = WalkBuilder::new(root).max_depth(Some(DEPTH)).build();
    let named = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        ENDINGS.iter().any(|ending| name.ends_with(ending))
    };
    let mut files: Vec<_> =
        walk.filter_map(Result::ok).map(ignore::DirEntry::into_path).filter(named).collect();
    files.sort();
    files
}
