//! The face of the engine: declaring, changing and invoking functions.

use crate::admission::Admission;
use crate::care::Carers;
use crate::dispatch::{self, Call, Interrupt};
use crate::faults::{CallFault, Fate, Faults};
use crate::gate::Gate;
use crate::history::{self, History};
use crate::ids::Ids;
use crate::owed::Owed;
pub(crate) use crate::parts::Parts;
pub use crate::registry::Routes;
use crate::registry::{self, Registry};
use crate::settle::{self, Pending, Settle, Work};
use crate::turns::Turns;
use crate::watch::{self, Watch};
use mlemu_core::{
    Environment, FunctionId, Invoke, Limits, Mode, Outcome, Refusal, Reply, Revision, Runtime, Scope, Source,
    Subject, What,
};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::oneshot::{self, error::TryRecvError};

/// Real time in which an instance that has answered asks for more.
const MOMENT: Duration = Duration::from_millis(50);

/// A function as it shall be; publishing it makes a revision.
#[derive(Clone)]
pub struct Draft {
    pub id: FunctionId,
    /// What the vendor calls the newest revision, e.g. `$LATEST`.
    pub label: String,
    pub source: Source,
    pub runtime: String,
    pub handler: String,
    pub env: Environment,
    pub limits: Limits,
    /// Who speaks with its instances.
    pub client: Arc<dyn Runtime>,
    /// Where it was declared, for people.
    pub from: Option<String>,
    /// Watch the source folder and publish a new revision when it changes.
    pub watch: bool,
}

/// What there is to know of a function at this moment.
#[derive(Clone, Debug)]
pub struct FunctionView {
    pub id: FunctionId,
    pub latest: Arc<Revision>,
    /// Immutable revisions by their labels, oldest first.
    pub pinned: Vec<Arc<Revision>>,
    pub reserved: Option<u32>,
    pub instances: usize,
    pub in_flight: usize,
    /// Where it was declared, for people.
    pub from: Option<String>,
}

/// What came of asking to enter.
pub(crate) enum Admitted {
    WouldRun,
    /// The call is under way.
    Outcome {
        outcome: oneshot::Receiver<Box<Outcome>>,
        /// Whether its function was deleted.
        deleted: Arc<AtomicBool>,
        /// Counts the call as under way as long as anybody holds it.
        pending: Arc<Pending>,
    },
}

/// A cheap handle; clones share one engine.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    registry: Registry,
    admission: Arc<Admission>,
    watch: Watch,
    settle: Settle,
    history: History,
    faults: Faults,
    gate: Gate,
    turns: Turns,
    carers: Carers,
    owed: Owed,
}

/// The functions for the watch, which must not keep them alive.
struct Watched(Weak<Inner>);

impl watch::Functions for Watched {
    fn is_running(&self, id: &FunctionId) -> bool {
        let function = self.0.upgrade().and_then(|inner| inner.registry.get(id));
        function.is_some_and(|function| function.is_running())
    }

    fn hold(&self, id: &FunctionId) {
        if let Some(function) = self.0.upgrade().and_then(|inner| inner.registry.get(id)) {
            function.hold();
        }
    }

    fn reload(&self, id: &FunctionId, while_running: bool) {
        if let Some(inner) = self.0.upgrade() {
            inner.registry.republish(id, &inner.parts, while_running);
        }
    }
}

impl Engine {
    /// Must be called inside a tokio runtime.
    pub fn new(parts: Parts) -> Self {
        let admission = Arc::new(Admission::new(parts.policy.account_concurrency));
        let inner = Arc::new_cyclic(|this: &Weak<Inner>| {
            let watch = Watch::start(parts.clone(), Watched(this.clone()));
            let settle = Settle::default();
            let history = History::new(history::Limits::default(), settle.pulse().clone());
            let faults = Faults::new(parts.clock.clone(), parts.journal.clone());
            let (registry, gate) = (Registry::default(), Gate::default());
            let turns = Turns::new(parts.ids.clone(), settle.clone());
            let (carers, owed) = (Carers::default(), Owed::default());
            Inner { parts, registry, admission, watch, settle, history, faults, gate, turns, carers, owed }
        });
        Self { inner }
    }

    pub fn parts(&self) -> &Parts {
        &self.inner.parts
    }

    /// Where the ids of this engine's world come from.
    pub fn ids(&self) -> &Ids {
        &self.inner.parts.ids
    }

    /// What is under way. Whatever else can cause work is counted here too.
    pub fn settle(&self) -> &Settle {
        &self.inner.settle
    }

    /// What became of invocations.
    pub fn history(&self) -> &History {
        &self.inner.history
    }

