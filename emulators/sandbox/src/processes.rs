//! The process back end: functions as processes of this machine.

use crate::detect::Allowed;
use crate::fence::Fence;
use crate::order::Report;
use crate::output;
use crate::pacer::Pacer;
use crate::running::{Guards, Line, Running, first_report};
use crate::spawner::{Launch, Spawner};
use crate::watchdog::Watchdog;
use crate::{ShimProgram, detect, session, shim};
use mlemu_core::sandbox::StartFailure;
use mlemu_core::{Boxed, Confined, Enforcement, Sandbox, SandboxSpec};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::BufReader;
use tokio::net::UnixStream;

/// Needs a tokio runtime with I/O and time for everything but its making.
pub struct Processes {
    enforcement: Enforcement,
    sized: bool,
    spawner: Spawner,
    guards: Guards,
}

impl Processes {
    /// Finds out what this machine can enforce, removes what dead daemons left, and starts the threads.
    /// `scratch` is a folder of ours for the private `/tmp` of instances; it is made if it isn't there.
    ///
    /// Takes a few milliseconds. Fails only when the scratch folder or a thread cannot be made.
    pub fn new(shim: ShimProgram, scratch: PathBuf) -> io::Result<Self> {
        Self::with(shim, scratch, Allowed::all())
    }

    /// As [`Self::new`] on a machine with nothing better than `most`, e.g. to see on one's own what happens
    /// on another.
    pub fn restricted(shim: ShimProgram, scratch: PathBuf, most: Enforcement) -> io::Result<Self> {
        Self::with(shim, scratch, Allowed::only(most))
    }

    fn with(shim: ShimProgram, scratch: PathBuf, allowed: Allowed) -> io::Result<Self> {
        let session = session::name();
        let fence = detect::find_here(&session, allowed);
        sweep_stale(&fence);
        let enforcement = fence.enforcement();
        let pacer = if fence.cpu.is_none() { Some(Arc::new(Pacer::start()?)) } else { None };
        let guards = Guards { watchdog: Arc::new(Watchdog::start()?), pacer };
        let (spawner, sized) = Spawner::start(shim, scratch, session, fence)?;
        Ok(Self { enforcement, sized, spawner, guards })
    }

    /// Whether a function that fills its `/tmp` is told so at the declared size.
    pub fn limits_tmp(&self) -> bool {
        self.sized
    }
}

/// Ends and removes what the groups of dead daemons still hold.
fn sweep_stale(fence: &Fence) {
    let folders = fence.folders();
    let parents = folders.iter().filter_map(|session| session.parent());
    let dead: Vec<PathBuf> = parents.flat_map(session::stale).collect();
    // All first, because in version 1 the group that froze a process is not the group that counts it.
    for session in &dead {
        shim::sweep::thaw_session(session);
    }
    for session in &dead {
        shim::sweep::end_session(session);
    }
}

impl Sandbox for Processes {
    fn enforcement(&self) -> Enforcement {
        self.enforcement
    }

    fn start(&self, spec: SandboxSpec) -> Boxed<'_, Result<Box<dyn Confined>, StartFailure>> {
        Box::pin(async move {
            let started = self.try_start(&spec).await;
            let program = spec.program.display().to_string();
            let running = started.map_err(|why| StartFailure { program, why })?;
            Ok(Box::new(running) as Box<dyn Confined>)
        })
    }

    fn fill(&self, tmp_name: &str, size: Option<u64>) -> Boxed<'_, bool> {
        let name = tmp_name.to_owned();
        Box::pin(async move { self.spawner.fill(name, size).await })
    }

    fn forget(&self, tmp_name: &str) {
        self.spawner.forget(tmp_name);
    }
}

impl Processes {
    async fn try_start(&self, spec: &SandboxSpec) -> Result<Running, String> {
        let said = |error: io::Error| error.to_string();
        let mut launched = self.spawner.launch(Launch::from(spec)).await.map_err(said)?;
        let (Some(socket), Some(pipes)) = (launched.socket.take(), launched.pipes.take()) else {
            return Err("its shim has no socket".into());
        };
        let drain = output::carry(pipes.stdout, pipes.stderr, spec.output.clone()).map_err(said)?;
        let (reader, lifeline) = UnixStream::from_std(socket).map_err(said)?.into_split();
        let mut reports = BufReader::new(reader);
        match first_report(&mut reports, launched.shim).await {
            Some(Report::Started { .. }) => {
                let line = Line { reports, lifeline };
                let running =
                    Running::new(launched, line, spec.memory, spec.tmp_is_memory, drain, self.guards.clone());
                if self.guards.pacer.is_some() && spec.cpu.is_some() {
                    running.grant(spec.cpu);
                }
                Ok(running)
            }
            Some(Report::Failed { why }) => Err(why),
            _ => {
                drain.finish().await;
                Err("its shim ended before it began; what it wrote is in the log".into())
            }
        }
    }
}
