//! One invocation in flight, from the event to its one completion.

use super::process::{self, Process, Trouble};
use super::{Call, Instance};
use crate::faults::CallFault;
use crate::history::Begun;
use mlemu_core::outcome::{Init, Phase};
use mlemu_core::record::Status;
use mlemu_core::runtime::{Delivery, ReportedError, SessionReply};
use mlemu_core::{Answer, Ending, FunctionFailure, Outcome, StartKind, Timestamp, Usage, What};
use std::time::Duration;

/// After an answer the next call waits for the instance this long; then another one is asked.
const SETTLING: Duration = Duration::from_millis(100);

/// When an invocation must have ended: on the wall clock for the function, on the monotonic one for us.
struct Deadline {
    wall: Timestamp,
    end: Duration,
}

/// What first came of an event.
enum Landing {
    Reply(SessionReply),
    Ended(Ending),
    TimedOut,
    Halted,
}

/// How a process went on after its answer.
enum Settled {
    /// It asked for more.
    Asked,
    /// Not yet.
    Lingers,
    /// It is to end, or has ended.
    Ended,
}

/// How a flight went; the process, if it may serve on, is back in its place.
struct Flown {
    result: Result<Answer, FunctionFailure>,
    init: Option<Init>,
    /// Of a process that is gone, in bytes.
    peak_memory: u64,
}

impl Instance {
    pub(super) async fn fly(&mut self, mut call: Box<Call>) {
        let picked = self.parts.clock.elapsed();
        let mut subject = call.subject(&self.plan.revision);
        subject.instance = Some(self.plan.id);
        self.begin_past(&call);
        self.log.begin(subject, call.past.clone(), call.invoke.wants_log);
        self.log.say(What::Started);
        let timeout = self.plan.revision.limits.timeout;
        let deadline = Deadline { wall: self.parts.clock.machine().plus(timeout), end: picked + timeout };
        let flown = self.execute(&call, &deadline).await;
        let mut usage = self.usage(&call, picked, &flown);
        // In a seeded run what the caller does next comes after what is recorded here.
        let early = !call.invoke.wants_log && !self.parts.ids.is_seeded();
        self.line.answered();
        if early {
            call.complete(self.outcome(&call, flown.result.clone(), usage.clone()));
            // The caller's answer goes out before we look at memory.
            tokio::task::yield_now().await;
        }
        if let Some(process) = &self.process {
            process.drain().await;
            usage.peak_memory = process.peak_memory();
        }
        self.peak_memory = usage.peak_memory;
        self.log.flush();
        self.log.say(What::Ended { status: Status::of(&flown.result), usage: usage.clone() });
        call.remember(flown.result.clone(), Some(usage.clone()));
        if !early {
            call.complete(self.outcome(&call, flown.result, usage));
        }
        self.settle(&deadline).await;
    }

    fn begin_past(&self, call: &Call) {
        let at = self.parts.clock.now();
        let revision = self.plan.revision.label.as_str().into();
        call.past.begin(Begun { at, revision, instance: self.plan.id });
    }

    /// Hands the event over, starting the process first if there is none, and waits for whichever comes
    /// first: the answer, the end of the process, or the deadline.
    async fn execute(&mut self, call: &Call, deadline: &Deadline) -> Flown {
        let (mut process, init) = if let Some(process) = self.process.take() {
            (process, self.untold.take())
        } else {
            let (init, started) = self.start_inside(deadline).await;
            match started {
                Ok(process) => (process, Some(init)),
                Err(Trouble { failure, peak_memory }) => {
                    return Flown { result: Err(failure), init: Some(init), peak_memory };
                }
            }
        };
        if call.fault.is_some()
            && let Some(failure) = self.meddle(call, deadline).await
        {
            let peak_memory = process.measure().peak_memory;
            process.kill().await;
            return Flown { result: Err(failure), init, peak_memory };
        }
        process.thaw().await;
        let left = deadline.end.saturating_sub(self.parts.clock.elapsed());
        let begun = self.parts.clock.now();
        let delivery = Delivery { invoke: call.invoke.clone(), begun, deadline: deadline.wall, left };
        let ended = process.ended();
        let landing = tokio::select! {
            biased;
            reply = process.session.invoke(delivery) => Landing::Reply(reply),
            ending = ended => Landing::Ended(ending),
            () = self.alarms.real.at(deadline.end) => Landing::TimedOut,
            () = self.halt.cancelled() => Landing::Halted,
        };
        if call.fault == Some(CallFault::DiskFull) {
            self.fill(Some(self.plan.revision.limits.tmp)).await;
        }
        let (result, serves_on) = self.land(landing);
        let mut peak_memory = self.peak_memory;
        if serves_on {
            self.process = Some(process);
        } else {
            peak_memory = process.measure().peak_memory;
            process.kill().await;
        }
        // It wanted more than that; what it held when it was killed is chance.
        if let Err(FunctionFailure::OutOfMemory { limit }) = &result {
            peak_memory = *limit;
        }
        Flown { result, init, peak_memory }
    }

