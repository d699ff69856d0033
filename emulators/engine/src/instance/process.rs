//! The process of an instance: a sandbox and the session spoken with what runs in it.

use super::{Plan, log::Log};
use crate::parts::Parts;
use mlemu_core::outcome::{Init, Phase};
use mlemu_core::record::Status;
use mlemu_core::{
    Boxed, Confined, Ending, FunctionFailure, Reading, SandboxSpec, Session, What, runtime::ReportedError,
};
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Process {
    pub(super) session: Box<dyn Session>,
    confined: Box<dyn Confined>,
}

/// A start that failed.
pub(super) struct Trouble {
    pub(super) failure: FunctionFailure,
    /// Highest memory of the process that failed, in bytes.
    pub(super) peak_memory: u64,
}

/// Starts a process and waits for its init, for at most `limit` and no longer than until `stop` completes.
/// Whatever fails, nothing of the process is left then.
pub(super) async fn init(
    parts: &Parts,
    plan: &Plan,
    log: &Arc<Log>,
    limit: Duration,
    phase: Phase,
    stop: impl Future<Output = ()>,
) -> (Init, Result<Process, Trouble>) {
    // An instance has its place already when its process is started again.
    let simulated = plan.conditions.start.filter(|_| phase == Phase::Init);
    if simulated.is_some() && !plan.conditions.pause().is_zero() {
        parts.clock.sleep(plan.conditions.pause()).await;
    }
    let (runtime, version) = (plan.revision.runtime.clone(), plan.built.version.clone());
    log.say(What::InitStarted { runtime, version });
    let began = parts.clock.elapsed();
    let started = match Process::start(parts, plan, log.clone()).await {
        Ok(process) => process.initialize(parts, plan, limit, phase, stop).await,
        Err(why) => Err(Trouble { failure: FunctionFailure::NotStartable { why }, peak_memory: 0 }),
    };
    let init = Init { duration: parts.clock.elapsed().saturating_sub(began), phase, simulated };
    log.flush();
    let status = match &started {
        Ok(_) => Status::Ok,
        Err(trouble) => Status::of::<()>(&Err(trouble.failure.clone())),
    };
    log.say(What::InitEnded { init, status });
    (init, started)
}

impl Process {
    async fn start(parts: &Parts, plan: &Plan, log: Arc<Log>) -> Result<Self, String> {
        let session = plan.client.open(&plan.revision, &plan.built, plan.id).await;
        let session = session.map_err(|error| error.to_string())?;
        let spec = spec(plan, session.command(), log);
        let confined = parts.sandbox.start(spec).await.map_err(|error| error.to_string())?;
        Ok(Self { session, confined })
    }

    /// Waits until its client asks for work.
    async fn initialize(
        mut self,
        parts: &Parts,
        plan: &Plan,
        limit: Duration,
        phase: Phase,
        stop: impl Future<Output = ()>,
    ) -> Result<Self, Trouble> {
        let failure = tokio::select! {
            biased;
            ready = self.session.ready() => match ready {
                Ok(()) => None,
                Err(ReportedError { body, kind }) => {
                    Some(FunctionFailure::Reported { body, kind, phase: Phase::Init })
                }
            },
            ending = self.confined.ended() => Some(failure_of(ending, plan, Phase::Init)),
            () = stop => Some(FunctionFailure::Stopped),
            () = parts.clock.sleep(limit) => Some(match phase {
                Phase::Init => FunctionFailure::TimedOut { after: limit },
                Phase::Invoke => FunctionFailure::TimedOut { after: plan.revision.limits.timeout },
            }),
        };
        let Some(failure) = failure else {
            if let Some(shares) = plan.conditions.cpu {
                self.confined.grant(Some(shares.then));
            }
            // What the init wrote is told before what the invocation writes.
            self.drain().await;
            return Ok(self);
        };
        let peak_memory = self.measure().peak_memory;
        self.kill().await;
        Err(Trouble { failure, peak_memory })
    }

    pub(super) fn ended(&self) -> Boxed<'static, Ending> {
        self.confined.ended()
    }

    pub(super) async fn freeze(&self) {
        self.confined.freeze().await;
    }

    pub(super) async fn thaw(&self) {
        self.confined.thaw().await;
    }

    pub(super) fn measure(&self) -> Reading {
        self.confined.measure()
    }

    /// Highest memory so far, in bytes.
    pub(super) fn peak_memory(&self) -> u64 {
        self.confined.peak_memory()
    }

    pub(super) async fn drain(&self) {
        self.confined.drain().await;
    }

    /// Lets it end by itself, where it is told how.
    pub(super) async fn leave(&self) {
        tokio::select! {
            biased;
            () = self.session.leave() => {}
            _ = self.confined.ended() => {}
        }
    }

    /// Completes when nothing of it is left and all that it wrote was read.
    pub(super) async fn kill(&self) {
        self.confined.kill();
        self.confined.ended().await;
        self.confined.drain().await;
    }
}

/// What an end without an answer means.
pub(super) fn failure_of(ending: Ending, plan: &Plan, phase: Phase) -> FunctionFailure {
    match ending {
        Ending::Exit(code) => FunctionFailure::Exited { code: Some(code), signal: None, phase },
        Ending::Signal(signal) => FunctionFailure::Exited { code: None, signal: Some(signal), phase },
        Ending::OutOfMemory => FunctionFailure::OutOfMemory { limit: plan.revision.limits.memory },
        Ending::Killed => FunctionFailure::Stopped,
    }
}

/// The scratch folder belongs to the instance, not to the process: it survives a crash.
pub(super) fn tmp_name(plan: &Plan) -> String {
    format!("i{}", plan.scratch)
}

fn spec(plan: &Plan, command: &mlemu_core::runtime::Command, log: Arc<Log>) -> SandboxSpec {
    let limits = &plan.revision.limits;
    SandboxSpec {
        name: format!("{}-{}", plan.revision.function.name, plan.scratch),
        program: command.program.clone(),
        args: command.args.clone(),
        env: command.env.clone(),
        folder: command.folder.clone(),
        memory: limits.memory,
        cpu: plan.conditions.cpu.map(|shares| shares.init),
        tmp: limits.tmp,
        tmp_is_memory: plan.client.keeping(&plan.revision).tmp_is_memory,
        tmp_name: tmp_name(plan),
        output: log,
    }
}
