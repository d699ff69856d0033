//! The calls and instances of one revision.

use super::{Call, Interrupt, Orders};
use crate::conditions;
use crate::instance::{Answered, Order};
use crate::parts::Parts;
use futures_util::FutureExt;
use mlemu_core::{BuildFailure, Built, InstanceId, Revision, Runtime, Subject, What};
use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A call that a reload has moved so often waits for the instance that is starting.
const MOST_MOVES: u32 = 1;

/// So many instances more are started for those that ended before they had a call.
const SECOND_CHANCES: usize = 3;

/// Whether the revision can start.
pub(super) enum Build {
    /// The next call starts it: nobody needed it yet, or it failed.
    OnCall,
    Running,
    Done(Startable),
}

/// What instances are started from.
pub(crate) struct Startable {
    pub(super) built: Arc<Built>,
    /// Bytes of its zipped package, where they are known.
    pub(super) packed: Option<u64>,
}

pub(super) struct Pool {
    pub(super) key: u64,
    pub(super) revision: Arc<Revision>,
    pub(super) client: Arc<dyn Runtime>,
    /// Serves calls that ask for this revision, and no others.
    pub(super) pinned: bool,
    /// Takes no more calls.
    pub(super) retired: bool,
    /// Its calls wait: a newer revision comes in a moment.
    pub(super) held: bool,
    pub(super) build: Build,
    pub(super) queue: VecDeque<Box<Call>>,
    pub(super) members: HashMap<InstanceId, Member>,
    /// Those with a free place, longest unused first.
    spare: Vec<InstanceId>,
    /// How many calls a member takes at a time.
    pub(super) capacity: usize,
    /// How many were started ahead of calls since the last one: those that end by themselves are not started for ever.
    ahead: usize,
    /// Start an instance before the first call: the revision before had some.
    pub(super) warm: bool,
    /// A call has been handed to one of its instances.
    pub(super) served: bool,
    /// Instances of the function that run its code.
    working: Arc<AtomicUsize>,
}

pub(super) struct Member {
    orders: Orders,
    doing: Doing,
    at_work: Option<AtWork>,
    /// Of the calls that it is busy with. It counts them itself.
    answered: Arc<Answered>,
    /// It was told to stop once its calls have ended.
    leaves: bool,
    /// Ends it at once.
    halt: CancellationToken,
    /// It is kept however long nobody calls it.
    provided: bool,
}

impl Member {
    pub(super) fn new(
        orders: Orders,
        answered: Arc<Answered>,
        halt: CancellationToken,
        provided: bool,
    ) -> Self {
        Self { orders, doing: Doing::Starting, at_work: None, answered, leaves: false, halt, provided }
    }

    /// How many calls it takes in a moment.
    fn soon_free(&self, capacity: usize) -> usize {
        match self.doing {
            Doing::Starting => capacity,
            Doing::Serving(calls) => calls.min(self.answered.count()),
            Doing::Leaving => 0,
        }
    }

    /// Whether it is to end.
    fn ends(&self) -> bool {
        self.leaves || self.doing == Doing::Leaving
    }

    /// Whether it may get calls, now or when others have ended.
    fn stays(&self) -> bool {
        matches!(self.doing, Doing::Serving(_)) && !self.leaves
    }

    fn is_idle(&self) -> bool {
        self.doing == Doing::Serving(0)
    }

    fn turn(&mut self, to: Doing, working: &Arc<AtomicUsize>) {
        self.doing = to;
        let works = !matches!(to, Doing::Serving(0) | Doing::Leaving);
        if works != self.at_work.is_some() {
            self.at_work = works.then(|| AtWork::begin(working));
        }
    }
}

/// Counts its member among those that run code of the function.
struct AtWork(Arc<AtomicUsize>);

impl AtWork {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count.clone())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a member does, as far as the dispatcher was told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Starting,
    /// So many calls, each until its process has asked for more, which is a little after its answer.
    Serving(usize),
    /// It was told to stop and has nothing left to do.
    Leaving,
}

impl Pool {
    pub(super) fn new(
        key: u64,
        revision: Arc<Revision>,
        client: Arc<dyn Runtime>,
        pinned: bool,
        working: Arc<AtomicUsize>,
    ) -> Self {
        let keeping = client.keeping(&revision);
        Self {
            key,
            revision,
            client,
            pinned,
            retired: false,
            held: false,
            build: Build::OnCall,
            queue: VecDeque::new(),
            members: HashMap::new(),
            spare: Vec::new(),
            capacity: keeping.concurrency.max(1),
            ahead: 0,
            warm: false,
            served: false,
            working,
        }
    }