    /// Makes the scratch folder full, or of its size again.
    fn fill(&self, size: Option<u64>) -> impl Future<Output = bool> + Send + use<> {
        let (sandbox, name) = (self.parts.sandbox.clone(), super::process::tmp_name(&self.plan));
        async move { sandbox.fill(&name, size).await }
    }

    /// What a test wants to go wrong: the log says so, as nothing else would.
    async fn meddle(&mut self, call: &Call, deadline: &Deadline) -> Option<FunctionFailure> {
        let fault = call.fault?;
        self.log.note(&format!("mlemu: a fault that was asked for strikes: {fault:?}"));
        if let CallFault::Slow(by) = fault {
            tokio::select! {
                () = self.parts.clock.sleep(by) => {}
                () = self.alarms.real.at(deadline.end) => {}
                () = self.halt.cancelled() => {}
            }
        }
        if fault == CallFault::DiskFull && !self.fill(None).await {
            let why = "/tmp has no size of its own on this machine, so it cannot be full: see `mlemu doctor`";
            self.log.note(&format!("mlemu: {why}"));
        }
        fault.failure(&self.plan.revision.limits)
    }

    /// The init that a crash or a failed init phase left to this invocation, inside its own time.
    async fn start_inside(&mut self, deadline: &Deadline) -> (Init, Result<Process, Trouble>) {
        let left = deadline.end.saturating_sub(self.parts.clock.elapsed());
        process::init(&self.parts, &self.plan, &self.log, left, Phase::Invoke, self.halt.cancelled()).await
    }

    /// What a landing means for the caller, and whether the process can take another event.
    fn land(&self, landing: Landing) -> (Result<Answer, FunctionFailure>, bool) {
        let after = self.plan.revision.limits.timeout;
        match landing {
            Landing::Reply(SessionReply::Answer(answer)) => (Ok(answer), true),
            Landing::Reply(SessionReply::Error(ReportedError { body, kind })) => {
                (Err(FunctionFailure::Reported { body, kind, phase: Phase::Invoke }), true)
            }
            Landing::Reply(SessionReply::TooLarge { size, limit }) => {
                (Err(FunctionFailure::ResponseTooLarge { size, limit }), true)
            }
            Landing::Ended(ending) => (Err(process::failure_of(ending, &self.plan, Phase::Invoke)), false),
            Landing::TimedOut => {
                (Err(FunctionFailure::TimedOut { after }), self.keeping().outlives_deadlines)
            }
            Landing::Halted => (Err(FunctionFailure::Stopped), false),
        }
    }

    /// Waits until the client asks for more, so that nothing of this event goes on; a process that does not
    /// within the invocation's time is ended.
    async fn settle(&mut self, deadline: &Deadline) {
        let soon = self.parts.clock.elapsed() + SETTLING;
        // Where a deadline ends no process, it is not what ends one here either.
        let last = if self.keeping().outlives_deadlines { deadline.end.max(soon) } else { deadline.end };
        let mut settled = self.settled(soon.min(last)).await;
        if let Settled::Lingers = settled {
            self.line.lingers();
            settled = self.settled(last).await;
        }
        if !matches!(settled, Settled::Asked)
            && let Some(process) = self.process.take()
        {
            process.kill().await;
        }
    }

    async fn settled(&mut self, until: Duration) -> Settled {
        let Some(process) = &mut self.process else { return Settled::Ended };
        let ended = process.ended();
        tokio::select! {
            biased;
            () = process.session.idle() => Settled::Asked,
            _ = ended => Settled::Ended,
            () = self.alarms.real.at(until) => Settled::Lingers,
            () = self.halt.cancelled() => Settled::Ended,
        }
    }

    fn usage(&mut self, call: &Call, picked: Duration, flown: &Flown) -> Usage {
        // The first call may have waited for the start of its instance, which is reported apart.
        let startup = std::mem::take(&mut self.startup);
        let handler = self.parts.clock.elapsed().saturating_sub(picked);
        Usage {
            queued: picked.saturating_sub(call.startable).saturating_sub(startup),
            start: if flown.init.is_some() { StartKind::Cold } else { StartKind::Warm },
            init: flown.init,
            handler,
            peak_memory: flown.peak_memory,
            memory_limit: self.plan.revision.limits.memory,
            enforcement: self.parts.sandbox.enforcement(),
        }
    }

    fn outcome(&self, call: &Call, result: Result<Answer, FunctionFailure>, usage: Usage) -> Outcome {
        Outcome {
            id: call.invoke.id.clone(),
            revision: self.plan.revision.label.clone(),
            result,
            usage,
            log: self.log.take(),
        }
    }
}
