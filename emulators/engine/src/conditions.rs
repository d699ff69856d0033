//! Under which conditions an instance runs: its CPUs, what its start would have taken in the cloud, and how long it
//! is kept. They come from the terms of its product, and from what this run wants of them.

use crate::parts::Parts;
use mlemu_core::{ColdStarts, Revision, Shares, Simulated, Source, Terms};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What a run wants of the clouds' terms.
#[derive(Clone, Debug, Default)]
pub struct Simulation {
    /// Hold instances to their CPUs.
    pub cpu: bool,
    pub cold_starts: ColdStarts,
    /// Wait for what is simulated, instead of only telling it.
    pub sleeps: bool,
    /// By the name of the profile that a runtime gives.
    pub terms: Arc<BTreeMap<String, Terms>>,
}

/// What one instance meets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Conditions {
    pub(crate) cpu: Option<Shares>,
    pub(crate) start: Option<Simulated>,
    /// `None`: it is never idle for too long.
    pub(crate) keep: Option<Duration>,
    pub(crate) sleeps: bool,
}

impl Conditions {
    /// `packed`: bytes of the zipped package, if they are known. `provided`: it is kept however long it is idle.
    pub(crate) fn of(
        parts: &Parts,
        revision: &Revision,
        profile: &str,
        packed: Option<u64>,
        provided: bool,
    ) -> Self {
        let Simulation { cpu, cold_starts, sleeps, terms } = &parts.policy.simulation;
        let terms = terms.get(profile);
        let share = |kind| match cold_starts {
            ColdStarts::Sampled => drawn(parts, kind),
            ColdStarts::Off | ColdStarts::Typical => 0.5,
        };
        let start = terms.filter(|_| *cold_starts != ColdStarts::Off).map(|terms| Simulated {
            placement: terms.placement(&revision.runtime, share("a placement")),
            fetch: terms.fetch(packed.unwrap_or_default()),
            fetched_bytes: packed.unwrap_or_default(),
            slept: *sleeps,
        });
        let kept = terms.and_then(|terms| terms.keep_alive(share("a keep-alive")));
        Self {
            cpu: terms.filter(|_| *cpu).and_then(|terms| terms.shares(revision.limits.memory)),
            start,
            keep: (!provided).then(|| kept.unwrap_or(parts.policy.keep_alive)),
            sleeps: *sleeps,
        }
    }

    /// What is to be waited for before its process starts.
    pub(crate) fn pause(&self) -> Duration {
        self.start.filter(|_| self.sleeps).map_or(Duration::ZERO, |start| start.total())
    }
}

/// A share of all cases, from 0 to 1.
fn drawn(parts: &Parts, kind: &'static str) -> f64 {
    f64::from((parts.ids.fresh(kind).number() >> 32) as u32) / f64::from(u32::MAX)
}

/// Bytes of the zipped package of a revision, where somebody wants to know.
pub(crate) async fn packed(parts: &Parts, revision: &Revision, needs: mlemu_core::Needs) -> Option<u64> {
    match &revision.source {
        _ if parts.policy.simulation.cold_starts == ColdStarts::Off => None,
        Source::Unpacked { packed_bytes, .. } => Some(*packed_bytes),
        Source::Folder(_) => parts.build.weigh_package(needs).await,
    }
}
