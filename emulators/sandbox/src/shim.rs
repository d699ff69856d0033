//! The process between the daemon and one function: takes its post, starts the function when it is told
//! which, and stays until nothing of it is left.
//!
//! It must start within a millisecond and survive anything that the function does: one thread, no async
//! runtime, outside of the function's own limits. It ends the function when the daemon closes the socket,
//! which the kernel does for a daemon that died, however it died.

mod keeper;
mod seat;
mod signals;
pub mod sweep;
mod tmp;

use crate::order::{Duty, Ended, How, Order, Post, Report, receive};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use seat::Seat;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

/// The hidden subcommand's body. `args` are for people only.
///
/// Call it before anything else in `main`: it expects standard input to be the daemon's socket, closes every
/// other descriptor it inherited, and needs to be the only thread.
pub fn shim_main(_args: impl Iterator<Item = OsString>) -> ExitCode {
    seat::close_inherited();
    match Socket::take().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run(mut socket: Socket) -> io::Result<()> {
    let post = match serde_json::from_slice(&receive(&mut socket.stream)?)? {
        Duty::Shim(post) => post,
        Duty::Keeper => return keeper::run(socket.stream),
    };
    let signals = signals::Signals::block()?;
    let seat = match become_supervisor(&post).and_then(|()| Seat::take(&post.fence)) {
        Ok(seat) => seat,
        Err(error) => {
            post.fence.remove();
            return socket.report(&Report::Failed { why: error.to_string() });
        }
    };
    // Only the function's own processes may keep its pipes open.
    silence(rustix::stdio::dup2_stdout)?;
    silence(rustix::stdio::dup2_stderr)?;
    let dead = sweep::Dead::new(seat.process);
    Shim { socket, signals, dead, post }.serve(seat)
}

/// Becomes the one that orphans of the function fall to, in a session without a terminal.
fn become_supervisor(post: &Post) -> io::Result<()> {
    rustix::process::setsid()?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    // The one signal that reaches even who was stopped, as any function may stop its shim.
    rustix::process::set_parent_process_death_signal(Some(Signal::CONT))?;
    let _ = rustix::thread::set_name(c"mlemu-shim");
    if is_orphan(post) { Err(io::Error::other("the daemon is gone")) } else { Ok(()) }
}

fn is_orphan(post: &Post) -> bool {
    rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(post.daemon)
}

struct Shim {
    socket: Socket,
    signals: signals::Signals,
    dead: sweep::Dead,
    post: Post,
}

impl Shim {
    fn serve(mut self, seat: Seat) -> io::Result<()> {
        let process = seat.process.as_raw_nonzero().get();
        // No order means that the daemon had no use for us.
        let last_words = match receive(&mut self.socket.stream).map(|order| begin(seat, &order)) {
            Ok(Ok(())) => {
                if self.socket.report(&Report::Started { process }).is_ok() {
                    self.wait();
                }
                Report::Ended(self.end())
            }
            Ok(Err(why)) => {
                self.end();
                Report::Failed { why }
            }
            Err(_) => Report::Ended(self.end()),
        };
        self.socket.report(&last_words)
    }

    /// Returns when the first process has ended or must end.
    fn wait(&mut self) {
        loop {
            let (closed, signalled) = {
                let mut both = [
                    PollFd::from_borrowed_fd(self.socket.stream.as_fd(), PollFlags::IN),
                    PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
                ];
                if rustix::event::poll(&mut both, None).is_err() {
                    continue;
                }
                (!both[0].revents().is_empty(), !both[1].revents().is_empty())
            };
            // The daemon never says anything after its order: whatever is there to read is the end.
            if closed || (signalled && (self.signals.asked_to_end() || is_orphan(&self.post))) {
                return;
            }
            self.dead.collect();
            if self.dead.first_ended().is_some() {
                return;
            }
        }
    }

    fn end(&mut self) -> Ended {
        let fence = &self.post.fence;
        sweep::everything(fence, &mut self.dead);
        let ended = Ended {
            how: self.dead.first_ended().unwrap_or(How::Signal(Signal::KILL.as_raw())),
            out_of_memory: fence.out_of_memory_kills() > 0,
            peak_resident: self.dead.peak_resident,
            cpu_micros: self.dead.cpu_micros,
        };
        fence.remove();
        if is_orphan(&self.post) {
            sweep::leave_no_session(fence);
        }
        ended
    }
}

/// Has the function started; the error is for a person.
fn begin(seat: Seat, order: &[u8]) -> Result<(), String> {
    let Order { name, .. } = serde_json::from_slice(order).map_err(|error| error.to_string())?;
    // What `top` and the like show, cut by the kernel; a name with a zero byte keeps the old one.
    let _ = std::ffi::CString::new(name).map(|name| rustix::thread::set_name(&name));
    seat.give(order)
}

/// The daemon's socket, which was our standard input.
struct Socket {
    stream: std::fs::File,
}

impl Socket {
    fn take() -> io::Result<Self> {
        let stream: OwnedFd = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
        silence(rustix::stdio::dup2_stdin)?;
        Ok(Self { stream: stream.into() })
    }

    fn report(&mut self, report: &Report) -> io::Result<()> {
        let mut line = serde_json::to_vec(report)?;
        line.push(b'\n');
        self.stream.write_all(&line)
    }
}

/// Puts nothing in the place of a standard stream.
fn silence(put: impl FnOnce(OwnedFd) -> rustix::io::Result<()>) -> io::Result<()> {
    let nothing = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    Ok(put(nothing)?)
}
