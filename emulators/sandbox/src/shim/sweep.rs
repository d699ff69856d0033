//! Killing everything that is left of an instance, and collecting the dead.

#![expect(unsafe_code, reason = "wait4 is the only call that tells what a dead process used")]

use crate::fence::{self, Fence};
use crate::group::{Group, Version};
use crate::order::How;
use crate::tree;
use rustix::process::{Pid, Signal};
use std::collections::BTreeSet;
use std::fs;
use std::mem::MaybeUninit;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// What became of the processes that fell to us.
pub struct Dead {
    first: i32,
    first_ended: Option<How>,
    /// Largest resident size of any one, in bytes.
    pub peak_resident: u64,
    pub cpu_micros: u64,
}

impl Dead {
    pub fn new(first: Pid) -> Self {
        Self { first: first.as_raw_nonzero().get(), first_ended: None, peak_resident: 0, cpu_micros: 0 }
    }

    pub fn first_ended(&self) -> Option<How> {
        self.first_ended
    }

    /// Collects all that have ended by now.
    pub fn collect(&mut self) {
        while let Some((pid, status, usage)) = wait_for_any() {
            self.peak_resident = self.peak_resident.max(u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024);
            self.cpu_micros += micros(usage.ru_utime) + micros(usage.ru_stime);
            if pid == self.first {
                let signal = libc::WIFSIGNALED(status).then(|| How::Signal(libc::WTERMSIG(status)));
                self.first_ended = Some(signal.unwrap_or(How::Exit(libc::WEXITSTATUS(status))));
            }
        }
    }
}

fn wait_for_any() -> Option<(i32, i32, libc::rusage)> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to locals; all-zero is a valid rusage.
    let (pid, usage) = unsafe {
        let pid = libc::wait4(-1, &raw mut status, libc::WNOHANG, usage.as_mut_ptr());
        (pid, usage.assume_init())
    };
    (pid > 0).then_some((pid, status, usage))
}

fn micros(time: libc::timeval) -> u64 {
    u64::try_from(time.tv_sec * 1_000_000 + time.tv_usec).unwrap_or(0)
}

/// Rounds before something that cannot be killed (another user's program, stuck hardware) is given up.
const ROUNDS: u32 = 2_000;

/// Kills all of the function's processes and returns when they are gone.
pub fn everything(fence: &Fence, dead: &mut Dead) {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    for _ in 0..ROUNDS {
        // Those that left the groups are still our descendants, those that left the session too.
        let mut left: BTreeSet<i32> = tree::descendants(own).into_iter().collect();
        left.extend(fence.inside().into_iter().flatten());
        if left.is_empty() {
            return;
        }
        kill(fence, &left);
        dead.collect();
        thread::sleep(Duration::from_micros(200));
        dead.collect();
    }
}

/// Kills a shim that does not do its work and all of its function's processes; others collect it.
///
/// Stopped until the end, the shim stays the one to whom orphans fall, so that none is lost sight of.
pub fn by_force(fence: &Fence, shim: Pid) {
    let _ = rustix::process::kill_process(shim, Signal::STOP);
    for _ in 0..ROUNDS {
        let below = tree::descendants(shim.as_raw_nonzero().get());
        let all = below.into_iter().chain(fence.inside().into_iter().flatten());
        let left: BTreeSet<i32> = all.filter(|pid| tree::is_alive(*pid)).collect();
        if left.is_empty() {
            break;
        }
        kill(fence, &left);
        thread::sleep(Duration::from_millis(1));
    }
    let _ = rustix::process::kill_process(shim, Signal::KILL);
}

/// Ends what is left of an instance whose shim was killed: only its groups can tell what is left.
pub fn orphans(fence: &Fence) {
    for _ in 0..ROUNDS {
        let left: BTreeSet<i32> = fence.inside().into_iter().flatten().collect();
        if left.is_empty() {
            break;
        }
        kill(fence, &left);
        thread::sleep(Duration::from_millis(1));
    }
    fence.remove();
}

fn kill(fence: &Fence, left: &BTreeSet<i32>) {
    fence.kill();
    for pid in left.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
    fence.thaw();
}

/// Removes the dead daemon's own groups, if we were the last inside. A neighbour may be about to leave.
pub fn leave_no_session(fence: &Fence) {
    for folder in fence.folders() {
        if let Some(session) = folder.parent() {
            fence::remove(session);
        }
    }
}

/// Lets everything run in the groups of a dead daemon's session: in version 1 the frozen cannot die.
pub fn thaw_session(folder: &Path) {
    instances(folder).for_each(|fence| fence.thaw());
}

/// Ends what the groups of a dead daemon's session still hold, and removes them.
pub fn end_session(folder: &Path) {
    instances(folder).for_each(|fence| orphans(&fence));
    fence::remove(folder);
}

fn instances(session: &Path) -> impl Iterator<Item = Fence> {
    let folders = fs::read_dir(session).into_iter().flatten().flatten().map(|entry| entry.path());
    folders.filter(|folder| folder.is_dir()).map(|folder| {
        let version = if folder.join("cgroup.freeze").exists() { Version::Two } else { Version::One };
        Fence { freezer: Some(Group { version, folder }), ..Fence::default() }
    })
}
