//! A daemon in a project of its own, inside of the test: the harness's own session, for tests that wait on this
//! thread for what they ask.
//!
//! Only what is about the program itself (signals, ports, files, its words) needs the program: program.rs.

use super::http;
use super::plan::{Plan, cache};
use bytes::Bytes;
use mlemu::daemon::control::clock::Steer;
use mlemu::harness::{Client, Filter, HarnessError, Session};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Command, Output};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Longer than anything here may take, installs of packages included.
pub const PATIENCE: Duration = Duration::from_secs(240);

impl Plan {
    /// Starts a daemon inside of this test, and waits until it is ready.
    #[track_caller]
    pub fn up(self) -> House {
        assert!(self.args.is_empty() && self.env.is_empty(), "arguments and variables are the program's");
        let runtime = runtime();
        let builder = Session::of(self.path(".")).program(env!("CARGO_BIN_EXE_mlemu"));
        let mut builder = builder.cache(cache().join("cache")).patience(PATIENCE);
        if let Some(seed) = self.seed {
            builder = builder.seed(seed);
        }
        if let Some(clock) = &self.clock {
            let at: jiff::Timestamp = clock.parse().expect("a time");
            builder = builder.clock(mlemu_core::Timestamp(at.as_microsecond()));
        }
        if self.offline {
            builder = builder.offline();
        }
        if self.watch {
            builder = builder.watching();
        }
        let session = runtime.block_on(builder.start()).unwrap_or_else(|error| panic!("{error}"));
        let client = Client::clone(&session);
        let places = session.addresses().into_iter().map(|(name, at)| (name.to_owned(), at)).collect();
        let records = Arc::<Records>::default();
        runtime.spawn(follow(client.clone(), records.clone()));
        House {
            control: session.control_address(),
            pid: std::process::id(),
            served: BTreeMap::new(),
            client,
            places,
            records,
            _session: Some(session),
            runtime,
            plan: self,
        }
    }
}

pub fn runtime() -> Runtime {
    Runtime::new().expect("a runtime")
}

pub async fn follow(client: Client, records: Arc<Records>) {
    let mut stream = client.records(0, false).await.expect("the stream of records");
    while let Ok(Some(record)) = stream.next().await {
        records.push(serde_json::from_slice(&record).expect("JSON"));
    }
    records.close();
}

/// Everything that a daemon has told so far.
#[derive(Default)]
pub struct Records {
    seen: Mutex<(Vec<Value>, bool)>,
    more: Condvar,
}

impl Records {
    pub fn push(&self, record: Value) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).0.push(record);
        self.more.notify_all();
    }

    /// There will be no more.
    pub fn close(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.more.notify_all();
    }

    /// How many there are, and the number of the last one.
    fn last(&self) -> (usize, u64) {
        let seen = &self.seen.lock().unwrap_or_else(PoisonError::into_inner).0;
        (seen.len(), seen.last().map_or(0, sequence))
    }

    fn behind(&self, mark: usize) -> Vec<Value> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).0[mark..].to_vec()
    }

    /// The first one behind `mark` that `is` so, as soon as there is one. `None`: it did not come.
    pub fn wait(&self, mark: usize, is: impl Fn(&Value) -> bool) -> Option<Value> {
        let end = Instant::now() + PATIENCE;
        let mut at = mark;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = seen.0[at..].iter().find(|record| is(record)) {
                return Some(found.clone());
            }
            at = seen.0.len();
            let left = end.saturating_duration_since(Instant::now());
            if seen.1 || left.is_zero() {
                return None;
            }
            seen = self.more.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A running daemon. Dropping it ends it.
pub struct House {
    pub client: Client,
    /// Where each cloud listens.
    pub(super) places: BTreeMap<String, SocketAddr>,
    /// Where functions have ports of their own.
    pub(super) served: BTreeMap<String, SocketAddr>,
    pub(super) control: SocketAddr,
    pub(super) pid: u32,
    pub(super) records: Arc<Records>,
    /// Where the daemon is in this process.
    pub(super) _session: Option<Session>,
    pub(super) runtime: Runtime,
    pub plan: Plan,
}

/// Where it is.
impl House {
    /// Of the process that the daemon is in.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn aws(&self) -> SocketAddr {
        self.places["aws"]
    }

    pub fn gcp(&self) -> SocketAddr {
        self.places["gcp"]
    }

    /// The port of a function's own.
    pub fn served(&self, function: &str) -> SocketAddr {
        self.served[function]
    }

    pub fn azure(&self) -> SocketAddr {
        self.places["azure"]
    }

    /// Where a listener is that is called so.
    pub fn place(&self, name: &str) -> SocketAddr {
        self.places[name]
    }

    pub fn blob(&self) -> SocketAddr {
        self.places["azure-blob"]
    }

    pub fn control(&self) -> SocketAddr {
        self.control
    }

    pub fn token(&self) -> &str {
        self.client.token()
    }

    /// The variables that point SDKs here.
    pub fn env(&self) -> Vec<(String, String)> {
        self.does(self.client.environment()).into_iter().collect()
    }

    /// Any verb of the program, which finds this daemon.
    pub fn verb(&self, args: &[&str]) -> Command {
        let mut command = self.plan.mlemu(args);
        command.env("MLEMU_URL", format!("http://{}", self.control)).env("MLEMU_TOKEN", self.token());
        command
    }

    /// The same, to its end.
    pub fn mlemu(&self, args: &[&str]) -> Output {
        self.verb(args).output().expect("the program runs")
    }
}

