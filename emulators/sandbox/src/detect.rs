//! Finds which control groups of this machine we may really use, controller by controller.
//!
//! A write that succeeds proves nothing: below a memory file system mounted at the usual place it just makes
//! a file. What counts is the type of the mount, and that the kernel itself fills a new folder with its files.

use crate::fence::Fence;
use crate::group::{Group, Version, put};
use mlemu_core::Enforcement;
use rustix::fs::Access;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Which versions may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    pub one: bool,
    pub two: bool,
}

impl Allowed {
    pub fn all() -> Self {
        Self { one: true, two: true }
    }

    /// Only what `kind` is made of.
    pub fn only(kind: Enforcement) -> Self {
        Self { one: kind == Enforcement::Cgroup1, two: kind == Enforcement::Cgroup2 }
    }
}

/// What detection looks at; tests give their own.
pub struct System<'a> {
    /// As in `/proc/self/mountinfo`.
    pub mountinfo: &'a str,
    /// As in `/proc/self/cgroup`.
    pub own: &'a str,
    /// Whether the kernel says that this folder is of a control group file system.
    pub genuine: &'a dyn Fn(&Path, Version) -> bool,
    pub allowed: Allowed,
}

/// The groups for a session of ours, made under our own groups (or, with version 2, under the nearest
/// ancestor that may have limited children). A purpose that nothing serves stays empty.
pub fn find_here(session: &str, allowed: Allowed) -> Fence {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    find(&System { mountinfo: &mountinfo, own: &own, genuine: &is_genuine, allowed }, session)
}

fn is_genuine(folder: &Path, version: Version) -> bool {
    let magic = match version {
        Version::One => 0x0027_e0eb,
        Version::Two => 0x6367_7270,
    };
    rustix::fs::statfs(folder).is_ok_and(|found| found.f_type == magic)
}

pub fn find(system: &System<'_>, session: &str) -> Fence {
    let two = if system.allowed.two { find_two(system, session) } else { None };
    let enabled = two.as_ref().map(controllers).unwrap_or_default();
    let with = |controller: &str| two.clone().filter(|_| enabled.iter().any(|name| name == controller));
    let one = |controller: &str, proof: &str| find_one(system, session, controller, proof);
    Fence {
        memory: with("memory").or_else(|| one("memory", "memory.limit_in_bytes")),
        cpu: with("cpu").or_else(|| one("cpu", "cpu.cfs_quota_us")),
        processes: with("pids").or_else(|| one("pids", "pids.max")),
        // Every group of version 2 can be frozen and tells its CPU time, whatever its controllers.
        account: two.clone().or_else(|| one("cpuacct", "cpuacct.usage")),
        freezer: two.or_else(|| one("freezer", "freezer.state")),
    }
}

fn find_one(system: &System<'_>, session: &str, controller: &str, proof: &str) -> Option<Group> {
    if !system.allowed.one {
        return None;
    }
    let mount = mounts(system.mountinfo).find(|mount| {
        mount.kind == "cgroup" && mount.options.split(',').any(|option| option == controller)
    })?;
    let home = mount.folder_of(own_path(system.own, Some(controller))?)?;
    let folder = make_session(system, &home, session, Version::One)?;
    let group = Group { version: Version::One, folder };
    if writable(&group.folder.join(proof)) && writable(&group.procs()) {
        return Some(group);
    }
    let _ = fs::remove_dir(&group.folder);
    None
}

/// The nearest folder, from our own upwards, below which limited groups may be made; memory decides where
/// there is a choice.
fn find_two(system: &System<'_>, session: &str) -> Option<Group> {
    let mount = mounts(system.mountinfo).find(|mount| mount.kind == "cgroup2")?;
    let home = mount.folder_of(own_path(system.own, None)?)?;
    let candidates: Vec<&Path> = home.ancestors().take_while(|at| at.starts_with(&mount.point)).collect();
    let best = candidates.iter().find(|at| offer(at, "memory")).or_else(|| {
        // No memory anywhere: freezing and killing are still worth it.
        candidates.first()
    })?;
    // The kernel asks for this right, on the common ancestor, when a process moves into a group below.
    if !writable(&best.join("cgroup.procs")) {
        return None;
    }
    for controller in ["cpu", "pids"] {
        offer(best, controller);
    }
    let folder = make_session(system, best, session, Version::Two)?;
    if !writable(&folder.join("cgroup.freeze")) {
        let _ = fs::remove_dir(&folder);
        return None;
    }
    for controller in ["memory", "cpu", "pids"] {
        offer(&folder, controller);
    }
    Some(Group { version: Version::Two, folder })
}

/// Makes a controller available to the groups below `folder`, if it isn't yet and may be.
fn offer(folder: &Path, controller: &str) -> bool {
    let control = folder.join("cgroup.subtree_control");
    lists(&control, controller)
        || (lists(&folder.join("cgroup.controllers"), controller)
            && put(&control, &format!("+{controller}")).is_ok()
            && lists(&control, controller))
}

fn lists(file: &Path, word: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.split_ascii_whitespace().any(|found| found == word))
}

fn controllers(group: &Group) -> Vec<String> {
    let text = fs::read_to_string(group.folder.join("cgroup.subtree_control")).unwrap_or_default();
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

fn make_session(system: &System<'_>, parent: &Path, session: &str, version: Version) -> Option<PathBuf> {
    let folder = parent.join(session);
    if !(system.genuine)(parent, version) {
        return None;
    }
    match fs::create_dir(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => None,
        _ => Some(folder),
    }
}

fn writable(file: &Path) -> bool {
    rustix::fs::access(file, Access::WRITE_OK).is_ok()
}

struct Mount<'a> {
    /// The part of the file system that is mounted.
    root: PathBuf,
    point: PathBuf,
    kind: &'a str,
    options: &'a str,
}

impl Mount<'_> {
    /// Where a group shows in this mount; a group outside of it shows as the mount point.
    fn folder_of(&self, group: &str) -> Option<PathBuf> {
        let inside = Path::new(group).strip_prefix(&self.root).ok();
        let inside = inside.filter(|path| path.components().all(|part| matches!(part, Component::Normal(_))));
        let folder = self.point.join(inside.unwrap_or(Path::new("")));
        if folder.is_dir() { Some(folder) } else { self.point.is_dir().then(|| self.point.clone()) }
    }
}

fn mounts(mountinfo: &str) -> impl Iterator<Item = Mount<'_>> {
    mountinfo.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let mut kind = kind.split(' ');
        let (root, point) = (unescape(place.next()?), unescape(place.next()?));
        Some(Mount { root, point, kind: kind.next()?, options: kind.nth(1).unwrap_or("") })
    })
}

/// Undoes the octal escapes of `mountinfo` (`\040` is a space).
fn unescape(text: &str) -> PathBuf {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let code = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        plain.push_str(&rest[..at]);
        plain.push(code.map_or('\\', char::from));
        rest = &rest[at + if code.is_some() { 4 } else { 1 }..];
    }
    plain.push_str(rest);
    PathBuf::from(plain)
}

/// Our own group: of the hierarchy with this controller, or of version 2.
fn own_path<'a>(own: &'a str, controller: Option<&str>) -> Option<&'a str> {
    own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, names, path) = (parts.next()?, parts.next()?, parts.next()?);
        let found = match controller {
            None => names.is_empty(),
            Some(controller) => names.split(',').any(|name| name == controller),
        };
        found.then_some(path)
    })
}

#[cfg(test)]
mod tests;
