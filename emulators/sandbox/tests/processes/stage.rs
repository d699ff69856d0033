//! Sandboxes to test, specs for them, and an output that can be awaited.

use bytes::Bytes;
use mlemu_core::sandbox::Output;
use mlemu_core::{Confined, Enforcement, Environment, Sandbox, SandboxSpec, Stream};
use mlemu_sandbox::{Processes, ShimProgram};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;

pub const MIB: u64 = 1 << 20;

pub fn shim() -> ShimProgram {
    ShimProgram { program: std::env::current_exe().unwrap(), args: vec!["shim".into()] }
}

/// A sandbox with a scratch folder that goes with it.
pub struct Stage {
    pub processes: Processes,
    pub scratch: TempDir,
}

impl Stage {
    pub fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let processes = Processes::new(shim(), scratch.path().join("scratch")).unwrap();
        Self { processes, scratch }
    }

    /// As on a machine with nothing better than this.
    pub fn restricted(most: Enforcement) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let processes = Processes::restricted(shim(), scratch.path().join("scratch"), most).unwrap();
        Self { processes, scratch }
    }

    pub async fn start(&self, spec: SandboxSpec) -> Box<dyn Confined> {
        self.processes.start(spec).await.unwrap()
    }
}

/// A spec for one of the [`crate::functions`], and what it will write.
pub fn spec(args: &[&str]) -> (SandboxSpec, Arc<Said>) {
    let said = Arc::new(Said::default());
    let spec = SandboxSpec {
        name: args[0].into(),
        program: std::env::current_exe().unwrap(),
        args: std::iter::once("function").chain(args.iter().copied()).map(str::to_owned).collect(),
        env: Environment::from([("GREETING".into(), "hello".into())]),
        folder: PathBuf::from("/"),
        memory: 256 * MIB,
        cpu: None,
        tmp: 16 * MIB,
        tmp_is_memory: false,
        tmp_name: format!("{}-scratch", args[0]),
        output: said.clone(),
    };
    (spec, said)
}

/// What a function wrote.
pub struct Said {
    stdout: watch::Sender<Vec<u8>>,
    stderr: watch::Sender<Vec<u8>>,
}

impl Default for Said {
    fn default() -> Self {
        Self { stdout: watch::Sender::new(Vec::new()), stderr: watch::Sender::new(Vec::new()) }
    }
}

impl Output for Said {
    fn write(&self, stream: Stream, bytes: Bytes) {
        let to = if stream == Stream::Stdout { &self.stdout } else { &self.stderr };
        to.send_modify(|all| all.extend_from_slice(&bytes));
    }
}

impl Said {
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout.borrow()).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.borrow()).into_owned()
    }

    /// Completes once `text` is in what was written.
    pub async fn wait_for(&self, text: &str) -> String {
        self.waits_for(text, SOON).await
    }

    /// The same, for something that takes its time.
    pub async fn waits_for(&self, text: &str, most: Duration) -> String {
        let mut seen = self.stdout.subscribe();
        let found = seen.wait_for(|all| String::from_utf8_lossy(all).contains(text));
        let found = tokio::time::timeout(most, found).await.expect("it took too long").unwrap();
        String::from_utf8_lossy(&found).into_owned()
    }
}

const SOON: Duration = Duration::from_secs(30);

/// Fails a test that would otherwise hang.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.expect("it took longer than 30 s")
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(future)
}

/// Runs the same scene with everything that this machine has, with old control groups, and with none.
pub fn everywhere<F: Future<Output = ()>>(scene: impl Fn(Stage) -> F) {
    block_on(async {
        scene(Stage::new()).await;
        scene(Stage::restricted(Enforcement::Cgroup1)).await;
        scene(Stage::restricted(Enforcement::Watchdog)).await;
    });
}

/// Numbers of a `key=1 2 3` line.
pub fn numbers(text: &str, key: &str) -> Vec<i32> {
    let prefix = format!("{key}=");
    let line = text.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap_or_default();
    line.split_ascii_whitespace().map(|number| number.parse().unwrap()).collect()
}
