//! One process a daemon that stands by for its shims: when the daemon has died and a shim does not do its work,
//! because its function keeps stopping it, the keeper does it by force.

use super::{signals, sweep};
use crate::fence::Fence;
use crate::order::{Notice, receive};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

/// Between looks whether the shims have ended by themselves, and how many they get together.
const LOOK: Duration = Duration::from_millis(5);
const LOOKS: u32 = 100;

/// Returns when the daemon is gone and nothing is left of its functions.
pub fn run(mut daemon: File) -> io::Result<()> {
    let parent = rustix::process::getppid();
    let _signals = signals::Signals::block()?;
    rustix::process::setsid()?;
    // As with a shim: the one signal that reaches who was stopped.
    rustix::process::set_parent_process_death_signal(Some(Signal::CONT))?;
    let _ = rustix::thread::set_name(c"mlemu-keeper");
    let mut kept = HashMap::new();
    while let Ok(message) = receive(&mut daemon) {
        match serde_json::from_slice(&message)? {
            Notice::Began { id, shim, fence } => drop(kept.insert(id, Kept::new(shim, fence))),
            Notice::Ended { id } => drop(kept.remove(&id)),
        }
    }
    for _ in 0..LOOKS {
        if !kept.values().any(Kept::lives) {
            break;
        }
        thread::sleep(LOOK);
    }
    // A daemon that lives has only had enough of us.
    if rustix::process::getppid() != parent {
        kept.values().for_each(Kept::end);
    }
    Ok(())
}

/// One instance.
struct Kept {
    /// Its shim, with what tells it from a later process of the same number. `None`: it was gone already.
    shim: Option<(Pid, OwnedFd)>,
    fence: Fence,
}

impl Kept {
    fn new(shim: i32, fence: Fence) -> Self {
        let open = |pid| Some((pid, pidfd_open(pid, PidfdFlags::empty()).ok()?));
        Self { shim: Pid::from_raw(shim).and_then(open), fence }
    }

    fn lives(&self) -> bool {
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let ended = |handle| poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&at_once)) == Ok(1);
        self.shim.as_ref().is_some_and(|(_, handle)| !ended(handle))
    }

    fn end(&self) {
        match &self.shim {
            Some((shim, _)) if self.lives() => sweep::by_force(&self.fence, *shim),
            _ if self.fence.folders().iter().all(|folder| !folder.exists()) => return,
            // Somebody has killed the shim.
            _ => {}
        }
        sweep::orphans(&self.fence);
        sweep::leave_no_session(&self.fence);
    }
}
