//! Where mlemu keeps things: a cache that outlives daemons, and a folder for each run that does not.

use super::StartError;
use std::env;
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
}

impl Folders {
    pub fn open() -> Result<Self, StartError> {
        let cache = cache();
        let runs = cache.join("run");
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| StartError::Folder { path, source }
        };
        std::fs::create_dir_all(&runs).map_err(failed(&runs))?;
        let run = tempfile::Builder::new().prefix("run-").tempdir_in(&runs).map_err(failed(&runs))?;
        Ok(Self { cache, run: run.path().to_owned(), locators: locators(), _run: run })
    }
}

/// `MLEMU_CACHE`, else the user's cache folder.
pub fn cache() -> PathBuf {
    let own = env::var_os("MLEMU_CACHE").map(PathBuf::from);
    own.or_else(|| env::var_os("XDG_CACHE_HOME").map(|base| PathBuf::from(base).join("mlemu")))
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/mlemu")))
        .unwrap_or_else(|| env::temp_dir().join("mlemu-cache"))
}

/// Where running daemons leave word for the command line.
pub fn locators() -> PathBuf {
    match env::var_os("XDG_RUNTIME_DIR") {
        Some(base) => PathBuf::from(base).join("mlemu"),
        None => cache().join("daemons"),
    }
}
