//! One task per function: it owns the queue of calls and decides which instance runs which.
//!
//! Theory of operation. Everything that can happen is one [`Event`] in one mailbox, so there is one order of
//! things and no lock. Each revision that has calls or instances is a [`Pool`]. After every event
//! [`Dispatcher::pump`] gives waiting calls to idle instances (the most recently used first, so that spare
//! ones grow old and are reaped), then starts instances for calls that still wait, under the local cap. A
//! publish retires the newest pool: its waiting calls move to the new one, its idle instances stop, its busy
//! ones end their invocation and then stop, and so do those that were starting for a call.

mod call;
mod pool;

pub(crate) use call::Call;

use crate::face::Parts;
use crate::instance::{self, Order};
use mlemu_core::{BuildFailure, Built, InstanceId, Revision, Runtime};
use pool::{Build, Pool};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Everything a dispatcher can be told.
pub(crate) enum Event {
    Call(Call),
    Publish {
        revision: Arc<Revision>,
        client: Arc<dyn Runtime>,
        reload: bool,
    },
    Built {
        pool: u64,
        result: Result<Arc<Built>, BuildFailure>,
    },
    /// The instance can take a call.
    Free(InstanceId),
    /// The instance is no more; `returned` is a call that it never began.
    Gone {
        instance: InstanceId,
        returned: Option<Box<Call>>,
    },
    Reserve(Option<u32>),
    /// End everything now; the sender hears when it has ended.
    Stop(Option<oneshot::Sender<()>>),
}

pub(crate) struct Dispatcher {
    parts: Parts,
    mailbox: mpsc::UnboundedSender<Event>,
    pools: Vec<Pool>,
    next_pool: u64,
    reserved: Option<u32>,
    /// Alive, starting ones included; published for the views.
    instances: Arc<AtomicUsize>,
    /// Cancelled when everything must end at once.
    halt: CancellationToken,
}

impl Dispatcher {
    pub(crate) fn new(
        parts: Parts,
        mailbox: mpsc::UnboundedSender<Event>,
        instances: Arc<AtomicUsize>,
        reserved: Option<u32>,
    ) -> Self {
        let halt = CancellationToken::new();
        Self { parts, mailbox, pools: Vec::new(), next_pool: 1, reserved, instances, halt }
    }

    pub(crate) async fn run(mut self, mut events: mpsc::UnboundedReceiver<Event>) {
        while let Some(event) = events.recv().await {
            if let Event::Stop(stopped) = event {
                self.stop(events, stopped).await;
                return;
            }
            self.handle(event);
            self.pump();
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Call(call) => self.enqueue(call),
            Event::Publish { revision, client, reload } => self.publish(revision, client, reload),
            Event::Built { pool, result } => self.built(pool, result),
            Event::Free(instance) => {
                if let Some(pool) = self.pool_of(instance) {
                    pool.free(instance);
                }
            }
            Event::Gone { instance, returned } => self.gone(instance, returned),
            Event::Reserve(concurrency) => self.reserved = concurrency,
            Event::Stop(_) => {}
        }
    }

    fn enqueue(&mut self, call: Call) {
        let pool = match &call.pinned {
            None => self.pools.iter_mut().find(|pool| !pool.pinned && !pool.retired),
            Some(revision) => {
                let known = self.pools.iter().any(|pool| pool.pinned && pool.revision == *revision);
                if !known {
                    self.open_pool(revision.clone(), None, true);
                }
                self.pools.iter_mut().find(|pool| pool.pinned && pool.revision == *revision)
            }
        };
        // There is no newest pool only before the first publish, which comes before every call.
        let Some(pool) = pool else { return };
        pool.queue.push_back(call);
        if let Build::Failed = pool.build {
            let key = pool.key;
            self.build(key);
        }
    }

