//! The face of the engine: declaring, changing and invoking functions.
use crate::journal::Journal;
use mlemu_core::{
    Build, Clock, Environment, FunctionId, Invoke, Limits, Refusal, Reply, Revision, Runtime, Sandbox, Scope,
    Source,
};
use std::sync::Arc;

/// What the engine is made of; the root package gives the real ones, tests give others.
#[derive(Clone)]
pub struct Parts {
    pub clock: Arc<dyn Clock>,
    pub build: Arc<dyn Build>,
    pub sandbox: Arc<dyn Sandbox>,
    pub journal: Arc<Journal>,
}

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

/// A cheap handle; clones share one engine.
#[derive(Clone)]
pub struct Engine {
    parts: Parts,
}

impl Engine {
    pub fn new(parts: Parts) -> Self {
        Self { parts }
    }

    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Makes `draft` the function's newest revision; the function exists from then on. Running invocations
    /// end on the code that they began with.
    pub fn publish(&self, draft: Draft) -> Arc<Revision> {
        let _ = draft;
        unreachable!("being written")
    }

    /// Keeps the newest revision, unchangeable, under `label`. `None`: there is no such function.
    pub fn pin(&self, id: &FunctionId, label: &str) -> Option<Arc<Revision>> {
        let _ = (id, label);
        unreachable!("being written")
    }

    /// Forgets the function and stops its instances. `false`: there was none.
    pub fn delete(&self, id: &FunctionId) -> bool {
        let _ = id;
        unreachable!("being written")
    }

    /// Sets or lifts the reservation of concurrency. `false`: there is no such function.
    pub fn reserve(&self, id: &FunctionId, concurrency: Option<u32>) -> bool {
        let _ = (id, concurrency);
        unreachable!("being written")
    }

    pub fn function(&self, id: &FunctionId) -> Option<FunctionView> {
        let _ = id;
        unreachable!("being written")
    }

    /// All functions of a scope, by name.
    pub fn functions(&self, scope: &Scope) -> Vec<FunctionView> {
        let _ = scope;
        unreachable!("being written")
    }

    /// Runs a function on an event. In [`mlemu_core::Mode::Wait`] completes with the outcome.
    #[expect(clippy::unused_async, reason = "being written")]
    pub async fn invoke(&self, invoke: Invoke) -> Result<Reply, Refusal> {
        let _ = invoke;
        unreachable!("being written")
    }
}
