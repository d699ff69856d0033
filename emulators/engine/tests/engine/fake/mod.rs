//! The engine in a laboratory: everything around it is fake, and everything it does is counted.
//!
//! A test says what processes do in a small language ([`script`]), drives the engine by its face, and ends
//! with [`Lab::finish`], which checks what must be true whatever happened.

mod build;
#[path = "../../../src/clock/paused.rs"]
mod paused;
mod process;
mod runtime;
mod script;
mod world;

pub use world::World;

use mlemu_core::{
    Boxed, Cause, FunctionFailure, FunctionId, InvocationId, Invoke, Limits, Outcome, Record, Refusal, Reply,
    Scope, Source, What,
};
use mlemu_engine::{Draft, Engine, FunctionView, Journal, Parts, Policy};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

pub const TIMEOUT: Duration = Duration::from_secs(3);
pub const INIT_LIMIT: Duration = Duration::from_secs(10);

pub struct Lab {
    pub engine: Engine,
    pub world: Arc<World>,
    pub journal: Arc<Journal>,
    next: AtomicU64,
    /// What became of each call: whether its caller was told that it is in.
    told: Mutex<BTreeMap<String, bool>>,
    tasks_before: usize,
}

/// A call under way.
pub type Pending = JoinHandle<Result<Reply, Refusal>>;

pub fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub fn policy() -> Policy {
    Policy {
        watch_ignore: Vec::new(),
        local_cap: Some(2),
        keep_alive: Duration::from_mins(10),
        freeze_after: millis(20),
        account_concurrency: 1000,
        build_ahead: true,
        simulation: mlemu_engine::Simulation::default(),
    }
}

pub fn cap(local_cap: Option<usize>) -> Policy {
    Policy { local_cap, ..policy() }
}

impl Lab {
    pub fn new() -> Self {
        Self::with(policy())
    }

    pub fn with(policy: Policy) -> Self {
        let tasks_before = alive_tasks();
        let world = World::new(policy.local_cap);
        let journal = Arc::new(Journal::new(1_000_000));
        let engine = Engine::new(Parts {
            ids: mlemu_engine::Ids::default(),
            clock: Arc::new(paused::TestClock::new()),
            build: Arc::new(build::FakeBuild(world.clone())),
            sandbox: Arc::new(process::FakeSandbox(world.clone())),
            journal: journal.clone(),
            policy,
        });
        let next = AtomicU64::new(1);
        Self { engine, world, journal, next, told: Mutex::default(), tasks_before }
    }

    /// A function `f` whose init does what `init` says.
    pub fn draft(&self, init: &str) -> Draft {
        Draft {
            id: id(),
            label: "$LATEST".into(),
            source: Source::Folder(PathBuf::from("ok")),
            runtime: "fake1".into(),
            handler: init.into(),
            env: mlemu_core::Environment::default(),
            limits: Limits {
                memory: 128 << 20,
                timeout: TIMEOUT,
                init: INIT_LIMIT,
                tmp: 512 << 20,
                request: 1000,
                queued_request: 100,
                response: 1000,
                streamed_response: 10_000,
                concurrency: None,
            },
            client: Arc::new(runtime::FakeRuntime(self.world.clone())),
            from: Some("template.yaml:4".into()),
            watch: false,
        }
    }

    pub fn publish(&self, init: &str) {
        self.engine.publish(self.draft(init));
    }

    /// A function whose instances take three calls at a time.
    pub fn publish_crowd(&self, init: &str) {
        self.engine.publish(Draft { runtime: "crowd3".into(), ..self.draft(init) });
    }

    pub fn publish_source(&self, source: &str) {
        let source = Source::Folder(PathBuf::from(source));
        self.engine.publish(Draft { source, ..self.draft("") });
    }

    pub fn invocation(&self, script: &str) -> Invoke {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let call = InvocationId(format!("call-{number}").into());
        Invoke::of(call, id(), script.to_owned(), Cause::Mlemu)
    }

    pub async fn invoke(&self, invoke: Invoke) -> Result<Reply, Refusal> {
        let call = invoke.id.to_string();
        let reply = self.engine.invoke(invoke).await;
        if !matches!(reply, Ok(Reply::WouldRun)) {
            self.told.lock().expect("whole").insert(call, reply.is_ok());
        }
        reply
    }

    /// Calls and waits for the outcome.
    pub async fn call(&self, script: &str) -> Outcome {
        done(self.invoke(self.invocation(script)).await)
    }

    /// Calls without waiting; completes once the engine has the call.
    pub async fn send(self: &Arc<Self>, script: &str) -> Pending {
        self.send_invocation(self.invocation(script)).await
    }

    pub async fn send_invocation(self: &Arc<Self>, invoke: Invoke) -> Pending {
        let this = self.clone();
        let pending = tokio::spawn(async move { this.invoke(invoke).await });
        tokio::task::yield_now().await;
        pending
    }

