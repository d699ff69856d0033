//! What `mlemu test --watch` waits for: a file of the project that is not as it was.
//!
//! The operating system says when to look, and what was seen before says whether anything changed. So whatever a run
//! itself touches, reads or writes anew with the same content starts no other run.

use crate::daemon::changes::{Changes, Pace};
use ignore::WalkBuilder;
use notify::RecursiveMode;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PACE: Pace = Pace { quiet: Duration::from_millis(100), patience: Duration::from_secs(1) };
/// A project in which something is written all the time is not waited for longer than so many bursts.
const RESTLESS: usize = 5;
/// What `--update-snapshots` writes.
const OURS: &str = ".snap.json";

/// What is in each file that matters.
type Seen = BTreeMap<PathBuf, [u8; 32]>;

pub struct Watch {
    root: PathBuf,
    /// Where results are written.
    output: Option<PathBuf>,
    changes: Changes,
    seen: Seen,
}

impl Watch {
    /// Looks at the project for the first time.
    pub fn open(root: &Path, output: Option<&Path>) -> notify::Result<Self> {
        let changes = Changes::below([root.to_owned()], RecursiveMode::Recursive, |_| true)?;
        let output = output.and_then(|path| std::path::absolute(path).ok());
        let mut watch = Self { root: root.into(), output, changes, seen: Seen::new() };
        watch.seen = watch.look();
        Ok(watch)
    }

    /// What git would see of the project, but for what we write.
    fn look(&self) -> Seen {
        let walk = WalkBuilder::new(&self.root).require_git(false).build();
        let files = walk.filter_map(Result::ok).map(ignore::DirEntry::into_path);
        let ours = |path: &Path| {
            let absolute = std::path::absolute(path).ok();
            path.to_string_lossy().ends_with(OURS) || (absolute.is_some() && absolute == self.output)
        };
        let read = |path: PathBuf| {
            let content = std::fs::read(&path).ok()?;
            Some((path, Sha256::digest(content).into()))
        };
        files.filter(|path| path.is_file() && !ours(path)).filter_map(read).collect()
    }

    /// Completes when some file is not as it was when this was asked last, or at the start, and files rest; says which
    /// one. What changed since then is not missed, whatever was done meanwhile.
    pub async fn changed(&mut self) -> PathBuf {
        loop {
            if let Some(path) = difference(&self.seen, &self.look()) {
                // A file that is being saved may be empty for now.
                for _ in 0..RESTLESS {
                    let more = tokio::time::timeout(PACE.quiet, self.changes.next(PACE)).await;
                    if more.is_err() {
                        break;
                    }
                }
                self.seen = self.look();
                return path.strip_prefix(&self.root).map(Path::to_owned).unwrap_or(path);
            }
            self.changes.next(PACE).await;
        }
    }
}

/// The first file that is not in both with the same content.
fn difference(before: &Seen, now: &Seen) -> Option<PathBuf> {
    let differs = |(path, content): &(&PathBuf, &[u8; 32])| before.get(*path) != Some(*content);
    let gone = || before.keys().find(|path| !now.contains_key(*path));
    now.iter().find(differs).map(|(path, _)| path).or_else(gone).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_file_that_differs_is_a_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        write("app.py", "one");
        write(".gitignore", "model.bin\n");
        let mut watch = Watch::open(folder.path(), Some(&folder.path().join("out.xml"))).expect("watched");
        for (name, text) in
            [("app.py", "one"), ("out.xml", "x"), ("a.mlemu.yaml.snap.json", "{}"), ("model.bin", "y")]
        {
            write(name, text);
        }
        write("app.py", "two");
        assert_eq!(watch.changed().await, Path::new("app.py"));
        write("new.py", "x");
        assert_eq!(watch.changed().await, Path::new("new.py"));
        std::fs::remove_file(folder.path().join("app.py")).expect("removed");
        assert_eq!(watch.changed().await, Path::new("app.py"));
    }
}
