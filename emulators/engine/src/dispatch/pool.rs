//! The calls and instances of one revision.

use super::{Call, Orders};
use crate::face::Parts;
use crate::instance::Order;
use mlemu_core::{BuildFailure, Built, InstanceId, Revision, Runtime, Subject, What};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Whether the revision can start.
pub(super) enum Build {
    Running,
    Done(Arc<Built>),
    /// The next call tries again.
    Failed,
}

pub(super) struct Pool {
    pub(super) key: u64,
    pub(super) revision: Arc<Revision>,
    pub(super) client: Arc<dyn Runtime>,
    /// Serves calls that ask for this revision, and no others.
    pub(super) pinned: bool,
    /// Takes no more calls.
    pub(super) retired: bool,
    pub(super) build: Build,
    pub(super) queue: VecDeque<Call>,
    pub(super) members: HashMap<InstanceId, Member>,
    /// Longest idle first.
    pub(super) idle: Vec<InstanceId>,
    /// Start an instance before the first call: the revision before had some.
    pub(super) warm: bool,
}

pub(super) struct Member {
    orders: Orders,
    /// Has not yet been free for the first time.
    starting: bool,
    /// Was told to stop.
    stopping: bool,
}

impl Pool {
    pub(super) fn new(key: u64, revision: Arc<Revision>, client: Arc<dyn Runtime>, pinned: bool) -> Self {
        Self {
            key,
            revision,
            client,
            pinned,
            retired: false,
            build: Build::Running,
            queue: VecDeque::new(),
            members: HashMap::new(),
            idle: Vec::new(),
            warm: false,
        }
    }

    pub(super) fn started(&mut self, id: InstanceId, orders: Orders) {
        self.warm = false;
        self.members.insert(id, Member { orders, starting: true, stopping: false });
    }

    pub(super) fn free(&mut self, id: InstanceId) {
        if let Some(member) = self.members.get_mut(&id) {
            member.starting = false;
            self.idle.push(id);
        }
        if self.retired {
            self.assign();
            self.stop_idle();
        }
    }

    /// Whether an instance has come through its init.
    pub(super) fn has_been_free(&self) -> bool {
        self.members.values().any(|member| !member.starting)
    }

    /// Hands waiting calls to idle instances.
    pub(super) fn assign(&mut self) {
        while !self.queue.is_empty() {
            let Some(id) = self.idle.pop() else { return };
            let Some(call) = self.queue.pop_front() else { return };
            if let Some(member) = self.members.get(&id)
                && let Err(lost) = member.orders.send(Order::Run(call))
                && let Order::Run(call) = lost.0
            {
                // It ended this very moment; its `Gone` is on the way.
                self.queue.push_front(call);
            }
        }
    }

    /// Whether calls wait that no starting instance will take.
    pub(super) fn wants_instance(&self) -> bool {
        let Build::Done(_) = self.build else { return false };
        let starting = self.members.values().filter(|member| member.starting).count();
        !self.retired && (self.queue.len() > starting || (self.warm && self.members.is_empty()))
    }

    /// No new calls from now on. Idle instances stop, busy ones when they are done, and starting ones when they
    /// have served the calls that they were started for: a function whose init touches its own source would
    /// otherwise never run. Returns the calls that wait for nobody here.
    pub(super) fn retire(&mut self) -> VecDeque<Call> {
        self.retired = true;
        let mut promised = self.queue.len();
        for member in self.members.values_mut() {
            if member.starting && promised > 0 {
                promised -= 1;
                continue;
            }
            member.stop();
        }
        self.idle.clear();
        self.orphans()
    }

    /// Takes the calls out that no instance of a retired pool will serve.
    pub(super) fn orphans(&mut self) -> VecDeque<Call> {
        if !self.retired {
            return VecDeque::new();
        }
        let staying = self.members.values().filter(|member| !member.stopping).count();
        self.queue.split_off(staying.min(self.queue.len()))
    }

    pub(super) fn stop_oldest_idle(&mut self) -> bool {
        if self.idle.is_empty() {
            return false;
        }
        let id = self.idle.remove(0);
        self.members.get_mut(&id).is_some_and(Member::stop)
    }

    fn stop_idle(&mut self) {
        while self.stop_oldest_idle() {}
    }
}

impl Member {
    /// Whether it was still there to hear it.
    fn stop(&mut self) -> bool {
        self.stopping = true;
        self.orders.send(Order::Stop).is_ok()
    }
}

/// Makes a revision startable, saying how it goes.
pub(super) async fn build(
    parts: Parts,
    revision: Arc<Revision>,
    client: Arc<dyn Runtime>,
) -> Result<Arc<Built>, BuildFailure> {
    let subject = Subject {
        function: Some(revision.function.clone()),
        revision: Some(revision.label.as_str().into()),
        ..Subject::default()
    };
    let result = match client.needs(&revision) {
        Ok(needs) => {
            let (told, subject) = (parts.clone(), subject.clone());
            parts.build.build(needs, Arc::new(move |what| told.record(subject.clone(), what))).await
        }
        Err(unsupported) => Err(BuildFailure { why: unsupported.why, hint: unsupported.hint }),
    };
    match &result {
        Ok(built) => {
            for warning in &built.warnings {
                parts.record(subject.clone(), What::Warning { text: warning.clone() });
            }
        }
        Err(failure) => parts.record(subject, What::BuildFailed { why: failure.to_string() }),
    }
    result
}
