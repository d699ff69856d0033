//! Opening deployment packages: zip archives from strangers, into folders of ours.
//!
//! [`plan`] decides from the directory of the archive alone whether every entry may be written, and
//! [`mod@write`] writes them. All of it blocks; callers run it on a thread for that.

mod plan;
mod write;

#[cfg(test)]
mod tests;

use crate::digest::Digest;
use bytes::Bytes;
use mlemu_core::{PackageFault, Unpacked};
use plan::Plan;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};
use zip::read::Config;
use zip::unstable::read::ZipIterable;

/// The archive in memory, as the zip crate reads it.
type Archive = Cursor<Bytes>;

/// More entries than any real package has; twice what the classic format can count.
const MOST_ENTRIES: u64 = 2 * 65_535;

/// Name of the folder that holds a package's files, beside its [`Manifest`].
const CODE: &str = "code";
const MANIFEST: &str = "manifest.json";

/// What is known of a package that was opened before.
#[derive(Serialize, Deserialize)]
struct Manifest {
    unpacked_bytes: u64,
    warnings: Vec<String>,
}

/// Opens `archive` below `shelf`, or finds it there from the last time. `limit`: bytes that may be written.
pub(crate) fn unpack(shelf: &Path, archive: Bytes, limit: u64) -> Result<Unpacked, PackageFault> {
    let digest = Digest::of(&archive);
    let home = shelf.join(digest.hex());
    let manifest = match remembered(&home) {
        Some(manifest) => manifest,
        None => open(shelf, &home, archive.clone(), limit)?,
    };
    if manifest.unpacked_bytes > limit {
        return Err(PackageFault::TooLarge { limit });
    }
    Ok(Unpacked {
        folder: home.join(CODE),
        packed_bytes: archive.len() as u64,
        unpacked_bytes: manifest.unpacked_bytes,
        sha256: digest.base64(),
        warnings: manifest.warnings,
    })
}

fn remembered(home: &Path) -> Option<Manifest> {
    serde_json::from_slice(&fs::read(home.join(MANIFEST)).ok()?).ok()
}

/// Writes into a folder of its own first: a refusal leaves nothing, and nobody sees half a package.
fn open(shelf: &Path, home: &Path, archive: Bytes, limit: u64) -> Result<Manifest, PackageFault> {
    let entries = directory(archive.clone())?;
    let plan = Plan::of(entries)?;
    fs::create_dir_all(shelf).map_err(disk)?;
    let fresh = tempfile::Builder::new().prefix(".opening-").tempdir_in(shelf).map_err(disk)?;
    let code = fresh.path().join(CODE);
    fs::create_dir(&code).map_err(disk)?;
    let warnings = plan.warnings.clone();
    let unpacked_bytes = write::write(plan, Cursor::new(archive), &code, limit)?;
    let manifest = Manifest { unpacked_bytes, warnings };
    let text = serde_json::to_vec(&manifest).map_err(|error| disk(error.into()))?;
    fs::write(fresh.path().join(MANIFEST), text).map_err(disk)?;
    adopt(fresh, home)?;
    Ok(manifest)
}

/// Gives the finished folder its name. Another process may have been faster: theirs is the same.
fn adopt(fresh: tempfile::TempDir, home: &Path) -> Result<PathBuf, PackageFault> {
    match fs::rename(fresh.path(), home) {
        Ok(()) => {
            // It has moved: there is nothing left for the guard to delete.
            let _ = fresh.keep();
            Ok(home.to_owned())
        }
        Err(_) if remembered(home).is_some() => Ok(home.to_owned()),
        Err(error) => Err(disk(error)),
    }
}

fn directory(archive: Bytes) -> Result<Vec<zip::read::ZipFileEntry<'static>>, PackageFault> {
    let mut listing =
        ZipIterable::try_new(Cursor::new(archive), Config::default()).map_err(not_an_archive)?;
    if listing.len() as u64 > MOST_ENTRIES {
        return Err(PackageFault::TooManyEntries { limit: MOST_ENTRIES });
    }
    listing.files().map_err(not_an_archive)?.collect::<Result<_, _>>().map_err(not_an_archive)
}

fn not_an_archive(error: zip::result::ZipError) -> PackageFault {
    PackageFault::NotAnArchive { why: error.to_string() }
}

fn disk(error: io::Error) -> PackageFault {
    PackageFault::Disk { why: error.to_string() }
}