    /// What tests want to go wrong.
    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// Whether anything starts a function by itself.
    pub fn gate(&self) -> &Gate {
        &self.inner.gate
    }

    /// Who acts by itself waits for its turn here.
    pub fn turns(&self) -> &Turns {
        &self.inner.turns
    }

    pub(crate) fn carers(&self) -> &Carers {
        &self.inner.carers
    }

    pub(crate) fn owed(&self) -> &Owed {
        &self.inner.owed
    }

    /// Makes `draft` the function's newest revision; the function exists from then on. Running invocations
    /// end on the code that they began with.
    pub fn publish(&self, draft: Draft) -> Arc<Revision> {
        let watched = draft.watch.then(|| draft.source.folder().to_owned());
        let id = draft.id.clone();
        let revision = self.inner.registry.publish(draft, &self.inner.parts);
        self.inner.watch.set(id, watched);
        revision
    }

    /// Says which parts of `whole` have names of their own from now on: calls of them go to its instances, whose
    /// runtime sees by the target which part is meant. Returns those that are parts no more.
    pub fn host(&self, whole: &FunctionId, parts: Vec<FunctionId>) -> Vec<FunctionId> {
        self.inner.registry.host(whole, parts)
    }

    /// The parts of a function, by name.
    pub fn parts_of(&self, whole: &FunctionId) -> Vec<FunctionId> {
        self.inner.registry.parts_of(whole)
    }

    /// Publishes the function's newest configuration again, e.g. since its code changed in place.
    /// `false`: there is no such function.
    pub fn republish(&self, id: &FunctionId) -> bool {
        self.inner.registry.republish(id, &self.inner.parts, false).is_some()
    }

    /// Keeps the newest revision, unchangeable, under `label`. `None`: there is no such function.
    pub fn pin(&self, id: &FunctionId, label: &str) -> Option<Arc<Revision>> {
        self.inner.registry.pin(id, label)
    }

    /// Forgets a kept revision and ends its instances when they have no call. `false`: there was none.
    pub fn unpin(&self, id: &FunctionId, label: &str) -> bool {
        self.inner.registry.unpin(id, label)
    }

    /// Lets `alias` stand for kept revisions of a function, or for nothing any more. `false`: there is no such
    /// function.
    pub fn lead(&self, id: &FunctionId, alias: &str, routes: Option<Routes>) -> bool {
        self.inner.registry.lead(id, alias, routes)
    }

    /// Forgets the function and stops its instances. `false`: there was none.
    pub fn delete(&self, id: &FunctionId) -> bool {
        self.inner.watch.set(id.clone(), None);
        self.inner.registry.delete(id, &self.inner.parts)
    }

    /// Ends calls or instances of one function, or of all. Returns before they have ended.
    pub fn interrupt(&self, only: Option<&FunctionId>, what: Interrupt) {
        self.inner.registry.interrupt(only, what);
    }

    /// Ends every call, whether it runs or waits, and completes when nothing is under way. What is begun from
    /// outside meanwhile is ended too. A call that was answered may end by itself, so that its instance stays warm.
    pub async fn quiesce(&self) {
        tokio::select! {
            () = self.end_calls(Interrupt::Unanswered) => {}
            () = self.inner.parts.clock.sleep(MOMENT) => self.end_calls(Interrupt::Calls).await,
        }
    }

    async fn end_calls(&self, what: Interrupt) {
        let which = settle::Which::Everything;
        let ended = self.inner.settle.pulse().until(|| {
            let settled = self.inner.settle.is_settled(&which);
            if !settled {
                self.inner.gate.clear();
                self.interrupt(None, what);
            }
            settled.then_some(())
        });
        ended.await;
    }

    /// Sets or lifts the reservation of concurrency. `false`: there is no such function.
    pub fn reserve(&self, id: &FunctionId, concurrency: Option<u32>) -> bool {
        self.inner.registry.reserve(id, concurrency)
    }

    /// From now on so many instances of the newest revision are there, whether or not they are called, as far as
    /// there is room for them. `false`: there is no such function.
    pub fn provide(&self, id: &FunctionId, instances: usize) -> bool {
        self.inner.registry.provide(id, instances)
    }

    pub fn function(&self, id: &FunctionId) -> Option<FunctionView> {
        self.inner.registry.get(id).map(|function| function.view())
    }

    /// All functions of a scope, by name.
    pub fn functions(&self, scope: &Scope) -> Vec<FunctionView> {
        let mut views = self.all_functions();
        views.retain(|view| *view.id.scope == *scope);
        views
    }

    /// All functions, by scope and name.
    pub fn all_functions(&self) -> Vec<FunctionView> {
        self.inner.registry.all()
    }

