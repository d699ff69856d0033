//! Starting the function behind its walls.

#![expect(unsafe_code, reason = "what happens between fork and exec, and splitting off namespaces")]

use super::signals;
use crate::order::{Order, ScratchKind};
use mlemu_core::Environment;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{
    MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount_bind, mount_change,
};
use rustix::process::{Pid, Resource, Rlimit, Signal};
use rustix::thread::UnshareFlags;
use std::collections::BTreeSet;
use std::ffi::{CString, NulError};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

/// Descriptors a function may have open, as in the cloud.
const OPEN_FILES: u64 = 1024;
/// Of the range -1000..=1000: when the whole machine runs out, functions go before the developer's programs.
const FIRST_TO_GO: &str = "500";

/// Starts the function; the error is for a person.
#[expect(clippy::disallowed_methods, reason = "this is where functions are started")]
pub fn start(order: &Order) -> Result<Pid, String> {
    if !order.folder.is_dir() {
        return Err(format!("its folder `{}` is not there", order.folder.display()));
    }
    // Opened while the groups are surely ours to write: a user namespace changes who we are.
    let doors = doors(order).map_err(|error| format!("cannot enter its control groups: {error}"))?;
    let mut env = order.env.clone();
    if let Tmp::Named(folder) = private_tmp(order) {
        env.insert("TMPDIR".into(), folder.display().to_string());
    }
    let image = Image::new(order, &env).map_err(|error| error.to_string())?;
    let mut command = Command::new(&order.program);
    command.current_dir(&order.folder).stdin(Stdio::null()).process_group(0);
    // SAFETY: the shim has one thread, so that the child may do whatever the shim may.
    unsafe { command.pre_exec(move || enter(&doors).and_then(|()| Err(image.become_it()))) };
    let child = command.spawn().map_err(|error| explain(order, &error))?;
    // Only the function's own processes may keep the pipes open now.
    let _ = silence(rustix::stdio::dup2_stdout).and_then(|()| silence(rustix::stdio::dup2_stderr));
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(|| "no process id".into())
}

/// A program with its arguments and environment, in the kernel's form.
///
/// The standard library's own last step would hand a file that the kernel refuses to the shell, which then
/// runs nonsense; the cloud doesn't.
struct Image {
    program: CString,
    args: Vec<CString>,
    env: Vec<CString>,
}

impl Image {
    fn new(order: &Order, env: &Environment) -> Result<Self, NulError> {
        let program = CString::new(order.program.as_os_str().as_bytes())?;
        let args = order.args.iter().map(|arg| CString::new(arg.as_bytes()));
        let args = std::iter::once(Ok(program.clone())).chain(args).collect::<Result<_, _>>()?;
        let env = env
            .iter()
            .map(|(key, value)| CString::new(format!("{key}={value}")))
            .collect::<Result<_, _>>()?;
        Ok(Self { program, args, env })
    }

    /// Returns only when it failed.
    fn become_it(&self) -> io::Error {
        let (args, env) = (pointers(&self.args), pointers(&self.env));
        // SAFETY: both lists end with a null pointer, and what they point to lives as long as `self`.
        unsafe { libc::execve(self.program.as_ptr(), args.as_ptr(), env.as_ptr()) };
        io::Error::last_os_error()
    }
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

fn explain(order: &Order, error: &io::Error) -> String {
    let exists = order.folder.join(&order.program).exists();
    match error.raw_os_error() {
        Some(libc::ENOENT) if exists => "the interpreter that its first line names is not there".into(),
        Some(libc::EACCES) if exists => "it is not executable".into(),
        Some(libc::ENOEXEC) => "it is neither a program of this machine nor a script with `#!`".into(),
        _ => error.to_string(),
    }
}

/// Files through which a process enters its groups.
fn doors(order: &Order) -> io::Result<Vec<File>> {
    order
        .fence
        .folders()
        .iter()
        .map(|folder| File::options().write(true).open(folder.join("cgroup.procs")))
        .collect()
}

/// In the child, before the function's program starts.
fn enter(doors: &[File]) -> io::Result<()> {
    for mut door in doors {
        // 0 stands for the writer itself.
        door.write_all(b"0")?;
    }
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let _ = fs::write("/proc/self/oom_score_adj", FIRST_TO_GO);
    limit(Resource::Nofile, OPEN_FILES)?;
    limit(Resource::Core, 0)?;
    signals::restore_defaults();
    Ok(())
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let most = rustix::process::getrlimit(resource).maximum.map_or(most, |maximum| maximum.min(most));
    Ok(rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}

/// What became of the private `/tmp`.
enum Tmp {
    /// It is `/tmp`.
    Mounted,
    /// It is this folder, and `/tmp` is the machine's.
    Named(PathBuf),
}

fn private_tmp(order: &Order) -> Tmp {
    let (mounted, folder) = match &order.scratch {
        ScratchKind::Sized { all, folder } => (mount_sized(order, all, folder), folder),
        ScratchKind::Plain { folder } => (mount_plain(order, folder), folder),
    };
    if mounted.is_ok() { Tmp::Mounted } else { Tmp::Named(folder.clone()) }
}

/// We have our spawner's mounts, those of all instances among them: keeps ours and drops the rest.
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

/// As an ordinary user: a user namespace allows mounting, but not a size that outlives this shim.
fn mount_plain(order: &Order, folder: &Path) -> io::Result<()> {
    let (user, group) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    split_off(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    // Credentials have changed, and the kernel forgets the wish with them.
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
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
    let entries: BTreeSet<PathBuf> = paths.filter_map(entry_of_tmp).collect();
    entries.into_iter().filter(|entry| entry.exists()).collect()
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

/// Puts nothing in the place of a standard stream.
pub fn silence(put: impl FnOnce(OwnedFd) -> rustix::io::Result<()>) -> io::Result<()> {
    let nothing = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    Ok(put(nothing)?)
}

/// Closes what the daemon itself may have inherited from its own parent.
pub fn close_inherited() {
    // SAFETY: called first of all, when nothing in this process owns a descriptor above the standard three.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) } == 0;
    if !closed {
        let most = rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(OPEN_FILES).min(1 << 16);
        for descriptor in 3..most as i32 {
            // SAFETY: as above.
            unsafe { libc::close(descriptor) };
        }
    }
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
