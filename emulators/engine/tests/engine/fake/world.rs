//! What all fakes of one test know together: who lives, what was done to them, and what never may be.

use mlemu_core::InvocationId;
use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

use super::process::Process;
use std::sync::Arc;

/// What the fakes have seen so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Processes alive.
    pub live: usize,
    pub most_live: usize,
    pub started: usize,
    /// Runtime sessions alive.
    pub sessions: usize,
    pub builds_running: usize,
    pub builds: usize,
    pub frozen: usize,
    pub freezes: usize,
    pub thaws: usize,
    pub ended_frozen: usize,
    /// Most events at once in one process.
    pub most_events: usize,
    /// Every event that reached a process.
    pub deliveries: Vec<Delivered>,
    /// CPUs at every start, and every change of them.
    pub grants: Vec<Option<f64>>,
    /// Broken promises of the engine.
    pub broken: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Delivered {
    pub id: InvocationId,
    pub process: u64,
    pub left: Duration,
}

pub struct World {
    seen: watch::Sender<Seen>,
    gates: watch::Sender<BTreeSet<String>>,
    processes: Mutex<HashMap<u64, Arc<Process>>>,
    /// Starts by script, to choose the alternative.
    starts: Mutex<HashMap<String, usize>>,
    next: AtomicU64,
    /// More processes than this at once are a broken promise.
    cap: usize,
}

impl World {
    pub fn new(cap: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            seen: watch::Sender::new(Seen::default()),
            gates: watch::Sender::new(BTreeSet::new()),
            processes: Mutex::default(),
            starts: Mutex::default(),
            next: AtomicU64::new(1),
            cap: cap.unwrap_or(usize::MAX),
        })
    }

    pub fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Waits until the fakes have seen this.
    pub async fn until(&self, condition: impl FnMut(&Seen) -> bool) {
        let mut seen = self.seen.subscribe();
        seen.wait_for(condition).await.expect("the world goes on");
    }

    /// Lets every process pass that waits at this gate, now and later.
    pub fn open(&self, gate: &str) {
        self.gates.send_modify(|open| {
            open.insert(gate.into());
        });
    }

    pub async fn pass(&self, gate: &str) {
        let mut gates = self.gates.subscribe();
        gates.wait_for(|open| open.contains(gate)).await.expect("the world goes on");
    }

    /// Ends every process at this moment, by a signal from nowhere.
    pub fn crash(&self) {
        for process in self.processes.lock().expect("whole").values() {
            process.end(mlemu_core::Ending::Signal(9));
        }
    }

    pub(super) fn note(&self, change: impl FnOnce(&mut Seen)) {
        self.seen.send_modify(change);
    }

    pub(super) fn broken(&self, what: impl Into<String>) {
        let what = what.into();
        self.note(|seen| seen.broken.push(what));
    }

    pub(super) fn key(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts a start of this script, from 1.
    pub(super) fn count(&self, script: &str) -> usize {
        let mut starts = self.starts.lock().expect("whole");
        let count = starts.entry(script.into()).or_default();
        *count += 1;
        *count
    }

    pub(super) fn born(&self, key: u64, process: Arc<Process>) {
        self.processes.lock().expect("whole").insert(key, process);
        let cap = self.cap;
        self.note(|seen| {
            seen.started += 1;
            seen.live += 1;
            seen.most_live = seen.most_live.max(seen.live);
            if seen.live > cap {
                seen.broken.push(format!("{} processes live, the cap is {cap}", seen.live));
            }
        });
    }

    pub(super) fn process(&self, key: u64) -> Arc<Process> {
        self.processes
            .lock()
            .expect("whole")
            .get(&key)
            .cloned()
            .expect("a session is used after its process started")
    }

    pub(super) fn forget(&self, key: u64) {
        self.processes.lock().expect("whole").remove(&key);
    }

    pub(super) fn alive(&self, tmp_name: &str) -> bool {
        self.processes
            .lock()
            .expect("whole")
            .values()
            .any(|process| process.tmp_name == tmp_name && process.lives())
    }
}