    fn publish(&mut self, revision: Arc<Revision>, client: Arc<dyn Runtime>, reload: bool) {
        let mut waiting = std::collections::VecDeque::new();
        let mut warm = false;
        for pool in self.pools.iter_mut().filter(|pool| !pool.pinned && !pool.retired) {
            // Not for one that is starting: if its own init made the change, it would go on for ever.
            warm |= reload && pool.has_been_free();
            waiting.append(&mut pool.retire());
        }
        let pool = self.open_pool(revision, Some(client), false);
        pool.queue = waiting;
        pool.warm = warm;
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
        self.pools.push(Pool::new(key, revision, client, pinned));
        self.build(key);
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

    fn built(&mut self, key: u64, result: Result<Arc<Built>, BuildFailure>) {
        let Some(pool) = self.pools.iter_mut().find(|pool| pool.key == key) else { return };
        match result {
            Ok(built) => pool.build = Build::Done(built),
            Err(failure) => {
                pool.build = Build::Failed;
                for call in pool.queue.drain(..) {
                    call.not_startable(&self.parts, &pool.revision, &failure);
                }
            }
        }
    }

    fn gone(&mut self, instance: InstanceId, returned: Option<Box<Call>>) {
        self.instances.fetch_sub(1, Ordering::AcqRel);
        if let Some(pool) = self.pool_of(instance) {
            pool.members.remove(&instance);
            pool.idle.retain(|idle| *idle != instance);
            let mut homeless = pool.orphans();
            // They waited longest: they go to the front, on whatever revision is the newest by now.
            while let Some(call) = homeless.pop_back() {
                self.put_back(call);
            }
        }
        if let Some(call) = returned {
            self.put_back(*call);
        }
        self.sweep();
    }

    fn put_back(&mut self, call: Call) {
        let to = self.pools.iter_mut().find(|pool| match &call.pinned {
            None => !pool.pinned && !pool.retired,
            Some(revision) => pool.pinned && pool.revision == *revision,
        });
        if let Some(pool) = to {
            pool.queue.push_front(call);
        }
    }

    /// Drops retired pools that have nobody left.
    fn sweep(&mut self) {
        self.pools.retain(|pool| !pool.retired || !pool.members.is_empty());
    }

    fn pool_of(&mut self, instance: InstanceId) -> Option<&mut Pool> {
        self.pools.iter_mut().find(|pool| pool.members.contains_key(&instance))
    }

    /// How many instances may live at once.
    fn cap(&self) -> usize {
        let local = self.parts.policy.local_cap.unwrap_or(usize::MAX);
        let reserved = self.reserved.map_or(usize::MAX, |limit| limit as usize);
        local.min(reserved)
    }

    fn pump(&mut self) {
        for index in 0..self.pools.len() {
            self.pools[index].assign();
            while self.pools[index].wants_instance() && self.room(index) {
                self.start(index);
            }
        }
    }

    /// Whether one more instance may start, making room from another pool's idle ones if need be.
    fn room(&mut self, index: usize) -> bool {
        if self.instances.load(Ordering::Acquire) < self.cap() {
            return true;
        }
        for (other, pool) in self.pools.iter_mut().enumerate() {
            if other != index && pool.stop_oldest_idle() {
                break;
            }
        }
        false
    }

    fn start(&mut self, index: usize) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let pool = &mut self.pools[index];
        let Build::Done(built) = &pool.build else { return };
        let id = InstanceId(NEXT.fetch_add(1, Ordering::Relaxed));
        let plan = instance::Plan {
            id,
            revision: pool.revision.clone(),
            client: pool.client.clone(),
            built: built.clone(),
        };
        let orders = instance::spawn(self.parts.clone(), plan, self.mailbox.clone(), self.halt.clone());
        pool.started(id, orders);
        self.instances.fetch_add(1, Ordering::AcqRel);
    }

    /// Halts every instance and waits for the last. Calls that never began are dropped, which their callers
    /// see as a refusal.
    async fn stop(
        mut self,
        mut events: mpsc::UnboundedReceiver<Event>,
        stopped: Option<oneshot::Sender<()>>,
    ) {
        self.halt.cancel();
        for pool in &mut self.pools {
            pool.queue.clear();
            drop(pool.retire());
        }
        while self.instances.load(Ordering::Acquire) > 0 {
            if let Some(Event::Gone { .. }) = events.recv().await {
                self.instances.fetch_sub(1, Ordering::AcqRel);
            }
        }
        if let Some(stopped) = stopped {
            let _ = stopped.send(());
        }
    }
}

/// What the pool says to an instance.
pub(crate) type Orders = mpsc::UnboundedSender<Order>;