    /// Whether calls belong here that ask for this pinned revision, or for the newest.
    pub(super) fn serves(&self, pinned: Option<&Arc<Revision>>) -> bool {
        match pinned {
            None => !self.pinned && !self.retired,
            Some(revision) => self.pinned && self.revision == *revision,
        }
    }

    pub(super) fn started(&mut self, id: InstanceId, mut member: Member) {
        self.warm = false;
        self.ahead += usize::from(self.queue.is_empty());
        member.turn(Doing::Starting, &self.working);
        self.members.insert(id, member);
    }

    pub(super) fn begins(&mut self, id: InstanceId) {
        let Some(member) = self.members.get_mut(&id) else { return };
        if member.doing == Doing::Starting {
            member.turn(Doing::Serving(0), &self.working);
            self.has_room(id);
        }
    }

    pub(super) fn free(&mut self, id: InstanceId, lingered: bool) {
        let Some(member) = self.members.get_mut(&id) else { return };
        if !lingered {
            member.answered.one_less();
        }
        let Doing::Serving(calls) = member.doing else { return };
        member.turn(Doing::Serving(calls.saturating_sub(1)), &self.working);
        match (member.leaves, member.is_idle()) {
            (false, _) => self.has_room(id),
            (true, true) => member.turn(Doing::Leaving, &self.working),
            (true, false) => {}
        }
    }

    /// A member was used just now and can take a call.
    fn has_room(&mut self, id: InstanceId) {
        if self.capacity > 1 {
            self.spare.retain(|spare| *spare != id);
        }
        self.spare.push(id);
        if self.retired {
            self.assign();
            while self.stop_oldest_idle() {}
        }
    }

    pub(super) fn gone(&mut self, id: InstanceId) {
        self.members.remove(&id);
        self.spare.retain(|spare| *spare != id);
    }

    /// Hands waiting calls to instances with a free place.
    pub(super) fn assign(&mut self) {
        while !self.held && !self.queue.is_empty() {
            let Some(id) = self.spare.pop() else { return };
            let Some(member) = self.members.get_mut(&id) else { continue };
            let Doing::Serving(calls) = member.doing else { continue };
            let Some(mut call) = self.queue.pop_front() else { return };
            if let Some(permit) = &mut call.permit {
                permit.begin();
            }
            member.turn(Doing::Serving(calls + 1), &self.working);
            if calls + 1 < self.capacity {
                self.spare.push(id);
            }
            self.served = true;
            self.ahead = 0;
            if let Err(lost) = member.orders.send(Order::Run(call))
                && let Order::Run(call) = lost.0
            {
                // It ended this very moment; its `Gone` is on the way.
                member.turn(Doing::Leaving, &self.working);
                self.queue.push_front(call);
            }
        }
    }

    /// When the call came that waits longest, on the clock's monotonic side.
    pub(super) fn waits_since(&self) -> Option<Duration> {
        self.queue.front().map(|call| call.arrived)
    }

    /// How many calls wait that no instance will take in a moment.
    pub(super) fn short_of(&self) -> usize {
        if self.retired || self.held || !matches!(self.build, Build::Done(_)) {
            return 0;
        }
        match self.queue.len() {
            0 => 0,
            waiting => {
                let soon = self.members.values().map(|member| member.soon_free(self.capacity));
                waiting.saturating_sub(soon.sum()).div_ceil(self.capacity)
            }
        }
    }

    /// Whether an instance shall start although no call waits.
    pub(super) fn wants_warmth(&self, provided: usize) -> bool {
        let most = provided + SECOND_CHANCES;
        let wanted = (self.warm && self.members.is_empty()) || (self.lacks(provided) && self.ahead < most);
        wanted && !self.retired && matches!(self.build, Build::Done(_))
    }

    /// Whether it has fewer than that many instances which are kept.
    pub(super) fn lacks(&self, provided: usize) -> bool {
        let kept = |member: &&Member| member.provided && !member.ends();
        !self.pinned && self.members.values().filter(kept).count() < provided
    }

    /// Whether an instance of it got through its init.
    pub(super) fn has_been_free(&self) -> bool {
        self.members.values().any(|member| !matches!(member.doing, Doing::Starting | Doing::Leaving))
    }

    /// How many members will be gone in a moment.
    pub(super) fn leaving(&self) -> usize {
        self.members.values().filter(|member| member.doing == Doing::Leaving).count()
    }

