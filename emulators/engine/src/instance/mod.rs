//! One task per instance: it owns a sandbox, a runtime session and the invocations in flight.
//!
//! Its life is `Starting -> Init -> Idle <-> Busy -> Gone`. It alone changes its state; the dispatcher hears
//! of it by events and gives orders. An invocation is completed by its [`flight`], which this task drives, and
//! by nobody else, so it is completed once, however the process ends.

mod alarm;
mod flight;
mod line;
mod log;
mod process;

use crate::conditions::Conditions;
use crate::dispatch::Call;
use crate::parts::Parts;
use crate::settle::Pending;
use alarm::{Alarm, Emulated, Real};
use flight::{Deadline, Landed};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
pub(crate) use line::{Answered, Line};
use log::Log;
use mlemu_core::outcome::{Init, Phase};
use mlemu_core::{Boxed, Built, Due, FunctionFailure, InstanceId, Keeping, Revision, Runtime, Subject, What};
use process::{Process, Trouble};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What an instance is made from.
pub(crate) struct Plan {
    pub(crate) id: InstanceId,
    /// Names its scratch folder among those of all worlds.
    pub scratch: u64,
    pub(crate) revision: Arc<Revision>,
    pub(crate) client: Arc<dyn Runtime>,
    pub(crate) built: Arc<Built>,
    pub(crate) conditions: Conditions,
}

pub(crate) enum Order {
    Run(Box<Call>),
    /// Take no more calls; end when those in flight have ended.
    Stop,
}

struct Instance {
    parts: Parts,
    plan: Arc<Plan>,
    keeping: Keeping,
    log: Arc<Log>,
    /// None before the start and after a crash: the next invocation starts it again, inside its own time.
    process: Option<Arc<Process>>,
    /// Stopped, or being stopped.
    frozen: bool,
    /// An init that no invocation has told of yet.
    untold: Option<Init>,
    /// How long the init phase took, whether or not it failed; the first call may have waited for it.
    startup: Duration,
    /// It has had a call.
    used: bool,
    /// Highest memory known so far, in bytes.
    peak_memory: u64,
    /// Until it has been idle for too long.
    keep: Alarm<Emulated>,
    /// What the last call had under way: over only when it is settled until when the instance is kept, so that no
    /// advance of the clock gets in between.
    pending: Option<Arc<Pending>>,
    /// Kept from one use to the next.
    alarms: Vec<Alarm<Real>>,
    flights: FuturesUnordered<Boxed<'static, Landed>>,
    orders: mpsc::UnboundedReceiver<Order>,
    /// It was told to take no more calls.
    retired: bool,
    halt: CancellationToken,
    /// Dropped last: it says that all of the above is gone.
    line: Line,
}

/// Starts the task. `halt` ends it at once, whatever it does.
pub(crate) fn spawn(
    parts: Parts,
    plan: Plan,
    line: Line,
    halt: CancellationToken,
) -> mpsc::UnboundedSender<Order> {
    let (sender, orders) = mpsc::unbounded_channel();
    let log = Arc::new(Log::new(parts.clone(), plan.client.clone(), subject(&plan)));
    let instance = Instance {
        line,
        keep: Alarm::new(Emulated(parts.clock.clone())),
        pending: None,
        alarms: Vec::new(),
        flights: FuturesUnordered::new(),
        keeping: plan.client.keeping(&plan.revision),
        parts,
        plan: Arc::new(plan),
        log,
        process: None,
        frozen: false,
        untold: None,
        startup: Duration::ZERO,
        used: false,
        peak_memory: 0,
        orders,
        retired: false,
        halt,
    };
    tokio::spawn(instance.live());
    sender
}

fn subject(plan: &Plan) -> Subject {
    Subject {
        function: Some(plan.revision.function.clone()),
        revision: Some(plan.revision.label.as_str().into()),
        instance: Some(plan.id),
        ..Subject::default()
    }
}

/// What comes next in the life of an instance.
enum Next {
    Call(Box<Call>),
    Landed(Landed),
    Retire,
    End(String),
}

impl Instance {
    async fn live(mut self) {
        let why = match self.first_init().await {
            Some(why) => why,
            None => self.serve().await,
        };
        self.end(why).await;
    }

    /// The init phase before the first call. A failed one is repeated inside that call. `Some`: end instead.
    async fn first_init(&mut self) -> Option<String> {
        let Self { parts, plan, log, orders, halt, .. } = self;
        let stop = async {
            tokio::select! {
                () = halt.cancelled() => {}
                // Nothing but `Stop` is ordered before it begins.
                _ = orders.recv() => {}
            }
        };
        let limit = plan.revision.limits.init;
        let (init, started) = process::init(parts, plan, log, limit, Phase::Init, stop).await;
        self.startup = init.duration + plan.conditions.pause();
        match started {
            Ok(process) => {
                self.untold = Some(init);
                self.process = Some(Arc::new(process));
            }
            Err(Trouble { failure: FunctionFailure::Stopped, .. }) => {
                let why = if self.halt.is_cancelled() { "stopped" } else { "replaced" };
                return Some(format!("{why} while starting"));
            }
            Err(trouble) => self.peak_memory = trouble.peak_memory,
        }
        None
    }

    async fn serve(&mut self) -> String {
        self.line.voice.begins();
        loop {
            let next = if self.flights.is_empty() { self.rest().await } else { self.watch().await };
            match next {
                Next::Call(call) => self.take_off(call).await,
                Next::Landed(landed) => self.land(landed),
                Next::Retire => self.retired = true,
                Next::End(why) => return why,
            }
        }
    }

    /// Waits for the next order while calls are in flight.
    async fn watch(&mut self) -> Next {
        tokio::select! {
            biased;
            Some(landed) = self.flights.next() => Next::Landed(landed),
            order = self.orders.recv(), if !self.retired => ordered(order),
        }
    }

