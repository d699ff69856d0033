//! One task per function: it owns the queue of calls and decides which instance runs which.
//!
//! Theory of operation. Everything that can happen is one [`Event`] in one mailbox, so there is one order of
//! things and no lock. Each revision that has calls or instances is a [`Pool`]. After every event
//! [`Dispatcher::pump`] gives waiting calls to idle instances (the most recently used first, so that spare
//! ones grow old and are reaped), then starts instances for calls that still wait, under the local cap. The
//! pool whose call waits longest comes first, and idle instances of others make room for it. An instance
//! that has just answered counts as one that takes a call in a moment: a caller who comes again at once
//! needs no second instance. It says so by a flag: a message more for each call would change nothing else.
//! A publish retires the newest pool: its waiting calls move to the new one, its idle instances stop, its busy
//! ones end their invocation and then stop.

mod call;
mod pool;

pub(crate) use call::{Call, dropped, subject};

use crate::conditions::Conditions;
use crate::instance::{self, Line, Order};
use crate::parts::Parts;
use mlemu_core::{BuildFailure, Due, InstanceId, Revision, Runtime};
use pool::{Build, Member, Pool, Startable};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Everything a dispatcher can be told.
pub(crate) enum Event {
    Call(Box<Call>),
    Publish {
        revision: Arc<Revision>,
        client: Arc<dyn Runtime>,
        why: Why,
    },
    Built {
        pool: u64,
        result: Result<Startable, BuildFailure>,
    },
    /// An instance has answered and is not free in a moment: it is not to be waited for.
    Lingers,
    /// The instance is through with its init and can take calls.
    Begins(InstanceId),
    /// The instance can take one more call; whether it was told before that this is not so in a moment.
    Free {
        instance: InstanceId,
        lingered: bool,
    },
    /// The instance is no more; `returned` are calls that it never began.
    Gone {
        instance: InstanceId,
        returned: VecDeque<Box<Call>>,
        /// What its end was due to, kept until it is known here.
        due: Option<Due>,
    },
    Reserve(Option<u32>),
    /// So many instances are there whether or not they are called.
    Provide(usize),
    /// Nobody can ask for this revision any more.
    Unpin(Arc<Revision>),
    /// End calls or instances.
    Interrupt(Interrupt),
    /// A publication is coming that the calls of the newest revision shall wait for.
    Hold,
    /// End everything now; the sender hears when it has ended.
    Stop(oneshot::Sender<()>),
}

/// Why there is a new revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Declared,
    /// Its source changed in place.
    Saved {
        /// While code of the function ran, whose own doing it may have been.
        while_running: bool,
    },
}

/// What is ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// Every call, at once: those that run with their instances, and those that wait.
    Calls,
    /// The same, but for those that have been answered: their instances are free in a moment, and stay warm.
    Unanswered,
    /// Every instance, as soon as it has no call: the next one is a cold start.
    Warmth,
}

pub(crate) struct Dispatcher {
    parts: Parts,
    mailbox: mpsc::UnboundedSender<Event>,
    pools: Vec<Pool>,
    next_pool: u64,
    reserved: Option<u32>,
    /// How many instances are there without being called.
    provided: usize,
    /// Alive, starting ones included; published for the views.
    instances: Arc<AtomicUsize>,
    /// Those that run the function's code; published for the watch.
    working: Arc<AtomicUsize>,
    /// Cancelled when everything must end at once.
    halt: CancellationToken,
}

impl Dispatcher {
    pub(crate) fn new(
        parts: Parts,
        mailbox: mpsc::UnboundedSender<Event>,
        instances: Arc<AtomicUsize>,
        working: Arc<AtomicUsize>,
        reserved: Option<u32>,
    ) -> Self {
        let halt = CancellationToken::new();
        Self {
            parts,
            mailbox,
            pools: Vec::new(),
            next_pool: 1,
            reserved,
            provided: 0,
            instances,
            working,
            halt,
        }
    }

    pub(crate) async fn run(mut self, mut events: mpsc::UnboundedReceiver<Event>) {
        while let Some(event) = events.recv().await {
            if let Some(stopped) = self.handle(event) {
                self.stop(events, stopped).await;
                return;
            }
            self.pump();
        }
    }

    /// `Some`: it was told to stop, and by whom.
    fn handle(&mut self, event: Event) -> Option<oneshot::Sender<()>> {
        match event {
            Event::Call(call) => {
                if let Some(pool) = self.pool_for(&call) {
                    pool.queue.push_back(call);
                }
            }
            Event::Publish { revision, client, why } => self.publish(revision, client, why),
            Event::Built { pool, result } => self.built(pool, result),
            Event::Lingers => {}
            Event::Begins(instance) => self.tell(instance, |pool| pool.begins(instance)),
            Event::Free { instance, lingered } => self.tell(instance, |pool| pool.free(instance, lingered)),
            Event::Gone { instance, returned, due } => {
                self.gone(instance, returned);
                drop(due);
            }
            Event::Reserve(concurrency) => self.reserved = concurrency,
            Event::Provide(instances) => self.provide(instances),
            Event::Unpin(revision) => self.unpin(&revision),
            Event::Interrupt(interrupt) => {
                self.pools.iter_mut().for_each(|pool| pool.interrupt(interrupt));
            }
            Event::Hold => {
                self.pools.iter_mut().filter(|pool| pool.serves(None)).for_each(|pool| pool.held = true);
            }
            Event::Stop(stopped) => return Some(stopped),
        }
        None
    }

