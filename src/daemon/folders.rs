//! Where mlemu keeps things: a cache that outlives daemons, and a folder for each run that does not.

use super::StartError;
use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The folders of one daemon.
#[derive(Debug)]
pub struct Folders {
    /// Installed packages and opened bundles; shared by all daemons of this user.
    pub cache: PathBuf,
    /// Bodies, scratch folders: gone with the daemon.
    pub run: PathBuf,
    pub locators: PathBuf,
    _run: TempDir,
    _alive: File,
}

const RUN: &str = "run-";
/// In a run's folder: locked for as long as its daemon lives. In their parent: while folders come and go.
const LOCK: &str = "lock";

impl Folders {
    /// `cache`: where it is, if not the user's.
    pub fn open(cache: Option<PathBuf>) -> Result<Self, StartError> {
        let cache = cache.unwrap_or_else(self::cache);
        let runs = cache.join("run");
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| StartError::Folder { path, source }
        };
        let (run, alive) = open_run(&runs).map_err(failed(&runs))?;
        Ok(Self { cache, run: run.path().to_owned(), locators: locators(), _run: run, _alive: alive })
    }
}

/// A folder for this daemon; those that dead daemons left go.
fn open_run(runs: &Path) -> io::Result<(TempDir, File)> {
    fs::create_dir_all(runs)?;
    let turn = File::create(runs.join(LOCK))?;
    // A folder without its lock yet must not look like one that was left.
    turn.lock()?;
    for left in fs::read_dir(runs)?.flatten().map(|entry| entry.path()).filter(|path| is_left(path)) {
        // What cannot be removed now, another start removes.
        let _ = fs::remove_dir_all(left);
    }
    let run = tempfile::Builder::new().prefix(RUN).tempdir_in(runs)?;
    let alive = File::create(run.path().join(LOCK))?;
    alive.lock()?;
    Ok((run, alive))
}

fn is_left(run: &Path) -> bool {
    let ours = run.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(RUN));
    let is_free = || match File::open(run.join(LOCK)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    ours && run.is_dir() && is_free()
}

/// `MLEMU_CACHE`, an absolute path, else the user's cache folder.
pub fn cache() -> PathBuf {
    folder("MLEMU_CACHE")
        .or_else(|| Some(folder("XDG_CACHE_HOME")?.join("mlemu")))
        .or_else(|| Some(folder("HOME")?.join(".cache/mlemu")))
        .unwrap_or_else(|| env::temp_dir().join("mlemu-cache"))
}

/// Where running daemons leave word for the command line.
pub fn locators() -> PathBuf {
    match folder("XDG_RUNTIME_DIR") {
        Some(base) => base.join("mlemu"),
        None => cache().join("daemons"),
    }
}

/// An absolute path that a variable holds; an empty or relative one counts as none.
///
/// Source: XDG Base Directory Specification, "Environment variables".
fn folder(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_folders_of_dead_daemons_go() {
        let runs = tempfile::tempdir().expect("a folder");
        let (living, _alive) = open_run(runs.path()).expect("a run");
        let (dead, lock) = open_run(runs.path()).expect("a run");
        fs::create_dir(dead.path().join("objects")).expect("made");
        let dead = dead.keep();
        drop(lock);
        let older = runs.path().join("run-without-a-lock");
        let foreign = runs.path().join("something");
        fs::create_dir(&older).expect("made");
        fs::create_dir(&foreign).expect("made");
        let (_next, _lock) = open_run(runs.path()).expect("a run");
        assert!(living.path().exists() && foreign.exists());
        assert!(!dead.exists() && !older.exists());
    }
}
