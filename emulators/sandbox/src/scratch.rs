//! The private `/tmp` of every instance, kept while its processes come and go.
//!
//! Where mounting is allowed, each is a memory file system of the declared size. They live in a mount
//! namespace of the spawner thread's own: the machine never sees them, and the kernel drops them with the
//! last of our processes, however that ended. Elsewhere each is a plain folder.

#![expect(unsafe_code, reason = "a mount namespace for one thread")]

use crate::order::ScratchKind;
use crate::session;
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::thread::UnshareFlags;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Most files of a scratch folder that was full once.
const FILES: u64 = 1 << 20;

pub struct Scratch {
    /// Our session's folder; an instance's is below it.
    root: PathBuf,
    sized: bool,
}

/// The scratch folder of one instance.
pub struct Provided {
    pub kind: ScratchKind,
    /// The file system, to ask how full it is; keeps it alive.
    pub mount: Option<OwnedFd>,
}

impl Scratch {
    /// To be called on the thread that will start the processes: what is mounted here shows only to its
    /// children. Removes what dead daemons left in `base`.
    pub fn open(base: &Path, session: &str) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(base)?;
        for folder in session::stale(base) {
            let _ = fs::remove_dir_all(folder);
        }
        let root = base.join(session);
        fs::DirBuilder::new().mode(0o700).create(&root)?;
        let root = root.canonicalize()?;
        let sized = separate(&root).is_ok();
        Ok(Self { root, sized })
    }

    pub fn is_sized(&self) -> bool {
        self.sized
    }

    /// The folder called `name`, made if it isn't there yet; `size` in bytes.
    pub fn provide(&self, name: &str, size: u64) -> io::Result<Provided> {
        let folder = self.root.join(session::file_name(name));
        let fresh = match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error),
        };
        if !self.sized {
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o1777))?;
            return Ok(Provided { kind: ScratchKind::Plain { folder }, mount: None });
        }
        if fresh && let Err(error) = mount_sized(&folder, size) {
            let _ = fs::remove_dir(&folder);
            return Err(error);
        }
        let mount = rustix::fs::open(&folder, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Provided { kind: ScratchKind::Sized { all: self.root.clone(), folder }, mount: Some(mount) })
    }

    /// Makes the folder as full as it can be without a byte more, or of its `size` again. Fails where it has none.
    pub fn fill(&self, name: &str, size: Option<u64>) -> io::Result<()> {
        if !self.sized {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let folder = self.root.join(session::file_name(name));
        let found = rustix::fs::statvfs(&folder)?;
        let (used, files) =
            ((found.f_blocks - found.f_bfree) * found.f_frsize, found.f_files - found.f_ffree);
        let options = match size {
            Some(size) => format!("size={size},nr_inodes={FILES}"),
            // No page more, and no file more: a size of nothing would mean any.
            None => format!("size={},nr_inodes={files}", used.max(found.f_frsize)),
        };
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        Ok(rustix::mount::mount_remount(&folder, flags, CString::new(options)?.as_c_str())?)
    }

    pub fn forget(&self, name: &str) {
        let folder = self.root.join(session::file_name(name));
        if self.sized {
            let _ = rustix::mount::unmount(&folder, UnmountFlags::DETACH);
            let _ = fs::remove_dir(folder);
        } else {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.sized {
            let _ = rustix::mount::unmount(&self.root, UnmountFlags::DETACH);
        }
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Gives this thread its own mounts, below `root`. The machine's later mounts still arrive; ours don't leave.
fn separate(root: &Path) -> io::Result<()> {
    // SAFETY: only this thread's view of the mounts and its own working folder are split off; no file
    // descriptor and no memory is concerned.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }?;
    let below = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", below)?;
    // A mount of its own for the root, so that a shim gets rid of all the instances' mounts in one step.
    rustix::mount::mount_bind(root, root)?;
    rustix::mount::mount_change(root, MountPropagationFlags::PRIVATE)?;
    let probe = root.join("probe");
    fs::create_dir(&probe)?;
    let tried = mount_sized(&probe, 1 << 16);
    let _ = rustix::mount::unmount(&probe, UnmountFlags::DETACH);
    fs::remove_dir(&probe)?;
    tried
}

fn mount_sized(folder: &Path, size: u64) -> io::Result<()> {
    let options = CString::new(format!("size={size},mode=1777"))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    Ok(rustix::mount::mount("mlemu", folder, "tmpfs", flags, options.as_c_str())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs on a thread of its own, whose mounts end with it.
    fn on_own_thread(test: impl FnOnce() + Send + 'static) {
        std::thread::spawn(test).join().unwrap();
    }

    #[test]
    fn the_same_name_is_the_same_folder_until_it_is_forgotten() {
        on_own_thread(|| {
            let base = tempfile::tempdir().unwrap();
            let scratch = Scratch::open(base.path(), &session::name()).unwrap();
            let folder = match scratch.provide("one", 1 << 20).unwrap().kind {
                ScratchKind::Sized { folder, .. } | ScratchKind::Plain { folder } => folder,
            };
            fs::write(folder.join("kept"), "x").unwrap();
            let _again = scratch.provide("one", 1 << 20).unwrap();
            assert!(folder.join("kept").exists());
            scratch.forget("one");
            assert!(!folder.exists());
            drop(scratch);
            assert_eq!(fs::read_dir(base.path()).unwrap().count(), 0);
        });
    }

    #[test]
    fn a_full_scratch_says_so_and_the_machine_sees_no_mount() {
        on_own_thread(|| {
            let base = tempfile::tempdir().unwrap();
            let scratch = Scratch::open(base.path(), &session::name()).unwrap();
            if !scratch.is_sized() {
                println!("skipped: mounting is not allowed here");
                return;
            }
            let ScratchKind::Sized { folder, .. } = scratch.provide("one", 1 << 20).unwrap().kind else {
                unreachable!("sized")
            };
            let error = fs::write(folder.join("large"), vec![0; (1 << 20) + 1]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            let outside = fs::read_to_string(format!("/proc/{}/mountinfo", std::process::id())).unwrap();
            assert!(!outside.contains(folder.to_str().unwrap()));
        });
    }

    #[test]
    fn folders_of_dead_daemons_go_at_the_start() {
        on_own_thread(|| {
            let base = tempfile::tempdir().unwrap();
            let left = base.path().join("mlemu-1-1-0");
            fs::create_dir_all(left.join("instance")).unwrap();
            let _scratch = Scratch::open(base.path(), &session::name()).unwrap();
            assert!(!left.exists());
        });
    }
}
