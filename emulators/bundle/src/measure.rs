//! How large a source folder is as a package would carry it.

use ignore::WalkBuilder;
use std::path::{Path, PathBuf};

/// Folders that no package carries, whatever the ignore files say.
const LEFT_OUT: [&str; 10] = [
    ".git",
    ".hg",
    ".svn",
    ".venv",
    "venv",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".aws-sam",
];

/// Entries that are looked at; a folder with more is something else than a function.
const MOST_ENTRIES: usize = 200_000;

/// Bytes of the files in a folder that the ignore rules leave in. Links are not followed. Blocks.
pub(crate) fn measure(folder: &Path) -> u64 {
    files(folder, true).map(|(_, length)| length).sum()
}

/// The files of a folder and their lengths, without those that the ignore rules leave out if they are `ruled`.
pub(crate) fn files(folder: &Path, ruled: bool) -> impl Iterator<Item = (PathBuf, u64)> {
    WalkBuilder::new(folder)
        .standard_filters(false)
        .git_ignore(ruled)
        .ignore(ruled)
        .require_git(false)
        .filter_entry(|entry| !LEFT_OUT.iter().any(|name| entry.file_name() == *name))
        .build()
        .take(MOST_ENTRIES)
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()))
        .filter_map(|entry| Some((entry.path().to_owned(), entry.metadata().ok()?.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn caches_environments_and_ignored_files_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, size: usize| {
            let place = folder.path().join(name);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, vec![b'x'; size]).unwrap();
        };
        write("app.py", 100);
        write(".hidden", 10);
        write("model/weights.onnx", 1000);
        for name in [".git/x", ".venv/lib/x", "__pycache__/x", "sub/__pycache__/x", "data/big.csv", "x.log"] {
            write(name, 9999);
        }
        let rules = "data/\n*.log\n";
        fs::write(folder.path().join(".gitignore"), rules).unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("root")).unwrap();
        assert_eq!(measure(folder.path()), 1110 + rules.len() as u64);
        assert_eq!(measure(&folder.path().join("none")), 0);
    }
}
