//! Whatever happens in whatever order: each accepted call completes once, the cap holds, nothing is left.

use crate::fake::{Lab, Pending, cap, id, millis};
use mlemu_core::{Invoke, Mode, Refusal, Reply};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Call(&'static str, Mode),
    /// A call of the revision that was pinned so many pins ago.
    CallPinned(&'static str, usize),
    /// A caller that leaves after so many milliseconds.
    Abandon(&'static str, u64),
    Republish,
    Reserve(Option<u32>),
    Pin,
    Delete,
    Pass(u64),
}

const INITS: [&str; 5] =
    ["", "sleep 20", "sleep 20 | exit 1 | sleep 5", "error Broken | hang | ", " | oom | signal 9 | sleep 1"];

fn script() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "ok",
        "print hello; ok",
        "sleep 30; ok",
        "sleep 700; ok",
        "error Bad",
        "large",
        "exit 1",
        "signal 9",
        "oom",
        "hang",
        "linger 40; ok",
        "linger 9000; ok",
        "die; ok",
        "die-later 0; ok",
        "die-later 25; ok",
    ])
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => script().prop_map(|script| Step::Call(script, Mode::Wait)),
        3 => script().prop_map(|script| Step::Call(script, Mode::Queue)),
        2 => (script(), 0..3usize).prop_map(|(script, back)| Step::CallPinned(script, back)),
        1 => (script(), 0..200u64).prop_map(|(script, after)| Step::Abandon(script, after)),
        3 => Just(Step::Republish),
        2 => prop::option::of(0..3u32).prop_map(Step::Reserve),
        1 => Just(Step::Pin),
        1 => Just(Step::Delete),
        6 => prop::sample::select(vec![0, 1, 2, 3, 15, 20, 22, 25, 100, 3000, 700_000]).prop_map(Step::Pass),
    ]
}

/// What the test itself must remember.
struct Run {
    lab: Arc<Lab>,
    init: &'static str,
    crowd: bool,
    pending: Vec<Pending>,
    pins: usize,
}

impl Run {
    fn publish(&self) {
        if self.crowd {
            self.lab.publish_crowd(self.init);
        } else {
            self.lab.publish(self.init);
        }
    }

    async fn take(&mut self, step: Step) {
        let lab = &self.lab;
        match step {
            Step::Call(script, mode) => {
                let call = Invoke { mode, ..lab.invocation(script) };
                self.pending.push(lab.send_invocation(call).await);
            }
            Step::CallPinned(script, back) => {
                let qualifier = Some(format!("pin-{}", self.pins.saturating_sub(back)));
                let call = Invoke { qualifier, ..lab.invocation(script) };
                self.pending.push(lab.send_invocation(call).await);
            }
            Step::Abandon(script, after) => {
                let call = lab.invocation(script);
                let _ = tokio::time::timeout(millis(after), lab.invoke(call)).await;
            }
            Step::Republish => assert!(lab.engine.republish(&id())),
            Step::Reserve(limit) => assert!(lab.engine.reserve(&id(), limit)),
            Step::Pin => {
                self.pins += 1;
                lab.engine.pin(&id(), &format!("pin-{}", self.pins));
            }
            Step::Delete => {
                lab.engine.delete(&id());
                // Two functions of one name may overlap; the cap is one function's. A start that was begun
                // is seen through before it is undone.
                crate::fake::pass(millis(10)).await;
                lab.world.until(|seen| seen.live == 0).await;
                self.publish();
            }
            Step::Pass(time) => crate::fake::pass(millis(time)).await,
        }
    }

    /// Every call completes within the time that it can take.
    async fn end(self, quietly: bool) {
        let lab = &self.lab;
        if quietly {
            lab.engine.reserve(&id(), None);
            let limit = Duration::from_secs(20) * (lab.view().in_flight as u32 + 1);
            let calm = async {
                while lab.view().in_flight > 0 {
                    crate::fake::pass(millis(100)).await;
                }
            };
            tokio::time::timeout(limit, calm).await.expect("every accepted call completes");
        }
        lab.finish().await;
        for call in self.pending {
            match call.await.expect("no panic") {
                Ok(Reply::Done(_) | Reply::Accepted)
                | Err(
                    Refusal::Throttled(_)
                    | Refusal::NoRevision { .. }
                    | Refusal::NoFunction { .. }
                    | Refusal::Stopping,
                ) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens(
        steps in prop::collection::vec(step(), 1..40),
        init in prop::sample::select(INITS.to_vec()),
        local_cap in 1..4usize,
        crowd in any::<bool>(),
        quietly in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let lab = Arc::new(Lab::with(cap(Some(local_cap))));
            let mut run = Run { lab, init, crowd, pending: Vec::new(), pins: 0 };
            run.publish();
            for step in steps {
                run.take(step).await;
            }
            run.end(quietly).await;
        });
    }
}