    /// Those that were kept before are not kept any longer, nor are they ended.
    fn provide(&mut self, instances: usize) {
        self.provided = instances;
        let newest = self.pools.iter().find(|pool| pool.serves(None));
        if let (true, Some(Pool { build: Build::OnCall, key, .. })) = (instances > 0, newest) {
            self.build(*key);
        }
    }

    /// Calls that wait for it are still served.
    fn unpin(&mut self, revision: &Arc<Revision>) {
        for pool in self.pools.iter_mut().filter(|pool| pool.serves(Some(revision))) {
            if pool.queue.is_empty() {
                drop(pool.retire());
            } else {
                pool.interrupt(Interrupt::Warmth);
            }
        }
        self.sweep();
    }

    fn tell(&mut self, instance: InstanceId, news: impl FnOnce(&mut Pool)) {
        if let Some(pool) = self.pools.iter_mut().find(|pool| pool.members.contains_key(&instance)) {
            news(pool);
        }
    }

    /// Where a call waits; what is not built yet, or failed to be, is built for it. `None` only before the first
    /// publish, which comes before every call.
    fn pool_for(&mut self, call: &Call) -> Option<&mut Pool> {
        let pinned = call.pinned.as_ref();
        if let Some(revision) = pinned
            && !self.pools.iter().any(|pool| pool.serves(pinned))
        {
            self.open_pool(revision.clone(), None, true);
        }
        let index = self.pools.iter().position(|pool| pool.serves(pinned))?;
        if let Build::OnCall = self.pools[index].build {
            self.build(self.pools[index].key);
        }
        Some(&mut self.pools[index])
    }

    fn publish(&mut self, revision: Arc<Revision>, client: Arc<dyn Runtime>, why: Why) {
        let mut waiting = VecDeque::new();
        let mut warm = false;
        for pool in self.pools.iter_mut().filter(|pool| !pool.pinned && !pool.retired) {
            warm |= match why {
                Why::Declared => false,
                Why::Saved { while_running: false } => pool.warm || pool.has_been_free(),
                // If its own init made the change, one that no call asked for would go on for ever.
                Why::Saved { while_running: true } => pool.served,
            };
            waiting.append(&mut pool.retire());
        }
        let wanted = warm || !waiting.is_empty() || self.provided > 0;
        let pool = self.open_pool(revision, Some(client), false);
        pool.queue = waiting;
        pool.warm = warm;
        if let (true, Build::OnCall, key) = (wanted, &pool.build, pool.key) {
            self.build(key);
        }
        self.sweep();
    }

    fn open_pool(
        &mut self,
        revision: Arc<Revision>,
        client: Option<Arc<dyn Runtime>>,
        pinned: bool,
    ) -> &mut Pool {
        let key = self.next_pool;
        self.next_pool += 1;
        // A pinned revision speaks through the client of the function that it was pinned from.
        let client = client.or_else(|| self.pools.last().map(|pool| pool.client.clone()));
        let client = client.unwrap_or_else(|| unreachable!("the first pool is opened with a client"));
        self.pools.push(Pool::new(key, revision, client, pinned, self.working.clone()));
        if self.parts.policy.build_ahead {
            self.build(key);
        }
        let last = self.pools.len() - 1;
        &mut self.pools[last]
    }

    /// Starts making a pool's revision startable; the result comes back as an event.
    fn build(&mut self, key: u64) {
        let Some(pool) = self.pools.iter_mut().find(|pool| pool.key == key) else { return };
        pool.build = Build::Running;
        let work = pool::build(self.parts.clone(), pool.revision.clone(), pool.client.clone());
        let mailbox = self.mailbox.clone();
        let halt = self.halt.clone();
        tokio::spawn(async move {
            if let Some(result) = halt.run_until_cancelled(work).await {
                let _ = mailbox.send(Event::Built { pool: key, result });
            }
        });
    }

    fn built(&mut self, key: u64, result: Result<Startable, BuildFailure>) {
        let Some(pool) = self.pools.iter_mut().find(|pool| pool.key == key) else { return };
        match result {
            Ok(startable) => {
                pool.build = Build::Done(startable);
                // What they waited for so far was the build, which has records of its own.
                let now = self.parts.clock.elapsed();
                pool.queue.iter_mut().for_each(|call| call.startable = now);
            }
            Err(failure) => {
                pool.build = Build::OnCall;
                for call in pool.queue.drain(..) {
                    call.not_startable(&pool.revision, &failure);
                }
            }
        }
    }

