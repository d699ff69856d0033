//! One invocation in flight, from the event to its one completion.

use super::alarm::{Alarm, Real};
use super::line::Voice;
use super::log::Log;
use super::process::{self, Process, Trouble};
use super::{Call, Instance, Plan};
use crate::faults::CallFault;
use crate::parts::Parts;
use crate::settle::Pending;
use mlemu_core::outcome::{Init, Phase};
use mlemu_core::record::Status;
use mlemu_core::runtime::{Delivery, ReportedError, SessionReply};
use mlemu_core::{Answer, Ending, FunctionFailure, Keeping, Outcome, StartKind, Timestamp, Usage, What};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// After an answer the next call waits for the instance this long; then another one is asked.
const SETTLING: Duration = Duration::from_millis(100);

/// The signal that ends a process which does not end by itself.
const KILL: i32 = 9;

/// When an invocation must have ended: on the wall clock for the function, on the monotonic one for us.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    wall: Timestamp,
    pub(super) end: Duration,
}

impl Deadline {
    pub(super) fn after(picked: Duration, timeout: Duration, parts: &Parts) -> Self {
        Self { wall: parts.clock.machine().plus(timeout), end: picked + timeout }
    }
}

/// A call and what it needs of its instance. It runs beside others of the same process.
pub(super) struct Flight {
    plan: Arc<Plan>,
    keeping: Keeping,
    log: Arc<Log>,
    voice: Voice,
    halt: CancellationToken,
    alarm: Alarm<Real>,
    call: Box<Call>,
    /// When the instance took it, on the clock's monotonic side.
    picked: Duration,
    deadline: Deadline,
    /// The init that it waited for or that it is the first to follow.
    init: Option<Init>,
    /// How much of its wait was that init.
    startup: Duration,
    /// `None`: there is none, and none could be started.
    process: Option<Arc<Process>>,
    /// Highest memory known of the process, in bytes.
    peak_memory: u64,
}

/// What a flight leaves to its instance.
pub(super) struct Landed {
    pub(super) process: Option<Arc<Process>>,
    /// Whether the process takes more events; else nothing of it is left.
    pub(super) serves_on: bool,
    /// Highest memory of the process, in bytes.
    pub(super) peak_memory: u64,
    /// Its place was not free in a moment after the answer.
    pub(super) lingered: bool,
    pub(super) alarm: Alarm<Real>,
    /// What may still come of it counts as long as this is held.
    pub(super) pending: Arc<Pending>,
}

/// What first came of an event.
enum Landing {
    Reply(SessionReply),
    Ended(Ending),
    TimedOut,
    Halted,
}

/// How a process went on after its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Settled {
    /// It asked for more.
    Asked,
    /// Not yet.
    Lingers,
    /// It is to end, or has ended.
    Ended,
}

type Result<T = Answer> = std::result::Result<T, FunctionFailure>;

impl Instance {
    pub(super) fn flight(
        &mut self,
        call: Box<Call>,
        picked: Duration,
        deadline: Deadline,
        init: Option<Init>,
        process: Option<Arc<Process>>,
    ) -> Flight {
        Flight {
            plan: self.plan.clone(),
            keeping: self.keeping,
            log: self.log.clone(),
            voice: self.line.voice.clone(),
            halt: self.halt.clone(),
            alarm: self.alarm(),
            call,
            picked,
            deadline,
            init,
            startup: std::mem::take(&mut self.startup),
            process,
            peak_memory: self.peak_memory,
        }
    }
}

impl Flight {
    /// Hands the event to the process and sees it through.
    pub(super) async fn fly(mut self) -> Landed {
        let Some(process) = self.process.clone() else {
            unreachable!("without a process it crashes instead");
        };
        let (result, serves_on) = self.execute(&process).await;
        if !serves_on {
            self.peak_memory = process.measure().peak_memory;
            process.kill().await;
        }
        self.report(result, serves_on.then_some(&*process)).await;
        let settled = if serves_on { self.settle(&process).await } else { (Settled::Ended, false) };
        self.landed(settled)
    }