    /// No more calls: idle and starting instances stop now, busy ones when they are done. Returns the calls that
    /// move on. A call that had to move too often stays with an instance that is starting for it: a function
    /// whose init touches its own source would otherwise never run.
    pub(super) fn retire(&mut self) -> VecDeque<Box<Call>> {
        self.retired = true;
        self.held = false;
        self.spare.clear();
        let starting = self.members.values().filter(|member| member.doing == Doing::Starting).count();
        let mut moving = VecDeque::new();
        for mut call in std::mem::take(&mut self.queue) {
            if call.moved >= MOST_MOVES && self.queue.len() < starting {
                self.queue.push_back(call);
            } else {
                call.moved += u32::from(starting > 0);
                moving.push_back(call);
            }
        }
        let mut promised = self.queue.len();
        for member in self.members.values_mut() {
            if member.doing == Doing::Starting && promised > 0 {
                promised -= 1;
                continue;
            }
            let _ = member.orders.send(Order::Stop);
            if matches!(member.doing, Doing::Starting | Doing::Serving(0)) {
                member.turn(Doing::Leaving, &self.working);
            }
            member.leaves = true;
        }
        moving
    }

    /// Takes the calls out that no instance of a retired pool will serve any more.
    pub(super) fn orphans(&mut self) -> VecDeque<Box<Call>> {
        if !self.retired {
            return VecDeque::new();
        }
        let starting = self.members.values().filter(|member| member.doing == Doing::Starting).count();
        self.queue.split_off(starting.min(self.queue.len()))
    }

    pub(super) fn interrupt(&mut self, what: Interrupt) {
        if matches!(what, Interrupt::Calls | Interrupt::Unanswered) {
            self.queue.clear();
        }
        for member in self.members.values_mut() {
            let answered = member.answered.count();
            match (what, member.doing) {
                (Interrupt::Unanswered, Doing::Serving(calls)) if calls <= answered => {}
                (Interrupt::Warmth, Doing::Serving(0) | Doing::Starting)
                | (Interrupt::Calls | Interrupt::Unanswered, Doing::Serving(1..)) => {
                    member.halt.cancel();
                    member.turn(Doing::Leaving, &self.working);
                }
                (Interrupt::Warmth, Doing::Serving(_)) => {
                    let _ = member.orders.send(Order::Stop);
                    member.leaves = true;
                }
                _ => {}
            }
        }
        let members = &self.members;
        self.spare.retain(|id| members.get(id).is_some_and(Member::stays));
    }

    pub(super) fn stop_oldest_idle(&mut self) -> bool {
        let members = &self.members;
        let idle = |id: &InstanceId| members.get(id).is_some_and(Member::is_idle);
        let Some(place) = self.spare.iter().position(idle) else { return false };
        let id = self.spare.remove(place);
        if let Some(member) = self.members.get_mut(&id) {
            member.turn(Doing::Leaving, &self.working);
            let _ = member.orders.send(Order::Stop);
        }
        true
    }
}

/// Makes a revision startable, saying how it goes.
pub(super) async fn build(
    parts: Parts,
    revision: Arc<Revision>,
    client: Arc<dyn Runtime>,
) -> Result<Startable, BuildFailure> {
    let subject = Subject {
        function: Some(revision.function.clone()),
        revision: Some(revision.label.as_str().into()),
        ..Subject::default()
    };
    let began = parts.clock.elapsed();
    let said_something = Arc::<AtomicBool>::default();
    let mut packed = None;
    let result = match client.needs(&revision) {
        Ok(needs) => {
            let weighed = needs.clone();
            let (told, subject, said) = (parts.clone(), subject.clone(), said_something.clone());
            let progress = move |what| {
                said.store(true, Ordering::Relaxed);
                told.record(subject.clone(), what);
            };
            let work = parts.build.build(needs, Arc::new(progress));
            // Calls wait for this result: it must come, whatever happens.
            let built = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
                Err(BuildFailure { why: "the build broke off: this is a fault of mlemu".into(), hint: None })
            });
            if built.is_ok() {
                packed = conditions::packed(&parts, &revision, weighed).await;
            }
            built
        }
        Err(unsupported) => Err(BuildFailure { why: unsupported.why, hint: unsupported.hint }),
    };
    match &result {
        Ok(built) => {
            if said_something.load(Ordering::Relaxed) {
                let took = parts.clock.elapsed().saturating_sub(began);
                parts.record(subject.clone(), What::Built { took });
            }
            for warning in &built.warnings {
                parts.record(subject.clone(), What::Warning { text: warning.clone() });
            }
        }
        Err(failure) => parts.record(subject, What::BuildFailed { why: failure.to_string() }),
    }
    result.map(|built| Startable { built, packed })
}
