//! What an engine is made of, and how this machine runs functions where a cloud would decide otherwise.

use crate::conditions::Simulation;
use crate::ids::Ids;
use crate::journal::Journal;
use mlemu_core::{Build, Clock, Sandbox, Sink, Subject, What};
use std::sync::Arc;
use std::time::Duration;

/// What the engine is made of; the root package gives the real ones, tests give others.
#[derive(Clone)]
pub struct Parts {
    pub clock: Arc<dyn Clock>,
    pub ids: Ids,
    pub build: Arc<dyn Build>,
    pub sandbox: Arc<dyn Sandbox>,
    pub journal: Arc<Journal>,
    pub policy: Policy,
}

impl Parts {
    pub(crate) fn record(&self, subject: Subject, what: What) {
        self.journal.send(self.clock.now(), subject, what);
    }
}

/// How this machine runs functions where the cloud would decide otherwise.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Most instances of one function at once; `None` scales as the cloud does.
    pub local_cap: Option<usize>,
    /// How long an idle instance is kept where its product's profile does not say.
    pub keep_alive: Duration,
    /// How long after an invocation its instance is frozen. Zero-cost for calls that follow sooner.
    pub freeze_after: Duration,
    /// Invocations of all functions at once; more are throttled.
    pub account_concurrency: usize,
    /// Make a revision startable when it is published, not when it is first called.
    pub build_ahead: bool,
    /// Patterns of source files whose changes are no new code, as in `.gitignore`.
    pub watch_ignore: Vec<String>,
    /// What is made as it would be in the cloud.
    pub simulation: Simulation,
}

impl Policy {
    /// `cores`: how many instances of a function this machine can run without making each slower.
    pub fn local(cores: usize) -> Self {
        Self {
            local_cap: Some(cores.max(1)),
            keep_alive: Duration::from_mins(10),
            freeze_after: Duration::from_millis(20),
            account_concurrency: 1000,
            build_ahead: true,
            watch_ignore: Vec::new(),
            simulation: Simulation::default(),
        }
    }
}