/// What is asked of it; a test that is refused has failed.
impl House {
    #[track_caller]
    pub fn does<T>(&self, asked: impl Future<Output = Result<T, HarnessError>>) -> T {
        self.runtime.block_on(asked).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Any request to the control API, and whatever it answers.
    pub fn ask(&self, line: &str, body: &Value) -> http::Answer {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let asked = async {
            let method = method.parse().expect("a method");
            let (head, body) = self.client.request(method, path, body).await?.into_parts();
            let headers = head
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()));
            let headers = headers.collect();
            let body = mlemu::harness::client::whole(body).await?.to_vec();
            Ok(http::Answer { status: head.status.as_u16(), headers, body })
        };
        self.does(asked)
    }

    /// Waits until nothing is under way.
    #[track_caller]
    pub fn idle(&self) {
        self.does(self.client.idle());
    }

    /// Waits until nothing is under way that does not only wait for its time.
    #[track_caller]
    pub fn still(&self) {
        self.does(self.client.advance(Duration::ZERO));
    }

    /// Waits until nothing is under way of what one request caused.
    #[track_caller]
    pub fn settled(&self, trace: &str) {
        self.does(self.client.settled(trace));
    }

    /// Calls a function to its end: what came of it, as the control API shows it.
    #[track_caller]
    pub fn call(&self, function: &str, event: &Value) -> Value {
        let called = self.does(self.client.invoke(function, event.to_string()));
        self.idle();
        self.does(self.client.invocation(&called.invocation))
    }

    /// The newest invocation.
    #[track_caller]
    pub fn last(&self) -> Value {
        self.does(self.client.invocation("last"))
    }

    /// Calls a function without waiting for its end.
    #[track_caller]
    pub fn queue(&self, function: &str, event: &Value) {
        self.does(self.client.queue(function, event.to_string()));
    }

    /// What became of a function's invocations.
    #[track_caller]
    pub fn known(&self, function: &str) -> Vec<Value> {
        let filter = Filter { function: Some(function.into()), ..Filter::default() };
        let lines = self.does(self.client.invocations(&filter));
        lines.iter().map(|line| json!(line)).collect()
    }

    #[track_caller]
    pub fn fault(&self, rules: &Value) {
        self.does(self.client.fault(rules));
    }

    /// Emulated time stands still, here.
    #[track_caller]
    pub fn freeze(&self, at: &str) {
        self.does(self.client.freeze(at));
    }

    /// Goes forward, meeting everything that falls due.
    #[track_caller]
    pub fn advance(&self, by: &str) {
        let steer = Steer { advance: Some(by.into()), ..Steer::default() };
        self.does(self.client.steer(&steer));
    }

    #[track_caller]
    pub fn reset(&self) {
        self.does(self.client.reset());
    }
}

/// What it tells.
impl House {
    /// How many records there are by now: a place to wait from.
    #[track_caller]
    pub fn mark(&self) -> usize {
        self.catch_up();
        self.records.last().0
    }

    /// Every record behind `mark` by now.
    #[track_caller]
    pub fn records(&self, mark: usize) -> Vec<Value> {
        self.catch_up();
        self.records.behind(mark)
    }

    /// Waits until everything has been heard that the daemon has told.
    #[track_caller]
    fn catch_up(&self) {
        let (mark, heard) = self.records.last();
        let told = self.does(async {
            let mut rest = self.client.records(heard, true).await?;
            let mut told = heard;
            while let Some(record) = rest.next().await? {
                told = sequence(&serde_json::from_slice(&record).expect("JSON"));
            }
            Ok(told)
        });
        if told > heard {
            self.wait(mark, "a record that was told", |record| sequence(record) >= told);
        }
    }

    /// The first record behind `mark` that `is` so, as soon as there is one.
    #[track_caller]
    pub fn wait(&self, mark: usize, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.records.wait(mark, is).unwrap_or_else(|| {
            let tail: Vec<_> = self.records.behind(mark).iter().map(ToString::to_string).collect();
            panic!("waited in vain: {what}\nrecords:\n{}", tail.join("\n"))
        })
    }

    /// Waits for the end of an invocation of `function`.
    #[track_caller]
    pub fn wait_ended(&self, mark: usize, function: &str) -> Value {
        let what = format!("an invocation of {function} ended");
        self.wait(mark, &what, |record| is(record, function, "ended"))["what"]["ended"].clone()
    }

    /// Waits until new code of `function` is live.
    #[track_caller]
    pub fn wait_published(&self, mark: usize, function: &str) -> Value {
        let what = format!("{function} was published");
        self.wait(mark, &what, |record| is(record, function, "published"))["what"]["published"].clone()
    }
}

fn sequence(record: &Value) -> u64 {
    record["sequence"].as_u64().unwrap_or_default()
}

/// Whether a record of `function` is of that kind.
pub fn is(record: &Value, function: &str, kind: &str) -> bool {
    record["subject"]["function"]["name"] == function
        && (record["what"].get(kind).is_some() || record["what"] == kind)
}
