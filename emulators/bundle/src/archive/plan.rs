//! What an archive asks to be written, judged before a byte of it is.

use mlemu_core::PackageFault;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use zip::System;
use zip::read::ZipFileEntry;

/// What the type bits of a Unix mode mean.
const TYPE: u32 = 0o170_000;
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

const LONGEST_PART: usize = 255;
const MOST_PARTS: usize = 128;
/// Of one kind; more of the same tell nothing new.
const MOST_WARNINGS: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    /// With the permission bits to give it.
    File(u32),
    Link,
}

pub(super) struct Step {
    pub entry: ZipFileEntry<'static>,
    /// The name as the archive has it, printable.
    pub name: String,
    /// Below the target folder; only ordinary components.
    pub path: PathBuf,
    pub kind: Kind,
}

/// All that is to be written, in an order that needs no overwriting.
pub(super) struct Plan {
    pub steps: Vec<Step>,
    pub warnings: Vec<String>,
}

impl Plan {
    pub fn of(entries: Vec<ZipFileEntry<'static>>) -> Result<Self, PackageFault> {
        let mut plan = Plan { steps: Vec::with_capacity(entries.len()), warnings: Vec::new() };
        let mut places = HashMap::new();
        let mut twice = Vec::new();
        let mut hidden = Vec::new();
        for entry in entries {
            let Some(step) = judge(entry)? else { continue };
            if step.kind != Kind::Folder && !readable_by_all(&step.entry) {
                hidden.push(step.name.clone());
            }
            match places.get(&step.path) {
                Some(&place) if step.kind == Kind::Folder => plan.keep_folder(place, &step)?,
                Some(&place) => {
                    twice.push(step.name.clone());
                    plan.supersede(place, step)?;
                }
                None => {
                    places.insert(step.path.clone(), plan.steps.len());
                    plan.steps.push(step);
                }
            }
        }
        plan.refuse_entries_inside_files(&places)?;
        plan.warn(&twice, "occurs more than once in the package: the last one is used");
        plan.warn(&hidden, "is not readable by other users: the cloud may refuse to read it");
        Ok(plan)
    }

    /// A folder may be named often, but never where a file is.
    fn keep_folder(&self, place: usize, step: &Step) -> Result<(), PackageFault> {
        match self.steps[place].kind {
            Kind::Folder => Ok(()),
            _ => Err(step.refuse("it is both a file and a folder")),
        }
    }

    fn supersede(&mut self, place: usize, step: Step) -> Result<(), PackageFault> {
        if self.steps[place].kind == Kind::Folder {
            return Err(step.refuse("it is both a file and a folder"));
        }
        self.steps[place] = step;
        Ok(())
    }

    /// Nothing may be written through a link, in or out of the package, nor below a plain file.
    fn refuse_entries_inside_files(&self, places: &HashMap<PathBuf, usize>) -> Result<(), PackageFault> {
        for step in &self.steps {
            for above in step.path.ancestors().skip(1) {
                match places.get(above).map(|&place| self.steps[place].kind) {
                    Some(Kind::Link) => {
                        let link = above.display();
                        return Err(step.refuse(&format!("it would be written through the link `{link}`")));
                    }
                    Some(Kind::File(_)) => return Err(step.refuse("it lies inside a file")),
                    Some(Kind::Folder) | None => {}
                }
            }
        }
        Ok(())
    }

    fn warn(&mut self, names: &[String], what: &str) {
        self.warnings.extend(names.iter().take(MOST_WARNINGS).map(|name| format!("`{name}` {what}")));
        if names.len() > MOST_WARNINGS {
            self.warnings.push(format!("and {} more like it: {what}", names.len() - MOST_WARNINGS));
        }
    }
}

impl Step {
    pub fn refuse(&self, why: &str) -> PackageFault {
        PackageFault::Unsafe { entry: self.name.clone(), why: why.to_owned() }
    }
}

/// `None`: the entry is the package's own folder.
fn judge(entry: ZipFileEntry<'static>) -> Result<Option<Step>, PackageFault> {
    let raw = entry.name().map_err(super::not_an_archive)?.into_owned();
    let name = raw.escape_debug().to_string();
    let refuse = |why: &str| PackageFault::Unsafe { entry: name.clone(), why: why.to_owned() };
    let path = safe_path(&raw).map_err(|why| refuse(&why))?;
    if entry.encrypted() {
        return Err(refuse("it is encrypted"));
    }
    let mode = entry.unix_mode().unwrap_or(0);
    let kind = match mode & TYPE {
        _ if raw.ends_with('/') => Kind::Folder,
        FOLDER => Kind::Folder,
        LINK => Kind::Link,
        FILE | 0 => Kind::File(permissions(mode)),
        _ => return Err(refuse("it is a device, a pipe or a socket")),
    };
    match (path.as_os_str().is_empty(), kind) {
        (true, Kind::Folder) => Ok(None),
        (true, _) => Err(refuse("it has no name")),
        (false, _) => Ok(Some(Step { entry, name, path, kind })),
    }
}

/// The path below the target folder, made of ordinary components only.
fn safe_path(name: &str) -> Result<PathBuf, String> {
    if name.contains('\0') {
        return Err("its name contains a NUL".into());
    }
    if name.contains('\\') {
        return Err("its name contains a backslash".into());
    }
    if name.starts_with('/') {
        return Err("its name is absolute".into());
    }
    if name.as_bytes().get(1) == Some(&b':') && name.as_bytes()[0].is_ascii_alphabetic() {
        return Err("its name starts with a drive letter".into());
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err("its name climbs out of its folder".into());
    }
    if parts.len() > MOST_PARTS || parts.iter().any(|part| part.len() > LONGEST_PART) {
        return Err("its name is too long".into());
    }
    Ok(parts.iter().collect())
}

/// Set-user, set-group and sticky bits are dropped; we can always read and replace it.
fn permissions(mode: u32) -> u32 {
    match mode & 0o777 {
        0 => 0o644,
        bits => bits | 0o600,
    }
}

/// Only archives made on Unix tell.
fn readable_by_all(entry: &ZipFileEntry<'_>) -> bool {
    let bits = entry.unix_mode().unwrap_or(0) & 0o777;
    entry.system() != System::Unix || bits == 0 || bits & 0o004 != 0
}

/// Whether a link at `path` to `target` stays in the package, whatever other links do.
///
/// `..` is taken only at the front, where it leaves folders that we made ourselves: after a name that may
/// be a link, it would climb from wherever that link leads.
pub(super) fn link_stays_inside(path: &Path, target: &str) -> bool {
    if target.is_empty() || target.starts_with('/') || target.contains(['\0', '\\']) {
        return false;
    }
    let mut depth = path.components().count() - 1;
    let mut descended = false;
    for part in target.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." if descended || depth == 0 => return false,
            ".." => depth -= 1,
            _ => descended = true,
        }
    }
    true
}
