//! The private `/tmp` of a function, seen from the process that is about to become it.

#![expect(unsafe_code, reason = "splitting off namespaces")]

use crate::order::{Order, ScratchKind};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{
    MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount_bind, mount_change,
};
use rustix::process::Signal;
use rustix::thread::UnshareFlags;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

/// What became of the private `/tmp`.
pub enum Tmp {
    /// It is `/tmp`.
    Mounted,
    /// It is this folder, and `/tmp` is the machine's.
    Named(PathBuf),
}

pub fn make_private(order: &Order) -> Tmp {
    let (mounted, folder) = match &order.scratch {
        ScratchKind::Sized { all, folder } => (mount_sized(order, all, folder), folder),
        ScratchKind::Plain { folder } => (mount_plain(order, folder), folder),
    };
    if mounted.is_ok() { Tmp::Mounted } else { Tmp::Named(folder.clone()) }
}

/// We share our spawner's mounts, those of all instances among them: keeps ours and drops the rest.
fn mount_sized(order: &Order, all: &Path, folder: &Path) -> io::Result<()> {
    split_off(UnshareFlags::NEWNS)?;
    let ours = detached(folder)?;
    let all = rustix::fs::open(all, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let needed = needed_below_tmp(order);
    // By descriptor, because the path may lie below the `/tmp` that is about to be covered.
    rustix::process::fchdir(&all)?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    let kept = keep(needed);
    attach(&ours, Path::new("/tmp"))?;
    restore(kept)
}

/// As an ordinary user: a user namespace allows mounting, but not a size that outlives the process.
fn mount_plain(order: &Order, folder: &Path) -> io::Result<()> {
    let (user, group) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    split_off(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    // Credentials have changed, and the kernel forgets the wish with them.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let kept = keep(needed_below_tmp(order));
    mount_bind(folder, "/tmp")?;
    restore(kept)
}

fn split_off(namespaces: UnshareFlags) -> io::Result<()> {
    // SAFETY: a single thread splits off its mounts (and its user); it shares no descriptor table.
    unsafe { rustix::thread::unshare_unsafe(namespaces) }?;
    Ok(mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?)
}

/// Entries of the machine's `/tmp` that the function cannot do without: a project or a cache may live there.
fn needed_below_tmp(order: &Order) -> Vec<PathBuf> {
    let values = order.env.values().flat_map(|value| value.split(':')).map(Path::new);
    let args = order.args.iter().map(Path::new);
    let paths = [order.program.as_path(), order.folder.as_path()].into_iter().chain(values).chain(args);
    let mut entries: BTreeSet<PathBuf> = paths.filter_map(entry_of_tmp).collect();
    entries.extend(linked(&order.folder).iter().filter_map(|path| entry_of_tmp(path)));
    entries.into_iter().filter(|entry| entry.exists()).collect()
}

/// Where the links in a folder lead: it may be a view of a project that lies elsewhere.
fn linked(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let links = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()));
    links.filter_map(|link| fs::read_link(link.path()).ok()).collect()
}

fn entry_of_tmp(path: &Path) -> Option<PathBuf> {
    match path.strip_prefix("/tmp").ok()?.components().next()? {
        Component::Normal(name) => Some(Path::new("/tmp").join(name)),
        _ => None,
    }
}

/// An entry of `/tmp` to put into the private one.
struct Kept {
    entry: PathBuf,
    tree: OwnedFd,
    is_folder: bool,
}

fn keep(entries: Vec<PathBuf>) -> Vec<Kept> {
    let kept = entries.into_iter().map(|entry| {
        let tree = detached(&entry)?;
        Ok::<_, io::Error>(Kept { is_folder: entry.is_dir(), entry, tree })
    });
    kept.flatten().collect()
}

fn restore(kept: Vec<Kept>) -> io::Result<()> {
    for Kept { entry, tree, is_folder } in kept {
        if is_folder {
            fs::create_dir_all(&entry)?;
        } else {
            File::create(&entry)?;
        }
        attach(&tree, &entry)?;
    }
    Ok(())
}

/// A copy of the mount at `path` that is nowhere yet.
fn detached(path: &Path) -> io::Result<OwnedFd> {
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    Ok(rustix::mount::open_tree(CWD, path, flags)?)
}

fn attach(tree: &OwnedFd, path: &Path) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    Ok(rustix::mount::move_mount(tree.as_fd(), "", CWD, path, flags)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_entries_of_tmp_itself_are_kept() {
        let entry = |path: &str| entry_of_tmp(Path::new(path));
        assert_eq!(entry("/tmp/a/b/c"), Some(PathBuf::from("/tmp/a")));
        assert_eq!(entry("/tmp"), None);
        assert_eq!(entry("/tmp/../etc"), None);
        assert_eq!(entry("/tmpfoo/a"), None);
        assert_eq!(entry("tmp/a"), None);
    }
}