    /// Waits for the next order while there is nothing to do; meanwhile freezes the process and, much later,
    /// gives up.
    async fn rest(&mut self) -> Next {
        if self.retired {
            let why = if self.process.is_some() { "replaced" } else { "its process has ended" };
            return Next::End(why.into());
        }
        let ended = self.process.as_ref().map(|process| process.ended());
        let ended = async {
            match ended {
                Some(ended) => ended.await,
                None => std::future::pending().await,
            }
        };
        let mut alarm = self.alarm();
        let next = {
            let idle = idle(
                self.process.as_deref().filter(|_| self.keeping.freezes),
                &mut self.frozen,
                &self.parts,
                self.plan.conditions.keep.map(|keep| (keep, &mut self.keep)),
                &mut alarm,
            );
            tokio::pin!(idle);
            let over = idle.as_mut().now_or_never();
            self.pending = None;
            let idle = async move {
                match over {
                    Some(due) => due,
                    None => idle.await,
                }
            };
            tokio::select! {
                biased;
                () = self.halt.cancelled() => Next::End("stopped".into()),
                // Before the orders: a call that has just come goes to another instance, not to a dead process.
                ending = ended => Next::End(format!("the process ended while idle: {ending:?}")),
                order = self.orders.recv() => match ordered(order) {
                    Next::Retire => Next::End("replaced".into()),
                    next => next,
                },
                due = idle => {
                    self.line.ends_for(due);
                    Next::End("idle for long".into())
                }
            }
        };
        self.alarms.push(alarm);
        next
    }

    fn alarm(&mut self) -> Alarm<Real> {
        self.alarms.pop().unwrap_or_else(|| Alarm::new(Real(self.parts.clock.clone())))
    }

    /// Begins a call, starting the process first if there is none.
    async fn take_off(&mut self, call: Box<Call>) {
        let is_over = |process: &Arc<Process>| process.ended().now_or_never().is_some();
        if !self.flights.is_empty() && self.process.as_ref().is_some_and(is_over) {
            // Those in flight are still to tell how it ended.
            self.process = None;
        }
        let is_first = !std::mem::replace(&mut self.used, true);
        if self.process.is_none() && !is_first && !self.keeping.starts_again {
            self.retired = true;
            return self.line.give_back(call);
        }
        let picked = self.parts.clock.elapsed();
        self.log.begin(&call, &self.plan, self.parts.clock.now());
        let timeout = self.plan.revision.limits.timeout;
        let mut deadline = Deadline::after(picked, timeout, &self.parts);
        let mut init = self.untold.take();
        if self.process.is_none() {
            let halted = self.halt.cancelled();
            let limit = if self.keeping.starts_again { timeout } else { self.plan.revision.limits.init };
            let (again, started) =
                process::init(&self.parts, &self.plan, &self.log, limit, Phase::Invoke, halted).await;
            init = Some(again);
            if !self.keeping.starts_again {
                deadline = Deadline::after(self.parts.clock.elapsed(), timeout, &self.parts);
            }
            match started {
                Ok(process) => self.process = Some(Arc::new(process)),
                Err(trouble) => {
                    self.retired |= !self.keeping.starts_again;
                    let flight = self.flight(call, picked, deadline, init, None);
                    self.flights.push(Box::pin(flight.crash(trouble)));
                    return;
                }
            }
        }
        if let Some(process) = &self.process
            && std::mem::take(&mut self.frozen)
        {
            process.thaw().await;
        }
        let process = self.process.clone();
        let flight = self.flight(call, picked, deadline, init, process);
        self.flights.push(Box::pin(flight.fly()));
    }

    fn land(&mut self, landed: Landed) {
        self.peak_memory = landed.peak_memory;
        self.alarms.push(landed.alarm);
        self.pending = Some(landed.pending);
        if !landed.serves_on
            && let (Some(old), Some(now)) = (&landed.process, &self.process)
            && Arc::ptr_eq(old, now)
        {
            self.process = None;
            self.retired |= !self.keeping.starts_again;
        }
        self.line.voice.free(landed.lingered);
    }

    async fn end(mut self, why: String) {
        self.pending = None;
        self.orders.close();
        while let Some(order) = self.orders.recv().await {
            if let Order::Run(call) = order {
                self.line.give_back(call);
            }
        }
        if let Some(process) = self.process.take() {
            process.leave().await;
            process.kill().await;
        }
        self.log.flush();
        self.parts.sandbox.forget(&process::tmp_name(&self.plan));
        self.parts.record(subject(&self.plan), What::InstanceGone { why });
    }
}

fn ordered(order: Option<Order>) -> Next {
    match order {
        Some(Order::Run(call)) => Next::Call(call),
        Some(Order::Stop) | None => Next::Retire,
    }
}

/// Freezes an idle process after a while, if its vendor does; completes when, in emulated time, it has been idle
/// for longer than is of use. Dropping this leaves `frozen` true when a freeze was begun, so that the next
/// invocation thaws.
async fn idle(
    freezes: Option<&Process>,
    frozen: &mut bool,
    parts: &Parts,
    keep: Option<(Duration, &mut Alarm<Emulated>)>,
    alarm: &mut Alarm<Real>,
) -> Due {
    let freeze = parts.clock.elapsed() + parts.policy.freeze_after;
    let used = parts.clock.now();
    let keep = async move {
        match keep {
            Some((keep, alarm)) => alarm.at(used.plus(keep)).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(keep);
    if let Some(process) = freezes {
        tokio::select! {
            biased;
            () = alarm.at(freeze) => {}
            due = &mut keep => return due,
        }
        *frozen = true;
        process.freeze().await;
    }
    keep.await
}
