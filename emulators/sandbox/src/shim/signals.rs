//! Signals as something to read, so that the shim waits for everything in one place.

#![expect(unsafe_code, reason = "signal masks and signalfd have no safe wrapper here")]

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

const WATCHED: [i32; 6] =
    [libc::SIGCHLD, libc::SIGCONT, libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];
/// They only tell that it is time to look.
const NEWS: [u32; 2] = [libc::SIGCHLD as u32, libc::SIGCONT as u32];

pub struct Signals {
    source: OwnedFd,
}

impl Signals {
    pub fn block() -> io::Result<Self> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset makes the set valid before anything reads it; the pointers are to locals that
        // outlive the calls; the descriptor, once checked, is new and ours alone.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in WATCHED {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            if libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) != 0 {
                return Err(io::Error::last_os_error());
            }
            let source = libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
            if source < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(Self { source: OwnedFd::from_raw_fd(source) })
        }
    }

    /// Takes what has arrived; whether any of it was more than news.
    pub fn asked_to_end(&self) -> bool {
        const SIZE: usize = size_of::<libc::signalfd_siginfo>();
        let mut asked = false;
        let mut record = [0_u8; SIZE];
        while rustix::io::read(&self.source, &mut record[..]) == Ok(SIZE) {
            // The number is the record's first field.
            let number = u32::from_ne_bytes([record[0], record[1], record[2], record[3]]);
            asked |= !NEWS.contains(&number);
        }
        asked
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

/// Undoes, in a child before its program starts, what signals it inherited as ignored or blocked.
pub fn restore_defaults() {
    // SAFETY: only async-signal-safe calls, on a local set that sigemptyset makes valid; no handler of ours
    // is replaced, there are none.
    unsafe {
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut());
    }
}