    fn gone(&mut self, instance: InstanceId, returned: VecDeque<Box<Call>>) {
        self.instances.fetch_sub(1, Ordering::AcqRel);
        self.tell(instance, |pool| pool.gone(instance));
        let mut homeless = returned;
        homeless.extend(self.pools.iter_mut().flat_map(Pool::orphans));
        for call in homeless.into_iter().rev() {
            if let Some(pool) = self.pool_for(&call) {
                // It waited longest: it goes to the front, on whatever revision is the newest by now.
                pool.queue.push_front(call);
            }
        }
        self.sweep();
    }

    /// Drops retired pools that have nobody left.
    fn sweep(&mut self) {
        self.pools.retain(|pool| !pool.retired || !pool.members.is_empty());
    }

    /// How many instances may live at once.
    fn cap(&self) -> usize {
        let local = self.parts.policy.local_cap.unwrap_or(usize::MAX);
        // A reservation counts calls, and an instance takes several where its vendor says so.
        let capacity = self.pools.last().map_or(1, |pool| pool.capacity);
        let reserved = self.reserved.map_or(usize::MAX, |limit| (limit as usize).div_ceil(capacity));
        local.min(reserved)
    }

    fn alive(&self) -> usize {
        self.instances.load(Ordering::Acquire)
    }

    fn leaving(&self) -> usize {
        self.pools.iter().map(Pool::leaving).sum()
    }

    fn pump(&mut self) {
        // A reservation may have become lower than what lives.
        while self.alive() > self.cap().saturating_add(self.leaving()) && self.stop_an_idle_one(None) {}
        if self.pools.len() == 1 {
            return self.serve(0);
        }
        let mut order: Vec<_> = (0..self.pools.len()).collect();
        order.sort_by_key(|index| {
            let since = self.pools[*index].waits_since();
            (since.is_none(), since)
        });
        for index in order {
            self.serve(index);
        }
    }

    fn serve(&mut self, index: usize) {
        self.pools[index].assign();
        self.start_what_is_wanted(index);
    }

    /// Starts instances as far as there is room, and has others make room for what remains.
    fn start_what_is_wanted(&mut self, index: usize) {
        let mut short = self.pools[index].short_of();
        let provided = self.provided;
        while self.alive() < self.cap() && (short > 0 || self.pools[index].wants_warmth(provided)) {
            self.start(index);
            short = short.saturating_sub(1);
        }
        while short > self.leaving() && self.stop_an_idle_one(Some(index)) {}
    }

    /// `spared`: the pool that needs the room.
    fn stop_an_idle_one(&mut self, spared: Option<usize>) -> bool {
        let mut others = self.pools.iter_mut().enumerate().filter(|(index, _)| Some(*index) != spared);
        others.any(|(_, pool)| pool.stop_oldest_idle())
    }

    fn start(&mut self, index: usize) {
        // Worlds count their instances each for itself, and share the machine's folders.
        static SCRATCH: AtomicU64 = AtomicU64::new(1);
        let pool = &mut self.pools[index];
        let Build::Done(Startable { built, packed }) = &pool.build else { return };
        let id = InstanceId(self.parts.ids.next_instance());
        let provided = pool.lacks(self.provided);
        let profile = pool.client.profile(&pool.revision);
        let plan = instance::Plan {
            id,
            scratch: SCRATCH.fetch_add(1, Ordering::Relaxed),
            revision: pool.revision.clone(),
            client: pool.client.clone(),
            built: built.clone(),
            conditions: Conditions::of(&self.parts, &pool.revision, profile, *packed, provided),
        };
        let halt = self.halt.child_token();
        let line = Line::new(id, self.mailbox.clone());
        let answered = line.answered();
        let orders = instance::spawn(self.parts.clone(), plan, line, halt.clone());
        pool.started(id, Member::new(orders, answered, halt, provided));
        self.instances.fetch_add(1, Ordering::AcqRel);
    }

    /// Halts every instance and waits for the last. Calls that never began are dropped, which tells their
    /// callers.
    async fn stop(mut self, mut events: mpsc::UnboundedReceiver<Event>, stopped: oneshot::Sender<()>) {
        self.halt.cancel();
        for pool in &mut self.pools {
            pool.queue.clear();
            drop(pool.retire());
        }
        while self.alive() > 0 {
            if let Some(Event::Gone { .. }) = events.recv().await {
                self.instances.fetch_sub(1, Ordering::AcqRel);
            }
        }
        // Who calls from here on gets the call back; what was called before is dropped with the mailbox.
        drop(events);
        let _ = stopped.send(());
    }
}

/// What the pool says to an instance.
pub(crate) type Orders = mpsc::UnboundedSender<Order>;
