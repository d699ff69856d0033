//! The times of reloads: changes told by hand, on a clock that stands still until everybody waits.

use super::*;
use crate::parts::Policy;
use crate::{Journal, SystemClock};
use mlemu_core::build::Progress;
use mlemu_core::sandbox::StartFailure;
use mlemu_core::{
    Boxed, Build, BuildFailure, Built, Confined, Enforcement, Needs, PackageFault, Sandbox, SandboxSpec,
    Scope, Unpacked,
};
use std::sync::Mutex;

/// Stands where parts are needed that watching never touches.
struct Unused;

impl Build for Unused {
    fn build(&self, _: Needs, _: Progress) -> Boxed<'_, Result<Arc<Built>, BuildFailure>> {
        unreachable!("nothing is built")
    }

    fn unpack(&self, _: bytes::Bytes, _: u64) -> Boxed<'_, Result<Unpacked, PackageFault>> {
        unreachable!("nothing is unpacked")
    }

    fn measure(&self, _: PathBuf) -> Boxed<'_, u64> {
        unreachable!("nothing is measured")
    }
}

impl Sandbox for Unused {
    fn enforcement(&self) -> Enforcement {
        Enforcement::None
    }

    fn start(&self, _: SandboxSpec) -> Boxed<'_, Result<Box<dyn Confined>, StartFailure>> {
        unreachable!("nothing is started")
    }

    fn forget(&self, _: &str) {}
}

/// What a function hears of its watch, each at these milliseconds.
#[derive(Default)]
struct Heard {
    holds: Vec<u128>,
    reloads: Vec<u128>,
}

struct Function {
    clock: Arc<dyn mlemu_core::Clock>,
    running: bool,
    heard: Arc<Mutex<Heard>>,
}

impl Functions for Function {
    fn is_running(&self, _: &FunctionId) -> bool {
        self.running
    }

    fn hold(&self, _: &FunctionId) {
        self.heard.lock().unwrap().holds.push(self.clock.elapsed().as_millis());
    }

    fn reload(&self, _: &FunctionId, _: bool) {
        self.heard.lock().unwrap().reloads.push(self.clock.elapsed().as_millis());
    }
}

/// The reloads of a function that is running all the time.
async fn reloads(saves: u32, pause: u64) -> Vec<u128> {
    saved(saves, pause, true).await.reloads
}

/// Saves `app.py` so many times with this pause between.
async fn saved(saves: u32, pause: u64, running: bool) -> Heard {
    let root = tempfile::tempdir().expect("a folder");
    let parts = Parts {
        ids: crate::Ids::default(),
        clock: Arc::new(SystemClock::new()),
        build: Arc::new(Unused),
        sandbox: Arc::new(Unused),
        journal: Arc::new(Journal::new(10)),
        policy: Policy::local(1),
    };
    let heard = Arc::<Mutex<Heard>>::default();
    let function = Function { clock: parts.clock.clone(), running, heard: heard.clone() };
    let watch = Watch::start(parts, function);
    let id = FunctionId::new(Arc::new(Scope::new("cloud", "1", "here")), "f");
    watch.set(id, Some(root.path().to_owned()));
    for _ in 0..saves {
        let change = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let _ = watch.orders.send(Order::Changed(Event::new(change).add_path(root.path().join("app.py"))));
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    watch.stop();
    std::mem::take(&mut heard.lock().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_save_is_taken_up_at_once() {
    let times = reloads(1, 0).await;
    assert!(times.len() == 1 && times[0] <= 20, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn changes_in_a_row_are_one() {
    let times = reloads(10, 5).await;
    assert!(times.len() == 1 && times[0] <= 70, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn fifty_saves_a_second_are_a_few_reloads_and_the_last_save_counts() {
    let times = reloads(50, 20).await;
    assert!(times.len() <= 5 && times[0] <= 20, "{times:?}");
    assert!(*times.last().expect("a reload") >= 980, "the last save came at 980 ms: {times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_rests_is_reloaded_all_the_same() {
    let times = reloads(1000, 5).await;
    assert!(times[0] <= 110, "{times:?}");
    assert!(times.len() >= 5 && times.len() <= 10, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_person_who_saves_twice_waits_little() {
    let times = reloads(2, 300).await;
    assert!(times.len() == 2 && times[1] <= 320, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn calls_wait_from_the_first_change_to_the_reload() {
    for running in [true, false] {
        let heard = saved(1, 0, running).await;
        assert_eq!((heard.holds.as_slice(), heard.reloads.len()), ([0].as_slice(), 1));
    }
}

#[tokio::test(start_paused = true)]
async fn saves_of_an_idle_function_never_leave_old_code_reachable() {
    let heard = saved(50, 60, false).await;
    assert_eq!(heard.holds.len(), heard.reloads.len(), "each reload was waited for");
    assert!(heard.reloads.len() >= 11, "four times a second: {:?}", heard.reloads);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_writes_beside_its_code_still_runs() {
    let heard = saved(50, 60, true).await;
    assert!(heard.holds.len() <= 2, "it is not held again and again: {:?}", heard.holds);
}
