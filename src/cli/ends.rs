//! The signals that end a program: Ctrl-C, SIGTERM, and a terminal that is closed.

use super::exit::{Complaint, Exit};
use tokio::signal::unix::{SignalKind, signal};

/// The signals that end a daemon.
pub struct Ends {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Ends {
    pub fn new() -> Result<Self, Complaint> {
        let on =
            |kind| signal(kind).map_err(|error| Complaint::new(format!("cannot watch signals: {error}")));
        Ok(Self {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
            hangup: on(SignalKind::hangup())?,
        })
    }

    /// The next one, as the program then ends.
    pub async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
            _ = self.hangup.recv() => Exit::Terminated,
        }
    }
}
