//! A shim that stands ready, its control groups around it, for a function that is yet to be named.
//!
//! Entering a control group can take the kernel 20 ms when nobody has done so for a while. Whoever waits for
//! a cold start should not wait for that: it is done in advance.

use crate::ShimProgram;
use crate::fence::{Bounds, Fence};
use crate::order::{Order, Post, frame};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub struct Bay {
    pub child: Child,
    pub fence: Fence,
    /// Reports come from here; closing it ends the shim.
    pub socket: UnixStream,
    pub pipes: Pipes,
}

/// Ends of the pipes that the function will write to; reading does not block.
pub struct Pipes {
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

impl Bay {
    /// Starts a shim inside a new fence within `around`.
    pub fn prepare(shim: &ShimProgram, around: &Fence, name: &str) -> io::Result<Self> {
        let fence = around.child(name)?;
        let started = Self::start(shim, fence.clone());
        if started.is_err() {
            fence.remove();
        }
        started
    }

    #[expect(clippy::disallowed_methods, reason = "this is where processes are started")]
    fn start(shim: &ShimProgram, fence: Fence) -> io::Result<Self> {
        let post =
            frame(&Post { daemon: i32::try_from(std::process::id()).unwrap_or(0), fence: fence.clone() })?;
        let (socket, theirs) = UnixStream::pair()?;
        socket.set_write_timeout(Some(Duration::from_secs(5)))?;
        let (stdout, stdout_writer) = pipe()?;
        let (stderr, stderr_writer) = pipe()?;
        // Sent before there is anybody to read it: a message that fits the socket cannot block.
        (&socket).write_all(&post)?;
        let child = Command::new(&shim.program)
            .args(&shim.args)
            .env_clear()
            .current_dir("/")
            .stdin(OwnedFd::from(theirs))
            .stdout(stdout_writer)
            .stderr(stderr_writer)
            .spawn()?;
        Ok(Self { child, fence, socket, pipes: Pipes { stdout, stderr } })
    }

    /// Sets the limits and has the function started. An error means that this bay is of no use any more.
    pub fn give(&mut self, order: &Order, bounds: Bounds) -> io::Result<()> {
        self.fence.limit(bounds)?;
        self.socket.write_all(&frame(order)?)?;
        self.socket.set_nonblocking(true)
    }
}

/// A pipe whose reading end does not block and whose writing end does.
fn pipe() -> io::Result<(OwnedFd, Stdio)> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    Ok((reader, Stdio::from(writer)))
}
