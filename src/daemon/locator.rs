//! How the command line finds the daemon of a project: a small file, readable by its owner only.
//!
//! A lock that the kernel frees with the process tells a living daemon from the file of a dead one. A second one
//! is held until the file is written, so that who comes too early can wait for it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use thiserror::Error;

/// What a daemon tells its own command line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Located {
    pub pid: u32,
    pub version: String,
    pub project: PathBuf,
    /// `http://127.0.0.1:PORT` of the control API.
    pub control: String,
    /// Cloud name to `http://127.0.0.1:PORT`.
    pub clouds: BTreeMap<String, String>,
    /// Opens the control API.
    pub token: String,
}

#[derive(Debug, Error)]
pub enum LocatorError {
    #[error("this project is already up (process {}, control API {})", .0.pid, .0.control)]
    AlreadyUp(Box<Located>),
    #[error("another mlemu of this project is just starting")]
    Starting,
    #[error("cannot use {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

/// Held by the daemon for its life; removes its files when dropped.
#[derive(Debug)]
pub struct Claim {
    file: PathBuf,
    lock: PathBuf,
    starting: PathBuf,
    _held: File,
    /// Until it is announced.
    hidden: Mutex<Option<File>>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // The next daemon overwrites what cannot be removed. The lock goes last: until then nobody else writes.
        for path in [&self.file, &self.starting, &self.lock] {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Claim {
    /// Claims the project for this process.
    pub fn take(folder: &Path, project: &Path) -> Result<Self, LocatorError> {
        let io = |source| LocatorError::Io { path: folder.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
        let Paths { file, lock, starting } = paths(folder, project);
        loop {
            let held = private(&lock).map_err(io)?;
            match held.try_lock() {
                // A daemon that ended between the two removed the file that was just opened.
                Ok(()) if !is_at(&held, &lock) => {}
                Ok(()) => {
                    let hidden = private(&starting).map_err(io)?;
                    hidden.lock().map_err(io)?;
                    return Ok(Self { file, lock, starting, _held: held, hidden: Mutex::new(Some(hidden)) });
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(match read(&file) {
                        Some(located) => LocatorError::AlreadyUp(Box::new(located)),
                        None => LocatorError::Starting,
                    });
                }
                Err(TryLockError::Error(source)) => return Err(io(source)),
            }
        }
    }

    /// Tells the command line where the daemon is.
    pub fn announce(&self, located: &Located) -> Result<(), LocatorError> {
        let io = |source| LocatorError::Io { path: self.file.clone(), source };
        let text = serde_json::to_vec_pretty(located).map_err(|error| io(error.into()))?;
        let fresh = self.file.with_extension("tmp");
        let mut file = private(&fresh).map_err(io)?;
        file.set_len(0).and_then(|()| file.write_all(&text)).map_err(io)?;
        std::fs::rename(&fresh, &self.file).map_err(io)?;
        self.hidden.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(())
    }
}

/// The living daemon of a project, if there is one. Waits for one that is about to say where it is.
pub fn find(folder: &Path, project: &Path) -> Option<Located> {
    let Paths { file, lock, starting } = paths(folder, project);
    loop {
        let is_held = matches!(File::open(&lock).ok()?.try_lock_shared(), Err(TryLockError::WouldBlock));
        if !is_held {
            return None;
        }
        if let Some(located) = read(&file) {
            return Some(located);
        }
        // Neither is there for the moment in which a daemon comes or goes.
        match File::open(&starting) {
            Ok(starting) => starting.lock_shared().ok()?,
            Err(_) => std::thread::yield_now(),
        }
    }
}

fn read(file: &Path) -> Option<Located> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// The files of one project.
struct Paths {
    file: PathBuf,
    lock: PathBuf,
    starting: PathBuf,
}

fn paths(folder: &Path, project: &Path) -> Paths {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(project.as_os_str().as_encoded_bytes());
    let head = digest.iter().take(8).fold(0_u64, |head, byte| (head << 8) | u64::from(*byte));
    let name = format!("{head:016x}");
    let of = |kind: &str| folder.join(format!("{name}.{kind}"));
    Paths { file: of("json"), lock: of("lock"), starting: of("starting") }
}

/// Whether an open file is still the one of this path.
fn is_at(open: &File, path: &Path) -> bool {
    let same = |one: Metadata, other: Metadata| one.dev() == other.dev() && one.ino() == other.ino();
    open.metadata().and_then(|one| Ok(same(one, std::fs::metadata(path)?))).unwrap_or(false)
}

fn private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    fn located() -> Located {
        Located {
            pid: 7,
            version: "0".into(),
            project: "/p".into(),
            control: "http://127.0.0.1:1".into(),
            clouds: BTreeMap::new(),
            token: "t".into(),
        }
    }

    #[test]
    fn one_daemon_a_project_and_none_after_its_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = Path::new("/some/project");
        let claim = Claim::take(folder.path(), project).expect("free");
        assert!(matches!(Claim::take(folder.path(), project), Err(LocatorError::Starting)));
        claim.announce(&located()).expect("written");
        assert_eq!(find(folder.path(), project).map(|found| found.pid), Some(7));
        let second = Claim::take(folder.path(), project);
        assert!(matches!(second, Err(LocatorError::AlreadyUp(found)) if found.pid == 7));
        assert!(Claim::take(folder.path(), Path::new("/other")).is_ok());
        drop(claim);
        assert!(find(folder.path(), project).is_none());
        let left = std::fs::read_dir(folder.path()).expect("a folder");
        assert_eq!(left.filter_map(Result::ok).filter(|file| is_of(&file.path(), project)).count(), 0);
    }

    fn is_of(file: &Path, project: &Path) -> bool {
        let ours = paths(Path::new(""), project);
        file.file_stem() == ours.file.file_stem()
    }

    #[test]
    fn who_comes_before_the_announcement_waits_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = Path::new("/p");
        let claim = Claim::take(folder.path(), project).expect("free");
        std::thread::scope(|scope| {
            let early = scope.spawn(|| find(folder.path(), project));
            claim.announce(&located()).expect("written");
            assert_eq!(early.join().expect("no panic").map(|found| found.pid), Some(7));
        });
        drop(claim);
        let claim = Claim::take(folder.path(), project).expect("free");
        std::thread::scope(|scope| {
            let early = scope.spawn(|| find(folder.path(), project));
            drop(claim);
            assert!(early.join().expect("no panic").is_none(), "it never came up");
        });
    }

    #[test]
    fn a_claim_that_is_given_back_while_others_ask_goes_to_one_of_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let holders = std::sync::atomic::AtomicUsize::new(0);
        let once = || {
            if let Ok(claim) = Claim::take(folder.path(), Path::new("/p")) {
                assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                holders.fetch_sub(1, Ordering::SeqCst);
                drop(claim);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500).for_each(|_| once()));
            }
        });
    }

    #[test]
    fn a_file_without_a_living_owner_is_nobody() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = Path::new("/p");
        let claim = Claim::take(folder.path(), project).expect("free");
        claim.announce(&located()).expect("written");
        let file = paths(folder.path(), project).file;
        let kept = std::fs::read(&file).expect("there");
        drop(claim);
        std::fs::write(&file, kept).expect("left behind");
        assert!(find(folder.path(), project).is_none());
    }

    #[test]
    fn the_token_is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let claim = Claim::take(folder.path(), Path::new("/p")).expect("free");
        claim.announce(&located()).expect("written");
        let file = paths(folder.path(), Path::new("/p")).file;
        let mode = std::fs::metadata(file).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