    /// Ends the call for which no process could be started.
    pub(super) async fn crash(mut self, trouble: Trouble) -> Landed {
        self.peak_memory = trouble.peak_memory;
        self.report(Err(trouble.failure), None).await;
        self.landed((Settled::Ended, false))
    }

    fn landed(self, (settled, lingered): (Settled, bool)) -> Landed {
        let Self { process, peak_memory, alarm, call, .. } = self;
        let pending = call.pending.clone();
        Landed { process, serves_on: settled == Settled::Asked, peak_memory, lingered, alarm, pending }
    }

    /// Waits for whichever comes first: the answer, the end of the process, or the deadline. And whether the
    /// process can take another event.
    async fn execute(&mut self, process: &Process) -> (Result, bool) {
        if let Some(failure) = self.meddle().await {
            return (Err(failure), false);
        }
        let clock = &self.call.parts.clock;
        let (begun, left) = (clock.now(), self.deadline.end.saturating_sub(clock.elapsed()));
        let delivery =
            Delivery { invoke: self.call.invoke.clone(), begun, deadline: self.deadline.wall, left };
        let ended = process.ended();
        let landing = tokio::select! {
            biased;
            reply = process.session.invoke(delivery) => Landing::Reply(reply),
            ending = ended => Landing::Ended(ending),
            () = self.alarm.at(self.deadline.end) => Landing::TimedOut,
            () = self.halt.cancelled() => Landing::Halted,
        };
        if self.call.fault == Some(CallFault::DiskFull) {
            self.fill(Some(self.plan.revision.limits.tmp)).await;
        }
        self.land(landing)
    }

    /// Makes the scratch folder full, or of its size again.
    fn fill(&self, size: Option<u64>) -> impl Future<Output = bool> + Send + use<> {
        let (sandbox, name) = (self.call.parts.sandbox.clone(), process::tmp_name(&self.plan));
        async move { sandbox.fill(&name, size).await }
    }

    /// What a test wants to go wrong: the log says so, as nothing else would.
    async fn meddle(&mut self) -> Option<FunctionFailure> {
        let fault = self.call.fault?;
        self.log.note(&self.call.invoke.id, &format!("mlemu: a fault that was asked for strikes: {fault:?}"));
        if let CallFault::Slow(by) = fault {
            tokio::select! {
                () = self.call.parts.clock.sleep(by) => {}
                () = self.alarm.at(self.deadline.end) => {}
                () = self.halt.cancelled() => {}
            }
        }
        if fault == CallFault::DiskFull && !self.fill(None).await {
            let why = "/tmp has no size of its own on this machine, so it cannot be full: see `mlemu doctor`";
            self.log.note(&self.call.invoke.id, &format!("mlemu: {why}"));
        }
        fault.failure(&self.plan.revision.limits)
    }

    /// What a landing means for the caller, and whether the process can take another event.
    fn land(&self, landing: Landing) -> (Result, bool) {
        let after = self.plan.revision.limits.timeout;
        match landing {
            Landing::Reply(SessionReply::Answer(answer)) => (Ok(answer), true),
            Landing::Reply(SessionReply::Error(ReportedError { body, kind })) => {
                (Err(FunctionFailure::Reported { body, kind, phase: Phase::Invoke }), true)
            }
            Landing::Reply(SessionReply::Broken(ReportedError { body, kind })) => {
                (Err(FunctionFailure::Reported { body, kind, phase: Phase::Invoke }), false)
            }
            Landing::Reply(SessionReply::TooLarge { size, limit }) => {
                (Err(FunctionFailure::ResponseTooLarge { size, limit }), true)
            }
            // Another call of the same process had taken too long, and it was ended for that.
            Landing::Ended(Ending::Killed) if !self.halt.is_cancelled() => {
                (Err(FunctionFailure::Exited { code: None, signal: Some(KILL), phase: Phase::Invoke }), false)
            }
            Landing::Ended(ending) => (Err(process::failure_of(ending, &self.plan, Phase::Invoke)), false),
            Landing::TimedOut => (Err(FunctionFailure::TimedOut { after }), self.keeping.outlives_deadlines),
            Landing::Halted => (Err(FunctionFailure::Stopped), false),
        }
    }

