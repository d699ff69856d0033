//! Faults of calls: what the engine does where a rule strikes.

use super::{Effect, Hit, Point, Sighting};
use crate::Engine;
use crate::dispatch::{self, Interrupt};
use crate::settle::{self, Work};
use mlemu_core::outcome::Phase;
use mlemu_core::{Cause, Due, FunctionFailure, InvocationId, Invoke, Limits, Mode, Refusal, Reply, Throttle};
use std::time::Duration;

/// What befalls a call in its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallFault {
    Slow(Duration),
    OutOfMemory,
    Crash(Phase),
    Timeout,
    /// Of its scratch folder.
    DiskFull,
}

impl CallFault {
    /// How the call ends, if it does not reach the function at all.
    pub fn failure(self, limits: &Limits) -> Option<FunctionFailure> {
        match self {
            CallFault::Slow(_) | CallFault::DiskFull => None,
            CallFault::OutOfMemory => Some(FunctionFailure::OutOfMemory { limit: limits.memory }),
            CallFault::Crash(phase) => Some(FunctionFailure::Exited { code: Some(1), signal: None, phase }),
            CallFault::Timeout => Some(FunctionFailure::TimedOut { after: limits.timeout }),
        }
    }
}

/// What becomes of a call before it is admitted.
pub(crate) enum Fate {
    Goes(Option<CallFault>),
    /// Its caller has this answer instead.
    Ends(Result<Reply, Refusal>),
}

impl Engine {
    /// Asks the rules about a call.
    pub(crate) fn fate_of(&self, invoke: &Invoke) -> Fate {
        let delivered = || invoke.mode == Mode::Queue && matches!(invoke.cause, Cause::Occurrence { .. });
        if self.gate().is_closed() && delivered() {
            self.deliver_when_open(invoke.clone());
            return Fate::Ends(Ok(Reply::Accepted));
        }
        if !self.faults().any() {
            return Fate::Goes(None);
        }
        if delivered() {
            match self.sighted(Point::Delivery, "deliver", invoke).map(|hit| hit.effect) {
                Some(Effect::Drop) => return Fate::Ends(Ok(Reply::Accepted)),
                Some(Effect::Delay(by)) => {
                    self.deliver_later(invoke.clone(), by);
                    return Fate::Ends(Ok(Reply::Accepted));
                }
                Some(Effect::Duplicate) => self.deliver_again(invoke),
                _ => {}
            }
        }
        self.fate_of_call(invoke)
    }

    /// The same for a call that has been delivered.
    pub(crate) fn fate_of_call(&self, invoke: &Invoke) -> Fate {
        let Some(hit) = self.sighted(Point::Call, "invoke", invoke) else { return Fate::Goes(None) };
        let fault = match hit.effect {
            Effect::Throttle => return Fate::Ends(Err(Refusal::Throttled(Throttle::Reserved))),
            Effect::OutOfMemory => CallFault::OutOfMemory,
            Effect::Timeout => CallFault::Timeout,
            Effect::DiskFull => CallFault::DiskFull,
            Effect::Latency { .. } => CallFault::Slow(hit.latency()),
            Effect::Crash(phase) => {
                if phase == Phase::Init {
                    self.interrupt(Some(&invoke.target), Interrupt::Warmth);
                }
                CallFault::Crash(phase)
            }
            _ => {
                self.interrupt(Some(&invoke.target), Interrupt::Warmth);
                return Fate::Goes(None);
            }
        };
        Fate::Goes(Some(fault))
    }

    fn sighted(&self, point: Point, operation: &str, invoke: &Invoke) -> Option<Hit> {
        let sighting =
            Sighting { point, service: "functions", operation, resource: "", function: &invoke.target.name };
        self.faults().hit(&sighting, dispatch::subject(invoke))
    }

    fn deliver_again(&self, invoke: &Invoke) {
        let id = InvocationId(format!("{}-again", invoke.id).into());
        let again = Invoke { id, ..invoke.clone() };
        let fate = self.fate_of_call(&again);
        // A refusal has been recorded, and nobody waits for it.
        let _ = self.begin(again, fate);
    }

    /// Whether a call that nobody waits for starts when everything else stands still.
    pub(crate) fn waits_for_turn(&self, invoke: &Invoke) -> bool {
        let asked = matches!(invoke.cause, Cause::Request(_));
        self.turns().are_kept() && invoke.mode == Mode::Queue && asked
    }

    pub(crate) fn deliver_in_turn(&self, invoke: Invoke) {
        let (turns, moving) = (self.turns().clone(), self.turns().moving());
        let name = format!("call {} {}", invoke.target, invoke.id);
        self.deliver_after(invoke, async move { Due::watched(turns.wait(name, moving).await) });
    }

    fn deliver_when_open(&self, invoke: Invoke) {
        let gate = self.gate().clone();
        self.deliver_after(invoke, async move {
            gate.opened().await;
            Due::unwatched()
        });
    }

    fn deliver_later(&self, invoke: Invoke, by: Duration) {
        let clock = &self.parts().clock;
        self.deliver_after(invoke, clock.until(clock.now().plus(by)));
    }

    /// Counts as under way meanwhile, but lets time pass.
    fn deliver_after(&self, invoke: Invoke, then: impl Future<Output = Due> + Send + 'static) {
        let (engine, cleared) = (self.clone(), self.gate().cleared());
        let work = Work::Invocation { id: invoke.id.clone(), function: invoke.target.clone() };
        let trace = settle::trace(&invoke.cause);
        let pending = self.settle().enter_waiting(&invoke.target.scope, trace, work);
        tokio::spawn(async move {
            let due = tokio::select! {
                // The gate may have been opened again since.
                biased;
                () = cleared => return,
                due = then => due,
            };
            let fate = engine.fate_of_call(&invoke);
            let _ = engine.begin(invoke, fate);
            drop((due, pending));
        });
    }
}
