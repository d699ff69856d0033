//! One task per instance: it owns a sandbox, a runtime session and the invocation in flight.
//!
//! Its life is `Starting -> Init -> Idle <-> Busy -> Gone`. It alone changes its state; the dispatcher hears
//! of it by events and gives orders. An invocation is completed by this task and nobody else, so it is
//! completed once, however the process ends.

mod alarm;
mod flight;
mod line;
mod log;
mod process;

use crate::dispatch::Call;
use crate::parts::Parts;
use alarm::{Alarm, Emulated, Real};
pub(crate) use line::Line;
use log::Log;
use mlemu_core::outcome::{Init, Phase};
use mlemu_core::{Built, FunctionFailure, InstanceId, Keeping, Revision, Runtime, Subject, What};
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
}

pub(crate) enum Order {
    Run(Box<Call>),
    /// Take no more calls; end when the one in flight has ended.
    Stop,
}

/// What it waits for, in time that really passes and in emulated time.
struct Alarms {
    real: Alarm<Real>,
    emulated: Alarm<Emulated>,
}

impl Alarms {
    fn new(parts: &Parts) -> Self {
        let (real, emulated) = (Real(parts.clock.clone()), Emulated(parts.clock.clone()));
        Self { real: Alarm::new(real), emulated: Alarm::new(emulated) }
    }
}

struct Instance {
    parts: Parts,
    plan: Plan,
    log: Arc<Log>,
    /// None before the start and after a crash: the next invocation starts it again, inside its own time.
    process: Option<Process>,
    /// An init that no invocation has told of yet.
    untold: Option<Init>,
    /// How long the init phase took, whether or not it failed; the first call may have waited for it.
    startup: Duration,
    /// Highest memory known so far, in bytes.
    peak_memory: u64,
    alarms: Alarms,
    orders: mpsc::UnboundedReceiver<Order>,
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
        alarms: Alarms::new(&parts),
        parts,
        plan,
        log,
        process: None,
        untold: None,
        startup: Duration::ZERO,
        peak_memory: 0,
        orders,
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

/// Why an instance stopped waiting for work.
enum Rest {
    Work(Box<Call>),
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
                // Nothing but `Stop` is ordered before the first `Free`.
                _ = orders.recv() => {}
            }
        };
        let limit = plan.revision.limits.init;
        let (init, started) = process::init(parts, plan, log, limit, Phase::Init, stop).await;
        self.startup = init.duration;
        match started {
            Ok(process) => {
                self.untold = Some(init);
                self.process = Some(process);
            }
            Err(Trouble { failure: FunctionFailure::Stopped, .. }) => {
                let why = if self.halt.is_cancelled() { "stopped" } else { "replaced" };
                return Some(format!("{why} while starting"));
            }
            Err(trouble) => self.peak_memory = trouble.peak_memory,
        }
        None
    }

    fn keeping(&self) -> Keeping {
        self.plan.client.keeping(&self.plan.revision)
    }

    async fn serve(&mut self) -> String {
        loop {
            self.line.free();
            match self.rest().await {
                Rest::Work(call) => self.fly(call).await,
                Rest::End(why) => return why,
            }
        }
    }

    /// Waits for the next order; meanwhile freezes the process and, much later, gives up.
    async fn rest(&mut self) -> Rest {
        let ended = self.process.as_ref().map(Process::ended);
        let ended = async {
            match ended {
                Some(ended) => ended.await,
                None => std::future::pending().await,
            }
        };
        let freezes = self.keeping().freezes;
        let idle = process::idle(self.process.as_mut(), freezes, &self.parts, &mut self.alarms);
        tokio::select! {
            biased;
            () = self.halt.cancelled() => Rest::End("stopped".into()),
            // Before the orders: a call that has just come goes to another instance, not to a dead process.
            ending = ended => Rest::End(format!("the process ended while idle: {ending:?}")),
            order = self.orders.recv() => match order {
                Some(Order::Run(call)) => Rest::Work(call),
                Some(Order::Stop) | None => Rest::End("replaced".into()),
            },
            due = idle => {
                self.line.ends_for(due);
                Rest::End("idle for long".into())
            }
        }
    }

    async fn end(mut self, why: String) {
        self.orders.close();
        while let Some(order) = self.orders.recv().await {
            if let Order::Run(call) = order {
                self.line.give_back(call);
            }
        }
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
        self.log.flush();
        self.parts.sandbox.forget(&process::tmp_name(&self.plan));
        self.parts.record(subject(&self.plan), What::InstanceGone { why });
    }
}