    /// Tells everybody how it ended, its caller first unless that wants the log. `process`: what lives on.
    async fn report(&mut self, result: Result, process: Option<&Process>) {
        if let Err(FunctionFailure::OutOfMemory { limit }) = &result
            && self.call.fault != Some(CallFault::OutOfMemory)
        {
            // It wanted more than that; what it held when it was killed is chance.
            self.peak_memory = *limit;
        }
        let mut usage = self.usage();
        // In a seeded run what the caller does next comes after what is recorded here.
        let early = !self.call.invoke.wants_log && !self.call.parts.ids.is_seeded();
        self.voice.answered();
        if early {
            let outcome = self.outcome(result.clone(), usage.clone());
            self.call.complete(outcome);
            // The caller's answer goes out before we look at memory.
            tokio::task::yield_now().await;
        }
        if let Some(process) = process {
            process.drain().await;
            usage.peak_memory = process.peak_memory();
            self.peak_memory = usage.peak_memory;
        }
        let answered =
            result.as_ref().ok().and_then(|answer| answer.head.as_ref()).map(|head| head.status.as_u16());
        let ended = What::Ended { status: Status::of(&result), usage: usage.clone(), answered };
        self.log.end(&self.call.invoke.id, ended);
        self.call.remember(result.clone(), Some(usage.clone()));
        if !early {
            let outcome = self.outcome(result, usage);
            self.call.complete(outcome);
        }
    }

    /// Waits until the client can take another event, so that nothing of this one goes on; a process that does
    /// not within the invocation's time is ended. And whether that took long.
    async fn settle(&mut self, process: &Process) -> (Settled, bool) {
        let soon = self.call.parts.clock.elapsed() + SETTLING;
        // Where a deadline ends no process, it is not what ends one here either.
        let end = self.deadline.end;
        let last = if self.keeping.outlives_deadlines { end.max(soon) } else { end };
        let mut settled = self.settled(process, soon.min(last)).await;
        let lingers = settled == Settled::Lingers;
        if lingers {
            self.voice.lingers();
            settled = self.settled(process, last).await;
        }
        if settled != Settled::Asked {
            process.kill().await;
        }
        (settled, lingers)
    }

    async fn settled(&mut self, process: &Process, until: Duration) -> Settled {
        let ended = process.ended();
        tokio::select! {
            biased;
            () = process.session.idle() => Settled::Asked,
            _ = ended => Settled::Ended,
            () = self.alarm.at(until) => Settled::Lingers,
            () = self.halt.cancelled() => Settled::Ended,
        }
    }

    fn usage(&self) -> Usage {
        let parts = &self.call.parts;
        Usage {
            // The first call may have waited for the start of its instance, which is reported apart.
            queued: self.picked.saturating_sub(self.call.startable).saturating_sub(self.startup),
            start: if self.init.is_some() { StartKind::Cold } else { StartKind::Warm },
            init: self.init,
            handler: parts.clock.elapsed().saturating_sub(self.picked),
            peak_memory: self.peak_memory,
            memory_limit: self.plan.revision.limits.memory,
            enforcement: parts.sandbox.enforcement(),
            cpu: self.plan.conditions.cpu.map(|shares| shares.then),
        }
    }

    fn outcome(&self, result: Result, usage: Usage) -> Outcome {
        let id = self.call.invoke.id.clone();
        let log = self.log.take(&id);
        Outcome { id, revision: self.plan.revision.label.clone(), result, usage, log }
    }
}
