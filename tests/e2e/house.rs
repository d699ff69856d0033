//! A daemon of the real program in a project of its own, and the records that say what happened in it.

use super::http;
use serde_json::Value;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than anything here may take, installs of packages included.
const PATIENCE: Duration = Duration::from_secs(240);

/// What outlives a run of the tests: installed packages, by us and by the daemons under test.
pub fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e")
}

/// The repository's example of that name.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// A project that is about to be started.
pub struct Plan {
    folder: TempDir,
    runtime: TempDir,
    args: Vec<OsString>,
    env: Vec<(String, String)>,
}

impl Plan {
    pub fn new() -> Self {
        let folder = |what| tempfile::Builder::new().prefix(what).tempdir().expect("a temporary folder");
        Self { folder: folder("project-"), runtime: folder("runtime-"), args: Vec::new(), env: Vec::new() }
    }

    /// A copy of an example, without what only its first run makes.
    pub fn of_example(name: &str) -> Self {
        let plan = Self::new();
        let from = example(name);
        let walk = ignore::WalkBuilder::new(&from).hidden(false).require_git(false).build();
        for entry in walk.map(|entry| entry.expect("readable")).filter(|entry| entry.path().is_file()) {
            let to = plan.path("").join(entry.path().strip_prefix(&from).expect("below it"));
            std::fs::create_dir_all(to.parent().expect("a folder")).expect("made");
            std::fs::copy(entry.path(), to).expect("copied");
        }
        plan
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn file(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
        self
    }

    /// One more argument of `mlemu up`.
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.into());
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Any verb of the program, as typed in the project's folder.
    pub fn mlemu(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlemu"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if ["AWS_", "GOOGLE_", "CLOUDSDK_", "STORAGE_", "AZURE_", "PUBSUB_", "MLEMU_", "XDG_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
            {
                command.env_remove(name);
            }
        }
        for name in ["NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        command.env("MLEMU_CACHE", cache().join("cache")).env("XDG_RUNTIME_DIR", self.runtime.path());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the daemon and waits until it is ready.
    pub fn up(self) -> House {
        let args = ["up", "--json", "--aws-port", "0", "--control-port", "0"];
        let mut child = self
            .mlemu(&args)
            .args(&self.args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let records = Arc::new(Records::default());
        let said = Arc::new(Mutex::new(String::new()));
        records.clone().read(child.stdout.take().expect("stdout"));
        collect(child.stderr.take().expect("stderr"), said.clone());
        let mut house = House { plan: self, child, records, said, ready: Value::Null };
        house.ready = house.wait(0, "the daemon is ready", |record| record["ready"] == true);
        house
    }
}

fn collect(mut from: impl Read + Send + 'static, into: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
            into.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
        }
    });
}

/// Everything that a daemon printed on stdout, one JSON document a line.
#[derive(Default)]
struct Records {
    seen: Mutex<(Vec<Value>, bool)>,
    more: Condvar,
}

impl Records {
    fn read(self: Arc<Self>, stdout: impl Read + Send + 'static) {
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                self.seen.lock().unwrap_or_else(PoisonError::into_inner).0.push(value);
                self.more.notify_all();
            }
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
            self.more.notify_all();
        });
    }
}

/// A running daemon. Dropping it ends it, and shows what it said if the test has failed.
pub struct House {
    pub plan: Plan,
    child: Child,
    records: Arc<Records>,
    said: Arc<Mutex<String>>,
    ready: Value,
}

impl House {
    pub fn aws(&self) -> SocketAddr {
        self.address(&self.ready["clouds"]["aws"])
    }

    pub fn gcp(&self) -> SocketAddr {
        self.address(&self.ready["clouds"]["gcp"])
    }

    /// The port of a function's own.
    pub fn served(&self, function: &str) -> SocketAddr {
        self.address(&self.ready["served"][function])
    }

    pub fn azure(&self) -> SocketAddr {
        self.address(&self.ready["clouds"]["azure"])
    }

    pub fn control(&self) -> SocketAddr {
        self.address(&self.ready["control"])
    }

    fn address(&self, url: &Value) -> SocketAddr {
        let url = url.as_str().unwrap_or_else(|| panic!("no address in {}", self.ready));
        url.trim_start_matches("http://").parse().expect("an address")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("the daemon lives");
    }

    /// Waits until the daemon has ended by itself.
    pub fn ended(&mut self) -> ExitStatus {
        self.child.wait().expect("a child of ours")
    }

    /// What was printed on stderr so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many records there are: a place to wait from.
    pub fn mark(&self) -> usize {
        self.records.seen.lock().unwrap_or_else(PoisonError::into_inner).0.len()
    }

    pub fn records(&self, after: usize) -> Vec<Value> {
        self.records.seen.lock().unwrap_or_else(PoisonError::into_inner).0[after..].to_vec()
    }

    /// The first record behind `mark` that `is` so, as soon as there is one.
    #[track_caller]
    pub fn wait(&self, mark: usize, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        let mut at = mark;
        let mut seen = self.records.seen.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = seen.0[at..].iter().find(|record| is(record)) {
                return found.clone();
            }
            at = seen.0.len();
            let left = end.saturating_duration_since(Instant::now());
            if seen.1 || left.is_zero() {
                let tail: Vec<_> = seen.0[mark..].iter().map(ToString::to_string).collect();
                let said = self.said();
                panic!("waited in vain: {what}\nrecords:\n{}\nsaid:\n{said}", tail.join("\n"));
            }
            seen = self.records.more.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
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

    /// Any verb of the program, as typed in the project's folder, to its end.
    pub fn mlemu(&self, args: &[&str]) -> std::process::Output {
        self.plan.mlemu(args).output().expect("the program runs")
    }

    /// The variables that point SDKs here, from `mlemu env`.
    pub fn env(&self) -> Vec<(String, String)> {
        let output = self.mlemu(&["env", "--format", "json"]);
        let env: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let pairs = env.as_object().expect("an object").iter();
        pairs.map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned())).collect()
    }

    /// A request to the control API.
    pub fn ask(&self, line: &str, body: &Value) -> http::Answer {
        let token = format!("Bearer {}", self.token());
        let body = if body.is_null() { String::new() } else { body.to_string() };
        http::send(self.control(), line, &[("Authorization", &token)], body.as_bytes())
    }

    /// The token of the control API.
    pub fn token(&self) -> String {
        let folder = self.plan.runtime.path().join("mlemu");
        let files = std::fs::read_dir(folder).expect("the locators").filter_map(Result::ok);
        let file =
            files.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|end| end == "json"));
        let located: Value =
            serde_json::from_slice(&std::fs::read(file.expect("a locator")).expect("readable"))
                .expect("JSON");
        located["token"].as_str().expect("a token").to_owned()
    }
}

/// Whether a record of `function` is of that kind.
pub fn is(record: &Value, function: &str, kind: &str) -> bool {
    record["subject"]["function"]["name"] == function
        && (record["what"].get(kind).is_some() || record["what"] == kind)
}

impl Drop for House {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the daemon said:\n{}", self.said());
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(rustix::process::Signal::TERM);
            if !crate::lives::ends_within(self.pid(), Duration::from_secs(10)) {
                let _ = self.child.kill();
            }
        }
        let _ = self.child.wait();
    }
}
