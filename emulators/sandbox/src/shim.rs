//! The process between the daemon and one function: raises the walls, starts the function, and stays until
//! nothing of it is left.
//!
//! It must start within a millisecond and survive anything that the function does: one thread, no async
//! runtime, outside of the function's own limits. It ends the function when the daemon closes the socket,
//! which the kernel does for a daemon that died, however it died.

mod signals;
pub mod sweep;
mod walls;

use crate::order::{Ended, How, Order, Report};
use rustix::event::{PollFd, PollFlags};
use rustix::process::Signal;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

/// The hidden subcommand's body. `args` are for people only.
///
/// Call it before anything else in `main`: it expects standard input to be the daemon's socket, closes every
/// other descriptor it inherited, and needs to be the only thread.
pub fn shim_main(_args: impl Iterator<Item = OsString>) -> ExitCode {
    walls::close_inherited();
    match Socket::take().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run(mut socket: Socket) -> io::Result<()> {
    let order = socket.order()?;
    let signals = signals::Signals::block()?;
    let started = become_supervisor(&order).and_then(|()| walls::start(&order));
    let first = match started {
        Ok(first) => first,
        Err(why) => {
            order.fence.remove();
            return socket.report(&Report::Failed { why });
        }
    };
    let told = socket.report(&Report::Started { process: first.as_raw_nonzero().get() });
    let mut shim = Shim { socket, signals, dead: sweep::Dead::new(first) };
    if told.is_ok() {
        shim.wait();
    }
    shim.end(&order)
}

/// Becomes the one that orphans of the function fall to, in a session without a terminal.
fn become_supervisor(order: &Order) -> Result<(), String> {
    let said = |what: &'static str| move |error: rustix::io::Errno| format!("{what}: {error}");
    rustix::process::setsid().map_err(said("cannot leave the session"))?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(said("cannot adopt orphans"))?;
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))
        .map_err(said("cannot watch the parent"))?;
    let _ = rustix::thread::set_name(c"mlemu-shim");
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    if parent == Some(order.daemon) { Ok(()) } else { Err("the daemon is gone".into()) }
}

struct Shim {
    socket: Socket,
    signals: signals::Signals,
    dead: sweep::Dead,
}

impl Shim {
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
            if closed || (signalled && self.signals.asked_to_end()) {
                return;
            }
            self.dead.collect();
            if self.dead.first_ended().is_some() {
                return;
            }
        }
    }

    fn end(mut self, order: &Order) -> io::Result<()> {
        sweep::everything(&order.fence, &mut self.dead);
        let ended = Ended {
            how: self.dead.first_ended().unwrap_or(How::Signal(Signal::KILL.as_raw())),
            out_of_memory: order.fence.out_of_memory_kills() > 0,
            peak_resident: self.dead.peak_resident,
            cpu_micros: self.dead.cpu_micros,
        };
        order.fence.remove();
        if is_orphan(order) {
            sweep::leave_no_session(&order.fence);
        }
        self.socket.report(&Report::Ended(ended))
    }
}

fn is_orphan(order: &Order) -> bool {
    rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(order.daemon)
}

/// The daemon's socket, which was our standard input.
struct Socket {
    stream: std::fs::File,
}

impl Socket {
    fn take() -> io::Result<Self> {
        let stream: OwnedFd = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
        walls::silence(rustix::stdio::dup2_stdin)?;
        Ok(Self { stream: stream.into() })
    }

    fn order(&mut self) -> io::Result<Order> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut order = vec![0; u32::from_le_bytes(length) as usize];
        self.stream.read_exact(&mut order)?;
        Ok(serde_json::from_slice(&order)?)
    }

    fn report(&mut self, report: &Report) -> io::Result<()> {
        let mut line = serde_json::to_vec(report)?;
        line.push(b'\n');
        self.stream.write_all(&line)
    }
}
