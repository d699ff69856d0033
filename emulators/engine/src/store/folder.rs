//! The folder of a store: whose it is, and which format it has.

use super::StoreError;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Raised whenever an older mlemu would misread what is written. History: 1, the first; 2, with changes that nobody
/// has acted on yet.
pub(super) const FORMAT: u64 = 2;

/// How often and after which pauses it is tried to have the lock.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(25);

const FORMAT_FILE: &str = "format.json";
const LOCK: &str = "lock";
const RECORDS: &str = "records.redb";
const BODIES: &str = "bodies";

/// What a store says of itself, readable for every version there will ever be.
#[derive(Serialize, Deserialize)]
struct Said {
    format: u64,
    /// Who made it.
    mlemu: String,
}

/// Ours for as long as it lives.
pub(super) struct Folder {
    path: PathBuf,
    /// The files of bodies that were there.
    found: Vec<PathBuf>,
    lock: File,
}

impl Folder {
    /// Takes a folder that holds a store, or is new or empty.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io { path: path.into(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
        // Names in records and messages must not depend on where the daemon stands.
        let path = fs::canonicalize(path).map_err(io)?;
        check_ours(&path)?;
        let lock = lock(&path)?;
        check_format(&path)?;
        let found = bodies(&path).map_err(io)?;
        Ok(Self { path, found, lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another may have it now.
    pub fn release(&self) {
        // The system does it at the latest when this process ends.
        let _ = self.lock.unlock();
    }

    pub fn records(&self) -> PathBuf {
        self.path.join(RECORDS)
    }

    pub fn bodies(&self, world: &str) -> PathBuf {
        self.path.join(BODIES).join(world)
    }

    /// The files of a world that were there at the start.
    pub fn found(&self, world: &str) -> Vec<PathBuf> {
        let folder = self.bodies(world);
        self.found.iter().filter(|file| file.parent() == Some(&*folder)).cloned().collect()
    }
}

fn bodies(store: &Path) -> io::Result<Vec<PathBuf>> {
    let worlds = match fs::read_dir(store.join(BODIES)) {
        Ok(worlds) => worlds,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for world in worlds {
        for file in fs::read_dir(world?.path())? {
            found.push(file?.path());
        }
    }
    Ok(found)
}

/// A folder of somebody else stays as it is: not even a lock is put there.
fn check_ours(path: &Path) -> Result<(), StoreError> {
    let io = |source| StoreError::Io { path: path.into(), source };
    if path.join(FORMAT_FILE).exists() {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(io)? {
        // A start that was cut off leaves no more than these.
        let name = entry.map_err(io)?.file_name();
        if name != LOCK && name != temporary().as_str() {
            return Err(StoreError::Foreign { folder: path.into() });
        }
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let name = path.join(LOCK);
    let io = |source| StoreError::Io { path: name.clone(), source };
    let options = OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).clone();
    let mut file = options.open(&name).map_err(io)?;
    let mut tries = TRIES;
    while let Err(error) = file.try_lock() {
        match error {
            TryLockError::WouldBlock if tries > 0 => tries -= 1,
            TryLockError::WouldBlock => {
                let mut by = String::new();
                let by = file.read_to_string(&mut by).ok().and_then(|_| by.trim().parse().ok());
                return Err(StoreError::InUse { folder: path.into(), by });
            }
            TryLockError::Error(source) => return Err(io(source)),
        }
        // Of a process that has just ended a child may still be on its way to its own program, with the lock.
        std::thread::sleep(PAUSE);
    }
    let tell = || {
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())
    };
    // Only whoever comes too late reads it; on a full disk the store is still to be opened.
    let _: io::Result<()> = { tell }();
    Ok(file)
}

fn check_format(folder: &Path) -> Result<(), StoreError> {
    let path = folder.join(FORMAT_FILE);
    let io = |source| StoreError::Io { path: path.clone(), source };
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return write_format(folder, &path).map_err(io);
        }
        Err(error) => return Err(io(error)),
    };
    let said: Said = serde_json::from_slice(&text).map_err(|_| StoreError::Unreadable {
        path: path.clone(),
        why: "it does not say which format the store has".into(),
    })?;
    if said.format > FORMAT {
        let (folder, by) = (folder.into(), said.mlemu);
        return Err(StoreError::Newer { folder, found: said.format, known: FORMAT, by });
    }
    if said.format < FORMAT {
        // What an older one wrote is read as it is.
        write_format(folder, &path).map_err(io)?;
    }
    Ok(())
}

fn temporary() -> String {
    format!("{FORMAT_FILE}.tmp")
}

fn write_format(folder: &Path, path: &Path) -> io::Result<()> {
    let fresh = folder.join(temporary());
    let mut file = File::create(&fresh)?;
    writeln!(file, "{{\"format\":{FORMAT},\"mlemu\":\"{}\"}}", env!("CARGO_PKG_VERSION"))?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    File::open(folder)?.sync_all()
}
