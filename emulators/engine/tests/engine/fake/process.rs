//! Fake confinement: processes that are entries in a table.

use super::world::World;
use bytes::Bytes;
use mlemu_core::sandbox::{Output, StartFailure};
use mlemu_core::{Boxed, Confined, Ending, Enforcement, Reading, Sandbox, SandboxSpec, Stream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Under this name a command tells the sandbox which session it belongs to.
pub const KEY: &str = "FAKE_KEY";
/// A start, a freeze, a death on demand and a write through a pipe take their time, as real ones do.
const START: Duration = Duration::from_millis(1);
const FREEZE: Duration = Duration::from_millis(3);
const DEATH: Duration = Duration::from_millis(2);
const PIPE: Duration = Duration::from_millis(1);

pub struct FakeSandbox(pub Arc<World>);

impl Sandbox for FakeSandbox {
    fn enforcement(&self) -> Enforcement {
        Enforcement::Watchdog
    }

    fn start(&self, spec: SandboxSpec) -> Boxed<'_, Result<Box<dyn Confined>, StartFailure>> {
        Box::pin(async move {
            if spec.program.ends_with("missing") {
                let program = spec.program.display().to_string();
                return Err(StartFailure { program, why: "no such file".into() });
            }
            crate::fake::pass(START).await;
            self.0.note(|seen| seen.grants.push(spec.cpu));
            let key = spec.env[KEY].parse().expect("a key");
            let process = Arc::new(Process {
                world: self.0.clone(),
                tmp_name: spec.tmp_name,
                output: spec.output,
                ending: watch::Sender::new(None),
                now: Mutex::default(),
            });
            self.0.born(key, process.clone());
            let confined: Box<dyn Confined> = Box::new(FakeConfined(process));
            Ok(confined)
        })
    }

    fn forget(&self, tmp_name: &str) {
        if self.0.alive(tmp_name) {
            self.0.broken(format!("scratch folder {tmp_name} was forgotten while its process lived"));
        }
    }
}

pub struct Process {
    world: Arc<World>,
    pub tmp_name: String,
    output: Arc<dyn Output>,
    ending: watch::Sender<Option<Ending>>,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    frozen: bool,
    events: usize,
    dying: bool,
    memory: u64,
    pipe: Vec<(Stream, Bytes)>,
}

impl Process {
    pub fn lives(&self) -> bool {
        self.ending.borrow().is_none()
    }

    pub fn end(&self, ending: Ending) {
        let first = self.ending.send_if_modified(|known| {
            let first = known.is_none();
            known.get_or_insert(ending);
            first
        });
        if first {
            let frozen = self.now.lock().expect("whole").frozen;
            self.world.note(|seen| {
                seen.live -= 1;
                seen.ended_frozen += usize::from(frozen);
                seen.frozen -= usize::from(frozen);
            });
        }
    }

    pub fn uses(&self, memory: u64) {
        let mut now = self.now.lock().expect("whole");
        now.memory = now.memory.max(memory);
    }

    /// What it writes arrives a little later, or when the pipe is drained.
    pub fn write(self: &Arc<Self>, stream: Stream, bytes: Vec<u8>) {
        self.now.lock().expect("whole").pipe.push((stream, bytes.into()));
        let this = self.clone();
        tokio::spawn(async move {
            crate::fake::pass(PIPE).await;
            this.flush();
        });
    }

    fn flush(&self) {
        let pipe = std::mem::take(&mut self.now.lock().expect("whole").pipe);
        for (stream, bytes) in pipe {
            self.output.write(stream, bytes);
        }
    }

    /// One more event is in flight from now on, of at most so many.
    pub fn takes(&self, most: usize) {
        let mut now = self.now.lock().expect("whole");
        now.events += 1;
        if now.frozen {
            self.world.broken("an event was delivered to a frozen process");
        }
        if now.events > most {
            self.world.broken("too many events were delivered at once");
        }
        let events = now.events;
        self.world.note(|seen| seen.most_events = seen.most_events.max(events));
    }

    /// One event is in flight no longer.
    pub fn is_done(&self) {
        let mut now = self.now.lock().expect("whole");
        now.events = now.events.saturating_sub(1);
    }

    fn set_frozen(&self, frozen: bool) {
        if !self.lives() {
            return;
        }
        let mut now = self.now.lock().expect("whole");
        if now.frozen == frozen {
            self.world.broken(if frozen { "frozen twice" } else { "thawed while not frozen" });
            return;
        }
        if frozen && now.events > 0 {
            self.world.broken("frozen with an event in flight");
        }
        now.frozen = frozen;
        self.world.note(|seen| {
            if frozen {
                seen.freezes += 1;
                seen.frozen += 1;
            } else {
                seen.thaws += 1;
                seen.frozen -= 1;
            }
        });
    }

    fn kill(self: &Arc<Self>) {
        if !std::mem::replace(&mut self.now.lock().expect("whole").dying, true) {
            let this = self.clone();
            tokio::spawn(async move {
                crate::fake::pass(DEATH).await;
                this.end(Ending::Killed);
            });
        }
    }
}

struct FakeConfined(Arc<Process>);

impl Drop for FakeConfined {
    fn drop(&mut self) {
        if self.0.lives() {
            self.0.kill();
        }
    }
}

impl Confined for FakeConfined {
    fn ended(&self) -> Boxed<'static, Ending> {
        let mut ending = self.0.ending.subscribe();
        Box::pin(async move {
            ending.wait_for(Option::is_some).await.expect("kept by the world").expect("is some")
        })
    }

    fn freeze(&self) -> Boxed<'_, ()> {
        Box::pin(async move {
            self.0.set_frozen(true);
            crate::fake::pass(FREEZE).await;
        })
    }

    fn thaw(&self) -> Boxed<'_, ()> {
        Box::pin(async move { self.0.set_frozen(false) })
    }

    fn grant(&self, cpus: Option<f64>) {
        self.0.world.note(|seen| seen.grants.push(cpus));
    }

    fn measure(&self) -> Reading {
        let memory = self.0.now.lock().expect("whole").memory;
        Reading { memory, peak_memory: memory, cpu: Duration::ZERO }
    }

    fn drain(&self) -> Boxed<'_, ()> {
        Box::pin(async move { self.0.flush() })
    }

    fn kill(&self) {
        self.0.kill();
    }
}