    /// Runs a function on an event. In [`Mode::Wait`] completes with the outcome.
    pub async fn invoke(&self, invoke: Invoke) -> Result<Reply, Refusal> {
        if self.waits_for_turn(&invoke) {
            let subject = dispatch::subject(&invoke);
            self.check(&invoke).inspect_err(|refusal| self.record_refusal(subject, refusal))?;
            self.deliver_in_turn(invoke);
            return Ok(Reply::Accepted);
        }
        let fault = match self.fate_of(&invoke) {
            fate if invoke.mode == Mode::Queue => return self.begin(invoke, fate),
            Fate::Goes(fault) => fault,
            Fate::Ends(answer) => return answer,
        };
        let target = invoke.target.clone();
        match self.admit_or_record(invoke, fault)? {
            Admitted::WouldRun => Ok(Reply::WouldRun),
            Admitted::Outcome { outcome, deleted, pending } => {
                drop(pending);
                outcome.await.map(Reply::Done).map_err(|_| dispatch::dropped(&deleted, &target))
            }
        }
    }

    /// A queued call that nobody cares for: it is tried once.
    pub(crate) fn begin_once(&self, invoke: Invoke, fate: Fate) -> Result<Reply, Refusal> {
        let fault = match fate {
            Fate::Goes(fault) => fault,
            Fate::Ends(answer) => return answer,
        };
        let target = invoke.target.clone();
        let Admitted::Outcome { mut outcome, deleted, .. } = self.admit_or_record(invoke, fault)? else {
            return Ok(Reply::WouldRun);
        };
        // The function may have been deleted between its admission and now.
        match outcome.try_recv() {
            Err(TryRecvError::Closed) => Err(dispatch::dropped(&deleted, &target)),
            _ => Ok(Reply::Accepted),
        }
    }

    /// The same as [`Engine::admit`]; the records hear of a refusal.
    pub(crate) fn admit_or_record(
        &self,
        invoke: Invoke,
        fault: Option<CallFault>,
    ) -> Result<Admitted, Refusal> {
        let subject = dispatch::subject(&invoke);
        self.admit(invoke, fault).inspect_err(|refusal| self.record_refusal(subject, refusal))
    }

    fn record_refusal(&self, subject: Subject, refusal: &Refusal) {
        self.inner.parts.record(subject, What::Refused { why: refusal.to_string() });
    }

    /// Checks a call against the function's state and limits.
    fn check(&self, invoke: &Invoke) -> Result<(Arc<registry::Function>, Option<Arc<Revision>>), Refusal> {
        let Some(function) = self.inner.registry.get(&invoke.target) else {
            return Err(Refusal::NoFunction { name: invoke.target.name.to_string() });
        };
        let pinned = function
            .pinned(&self.inner.parts.ids, invoke.qualifier.as_deref())
            .map_err(|qualifier| Refusal::NoRevision { name: invoke.target.name.to_string(), qualifier })?;
        let limits = function.limits();
        let limit = if invoke.mode == Mode::Queue { limits.queued_request } else { limits.request };
        let size = invoke.payload.len() as u64;
        if size > limit {
            return Err(Refusal::TooLarge { size, limit });
        }
        Ok((function, pinned))
    }

    /// Checks a call, and hands it to the function.
    pub(crate) fn admit(&self, invoke: Invoke, fault: Option<CallFault>) -> Result<Admitted, Refusal> {
        let (function, pinned) = self.check(&invoke)?;
        if invoke.mode == Mode::DryRun {
            return Ok(Admitted::WouldRun);
        }
        let permit = self.inner.admission.enter(&function.in_flight, function.reserved(), invoke.mode);
        let permit = Some(permit.map_err(Refusal::Throttled)?);
        let (done, outcome) = oneshot::channel();
        let parts = self.inner.parts.clone();
        let arrived = parts.clock.elapsed();
        let work = Work::Invocation { id: invoke.id.clone(), function: invoke.target.clone() };
        let pending = self.inner.settle.enter(&invoke.target.scope, settle::trace(&invoke.cause), work);
        let pending = Arc::new(pending);
        let past = self.inner.history.arrive(&invoke, parts.clock.now());
        function.call(Box::new(Call {
            parts,
            history: self.inner.history.clone(),
            past,
            pending: pending.clone(),
            invoke,
            pinned,
            moved: 0,
            arrived,
            startable: arrived,
            done: Some(done),
            permit,
            deleted: function.deleted.clone(),
            fault,
        }));
        Ok(Admitted::Outcome { outcome, deleted: function.deleted.clone(), pending })
    }

    /// Stops every function and completes when no instance is left.
    pub async fn shutdown(&self) {
        self.inner.watch.stop();
        self.inner.registry.shutdown().await;
    }
}
