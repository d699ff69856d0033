//! How much one rendering may do: its steps, the bytes it makes on the way, and its output.

use std::sync::atomic::{AtomicU64, Ordering};
use thiserror::Error;

/// Elements rendered and rounds of loops.
const MAX_STEPS: u64 = 2_000_000;
/// Bytes of all values that helpers make.
const MAX_WORK: u64 = 256 << 20;
/// Bytes of one event: far above the largest payload that a cloud takes.
pub(crate) const MAX_OUTPUT: usize = 64 << 20;
/// Bytes of a template.
pub(crate) const MAX_TEMPLATE: usize = 1 << 20;
/// Rounds of one `repeat`.
pub(crate) const MAX_ROUNDS: u64 = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Exhausted {
    #[error("the template has too much to do: over {MAX_STEPS} steps")]
    Steps,
    #[error("the template makes too much: over {MAX_WORK} bytes")]
    Work,
    #[error("the event is over {MAX_OUTPUT} bytes")]
    Output,
}

/// What was used of the limits so far. Shared by all helpers of one rendering.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    steps: AtomicU64,
    work: AtomicU64,
}

impl Budget {
    pub(crate) fn step(&self) -> Result<(), Exhausted> {
        let used = self.steps.fetch_add(1, Ordering::Relaxed);
        if used < MAX_STEPS { Ok(()) } else { Err(Exhausted::Steps) }
    }

    pub(crate) fn work(&self, bytes: usize) -> Result<(), Exhausted> {
        let bytes = bytes as u64;
        let used = self.work.fetch_add(bytes, Ordering::Relaxed);
        if used.saturating_add(bytes) <= MAX_WORK { Ok(()) } else { Err(Exhausted::Work) }
    }
}
