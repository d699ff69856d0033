//! Writing a judged archive to disk, counting what is written and not what the archive claims.

use super::plan::{Kind, Plan, Step, link_stays_inside};
use super::{Archive, disk};
use mlemu_core::PackageFault;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use zip::ZipReadOptions;
use zip::result::ZipError;

const LONGEST_TARGET: u64 = 4096;

/// Writes everything below `root`, which must be empty and ours. Gives the bytes written.
pub(super) fn write(plan: Plan, mut archive: Archive, root: &Path, limit: u64) -> Result<u64, PackageFault> {
    let mut budget = Budget { written: 0, limit };
    let mut links: Vec<(PathBuf, String)> = Vec::new();
    for step in plan.steps {
        let target = root.join(&step.path);
        match step.kind {
            Kind::Folder => make_folder(&target)?,
            Kind::File(mode) => write_file(step, &mut archive, &target, mode, &mut budget)?,
            Kind::Link => links.push((target, read_link(step, &mut archive, &mut budget)?)),
        }
    }
    // Last, so that no entry can be written through one.
    for (place, target) in links {
        make_folder_above(&place)?;
        symlink(target, place).map_err(disk)?;
    }
    Ok(budget.written)
}

/// Bytes on disk, held below the limit before they get there.
struct Budget {
    written: u64,
    limit: u64,
}

impl Budget {
    fn spend(&mut self, bytes: usize) -> Result<(), PackageFault> {
        self.written += bytes as u64;
        if self.written > self.limit {
            return Err(PackageFault::TooLarge { limit: self.limit });
        }
        Ok(())
    }
}

fn write_file(
    step: Step,
    archive: &mut Archive,
    target: &Path,
    mode: u32,
    budget: &mut Budget,
) -> Result<(), PackageFault> {
    make_folder_above(target)?;
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(target);
    let mut file = file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => step.refuse("its name is the same as another's on this file system"),
        io::ErrorKind::InvalidFilename => step.refuse("its name is too long"),
        _ => disk(error),
    })?;
    let Step { entry, name, .. } = step;
    let mut content =
        entry.with_reader(archive, ZipReadOptions::new()).map_err(|error| unreadable(&name, &error))?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = content.read(&mut buffer).map_err(|error| corrupt(&name, &error))?;
        if read == 0 {
            break;
        }
        budget.spend(read)?;
        file.write_all(&buffer[..read]).map_err(disk)?;
    }
    file.set_permissions(fs::Permissions::from_mode(mode)).map_err(disk)
}

fn read_link(step: Step, archive: &mut Archive, budget: &mut Budget) -> Result<String, PackageFault> {
    let Step { entry, name, path, .. } = step;
    let content =
        entry.with_reader(archive, ZipReadOptions::new()).map_err(|error| unreadable(&name, &error))?;
    let mut target = String::new();
    content.take(LONGEST_TARGET + 1).read_to_string(&mut target).map_err(|error| corrupt(&name, &error))?;
    budget.spend(target.len())?;
    if target.len() as u64 > LONGEST_TARGET || !link_stays_inside(&path, &target) {
        let why = "it links to a place outside the package".to_owned();
        return Err(PackageFault::Unsafe { entry: name, why });
    }
    Ok(target)
}

fn make_folder(folder: &Path) -> Result<(), PackageFault> {
    DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(disk)
}

fn make_folder_above(path: &Path) -> Result<(), PackageFault> {
    path.parent().map_or(Ok(()), make_folder)
}

fn unreadable(entry: &str, error: &ZipError) -> PackageFault {
    PackageFault::Unsafe { entry: entry.to_owned(), why: error.to_string() }
}

fn corrupt(entry: &str, error: &io::Error) -> PackageFault {
    PackageFault::Unsafe { entry: entry.to_owned(), why: format!("its content is damaged ({error})") }
}