    pub fn view(&self) -> FunctionView {
        self.engine.function(&id()).expect("the function exists")
    }

    pub fn records(&self) -> Vec<Arc<Record>> {
        self.journal.past()
    }

    /// The records of one invocation in short words, e.g. `started`, `log: hello`, `ended`.
    pub fn story(&self, call: &InvocationId) -> Vec<String> {
        let records = self.records();
        let of_call = records.iter().filter(|record| record.subject.invocation.as_ref() == Some(call));
        of_call.map(|record| words(&record.what)).collect()
    }

    pub fn count(&self, what: impl Fn(&What) -> bool) -> usize {
        self.records().iter().filter(|record| what(&record.what)).count()
    }

    /// Waits until the journal has this many such records.
    pub async fn until_recorded(&self, count: usize, what: impl Fn(&What) -> bool) {
        let mut live = self.journal.follow(0);
        let mut seen = 0;
        while seen < count {
            let record = live.recv().await.expect("a follower that keeps up");
            seen += usize::from(what(&record.what));
        }
    }

    /// Shuts the engine down and checks what is always true.
    pub async fn finish(&self) {
        self.engine.shutdown().await;
        let seen = self.world.seen();
        assert_eq!(seen.broken, Vec::<String>::new());
        assert_eq!((seen.live, seen.sessions, seen.builds_running), (0, 0, 0), "nothing outlives shutdown");
        assert_eq!(seen.freezes, seen.thaws + seen.ended_frozen, "whoever was frozen was thawed or ended");
        self.each_call_ended_once();
        let open = self.engine.settle().open(&mlemu_engine::settle::Which::Everything);
        assert_eq!(open, [], "nothing counts as under way");
        assert!(self.engine.history().after(0).iter().all(|past| past.status().is_some()), "all have ended");
        // The fakes' own pipes and the watch end within this time.
        crate::fake::pass(millis(50)).await;
        assert_eq!(alive_tasks(), self.tasks_before, "no task is left");
    }

    fn each_call_ended_once(&self) {
        let mut counts: BTreeMap<String, (usize, usize, usize)> = BTreeMap::new();
        for record in self.records() {
            let Some(call) = &record.subject.invocation else { continue };
            let (started, ended, refused) = counts.entry(call.to_string()).or_default();
            match record.what {
                What::Started => *started += 1,
                What::Ended { .. } => *ended += 1,
                What::Refused { .. } => *refused += 1,
                _ => {}
            }
        }
        let told = self.told.lock().expect("whole");
        for (call, (started, ended, refused)) in &counts {
            assert_eq!(ended + refused, 1, "{call}: {ended} ends and {refused} refusals");
            assert!(*started <= *ended, "{call} started {started} times");
        }
        for (call, accepted) in &*told {
            let (_, ended, _) = counts.get(call).unwrap_or_else(|| panic!("{call} has no record"));
            assert!(!accepted || *ended == 1 || self.was_queued(call), "{call} was accepted and never ended");
        }
    }

    /// A queued call may be refused later than its caller was told: when the engine stops.
    fn was_queued(&self, call: &str) -> bool {
        self.records().iter().any(|record| {
            record.subject.invocation.as_ref().is_some_and(|id| *id.0 == *call)
                && matches!(record.what, What::Refused { .. })
        })
    }
}

fn alive_tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

pub fn id() -> FunctionId {
    FunctionId::new(Arc::new(Scope::new("cloud", "1234", "here")), "f")
}

/// The outcome of a call that must have run.
pub fn done(reply: Result<Reply, Refusal>) -> Outcome {
    match reply {
        Ok(Reply::Done(outcome)) => *outcome,
        other => panic!("not an outcome: {other:?}"),
    }
}

pub async fn outcome(pending: Pending) -> Outcome {
    done(pending.await.expect("the caller did not panic"))
}

pub fn text(outcome: &Outcome) -> String {
    match &outcome.result {
        Ok(answer) => String::from_utf8_lossy(&answer.body).into_owned(),
        Err(failure) => panic!("not an answer: {failure:?}"),
    }
}

pub fn failure(outcome: &Outcome) -> &FunctionFailure {
    outcome.result.as_ref().expect_err("a failure")
}

fn words(what: &What) -> String {
    match what {
        What::InitStarted { .. } => "init started".into(),
        What::InitEnded { init, status } => {
            format!("init ended: {:?} {}", init.phase, if status.is_ok() { "ok" } else { "failed" })
        }
        What::Started => "started".into(),
        What::Log(line) => format!("log: {}", line.text),
        What::Ended { status, .. } => format!("ended: {}", if status.is_ok() { "ok" } else { "failed" }),
        other => format!("{other:?}"),
    }
}

/// Lets time pass on the paused clock: nothing waits for real.
pub fn pass(time: Duration) -> Boxed<'static, ()> {
    Box::pin(tokio::time::sleep(time))
}
