//! Starting our own processes: the keeper, and a shim that stands ready, its control groups around it, for a function that is yet to be named.
//!
//! Entering a control group can take the kernel 20 ms when nobody has done so for a while. Whoever waits for
//! a cold start should not wait for that: it is done in advance.

use crate::ShimProgram;
use crate::fence::{Bounds, Fence};
use crate::order::{Duty, Notice, Order, Post, frame};
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

    fn start(shim: &ShimProgram, fence: Fence) -> io::Result<Self> {
        let daemon = i32::try_from(std::process::id()).unwrap_or(0);
        let duty = Duty::Shim(Post { daemon, fence: fence.clone() });
        let (stdout, stdout_writer) = pipe()?;
        let (stderr, stderr_writer) = pipe()?;
        let (child, socket) = start(shim, &duty, stdout_writer, stderr_writer)?;
        Ok(Self { child, fence, socket, pipes: Pipes { stdout, stderr } })
    }

    /// Sets the limits and has the function started. An error means that this bay is of no use any more.
    pub fn give(&mut self, order: &Order, bounds: Bounds) -> io::Result<()> {
        self.fence.limit(bounds)?;
        self.socket.write_all(&frame(order)?)?;
        self.socket.set_nonblocking(true)
    }
}

/// Starts a process of ours and tells it what it is there for.
#[expect(clippy::disallowed_methods, reason = "this is where processes are started")]
fn start(shim: &ShimProgram, duty: &Duty, stdout: Stdio, stderr: Stdio) -> io::Result<(Child, UnixStream)> {
    let duty = frame(duty)?;
    let (socket, theirs) = UnixStream::pair()?;
    socket.set_write_timeout(Some(Duration::from_secs(5)))?;
    // Sent before there is anybody to read it: a message that fits the socket cannot block.
    (&socket).write_all(&duty)?;
    let child = Command::new(&shim.program)
        .args(&shim.args)
        .env_clear()
        .current_dir("/")
        .stdin(OwnedFd::from(theirs))
        .stdout(stdout)
        .stderr(stderr)
        .spawn()?;
    Ok((child, socket))
}

/// The daemon's side of its keeper.
pub struct Keeper {
    child: Child,
    socket: UnixStream,
}

impl Keeper {
    pub fn start(shim: &ShimProgram) -> io::Result<Self> {
        let (child, socket) = start(shim, &Duty::Keeper, Stdio::null(), Stdio::null())?;
        // Whoever stops the keeper must not stop the daemon.
        socket.set_nonblocking(true)?;
        Ok(Self { child, socket })
    }

    /// `false`: it does not listen, and is of no use any more.
    pub fn tell(&mut self, notice: &Notice) -> bool {
        frame(notice).and_then(|notice| self.socket.write_all(&notice)).is_ok()
    }
}

impl Drop for Keeper {
    /// Before its socket closes, which to a living keeper would mean that the daemon is gone.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A pipe whose reading end does not block and whose writing end does.
fn pipe() -> io::Result<(OwnedFd, Stdio)> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    Ok((reader, Stdio::from(writer)))
}
