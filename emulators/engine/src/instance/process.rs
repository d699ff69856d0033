//! The process of an instance: a sandbox and the session spoken with what runs in it.

use super::{Plan, log::Log};
use crate::face::Parts;
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
    /// Stopped, or being stopped.
    frozen: bool,
}

/// A start that failed.
pub(super) struct Trouble {
    pub(super) failure: FunctionFailure,
    /// Highest memory of the process that failed, in bytes.
    pub(super) peak_memory: u64,
}

/// Starts a process and waits for its init, for at most `limit`.
pub(super) async fn init(
    parts: &Parts,
    plan: &Plan,
    log: &Arc<Log>,
    limit: Duration,
    phase: Phase,
) -> Result<(Process, Init), Trouble> {
    let (runtime, version) = (plan.revision.runtime.clone(), plan.built.version.clone());
    log.say(What::InitStarted { runtime, version });
    let began = parts.clock.elapsed();
    let started = Process::start(parts, plan, log.clone(), limit, phase).await;
    let init = Init { duration: parts.clock.elapsed().saturating_sub(began), phase };
    log.flush();
    let status = match &started {
        Ok(_) => Status::Ok,
        Err(trouble) => Status::of::<()>(&Err(trouble.failure.clone())),
    };
    log.say(What::InitEnded { init, status });
    Ok((started?, init))
}

impl Process {
    /// Starts it and waits until its client asks for work.
    async fn start(
        parts: &Parts,
        plan: &Plan,
        log: Arc<Log>,
        limit: Duration,
        phase: Phase,
    ) -> Result<Self, Trouble> {
        let unstartable =
            |why: String| Trouble { failure: FunctionFailure::NotStartable { why }, peak_memory: 0 };
        let session = plan.client.open(&plan.revision, &plan.built, plan.id).await;
        let mut session = session.map_err(|error| unstartable(error.to_string()))?;
        let spec = spec(plan, session.command(), log);
        let confined = parts.sandbox.start(spec).await.map_err(|error| unstartable(error.to_string()))?;
        let expired = parts.clock.sleep(limit);
        let failure = tokio::select! {
            biased;
            ready = session.ready() => match ready {
                Ok(()) => return Ok(Self { session, confined, frozen: false }),
                Err(ReportedError { body, kind }) => FunctionFailure::Reported { body, kind, phase: Phase::Init },
            },
            ending = confined.ended() => failure_of(ending, plan, Phase::Init),
            () = expired => match phase {
                Phase::Init => FunctionFailure::TimedOut { after: limit },
                Phase::Invoke => FunctionFailure::TimedOut { after: plan.revision.limits.timeout },
            },
        };
        let process = Self { session, confined, frozen: false };
        let peak_memory = process.measure().peak_memory;
        process.kill().await;
        Err(Trouble { failure, peak_memory })
    }

    pub(super) fn ended(&self) -> Boxed<'static, Ending> {
        self.confined.ended()
    }

    pub(super) async fn thaw(&mut self) {
        if self.frozen {
            self.confined.thaw().await;
            self.frozen = false;
        }
    }

    pub(super) fn measure(&self) -> Reading {
        self.confined.measure()
    }

    pub(super) async fn drain(&self) {
        self.confined.drain().await;
    }

    /// Completes when nothing of it is left and all that it wrote was read.
    pub(super) async fn kill(self) {
        self.confined.kill();
        self.confined.ended().await;
        self.confined.drain().await;
    }
}

/// Freezes an idle process after a while, then waits for ever. Dropping this leaves `frozen` true when a
/// freeze was begun, so that the next invocation thaws.
pub(super) async fn rest_frozen(process: Option<&mut Process>, parts: &Parts) {
    if let Some(process) = process {
        parts.clock.sleep(parts.policy.freeze_after).await;
        process.frozen = true;
        process.confined.freeze().await;
    }
    std::future::pending::<()>().await;
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
    format!("i{}", plan.id.0)
}

fn spec(plan: &Plan, command: &mlemu_core::runtime::Command, log: Arc<Log>) -> SandboxSpec {
    let limits = &plan.revision.limits;
    SandboxSpec {
        name: format!("{}-{}", plan.revision.function.name, plan.id.0),
        program: command.program.clone(),
        args: command.args.clone(),
        env: command.env.clone(),
        folder: command.folder.clone(),
        memory: limits.memory,
        cpu: None,
        tmp: limits.tmp,
        tmp_name: tmp_name(plan),
        output: log,
    }
}
