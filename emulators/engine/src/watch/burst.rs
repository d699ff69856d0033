//! When a source that changes is reloaded: soon after the first change, rarely while it goes on.
//!
//! Changes while the function has nothing to do are somebody's work on its code. Changes while it runs may be
//! its own: files that it writes beside its code. Those must not keep it from running.

use std::time::Duration;

/// Changes this close together are one.
const QUIET: Duration = Duration::from_millis(15);
/// A source that never rests is reloaded so long after its first change all the same.
const PATIENCE: Duration = Duration::from_millis(100);
/// A source that was just reloaded is not reloaded again before this.
const REST: Duration = Duration::from_millis(250);
/// Reloads of a running function that follow each other closely double the rest, up to this.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// The changes of one source that belong together. Times are on the clock's monotonic side.
pub(super) struct Burst {
    /// First and last of the changes that no reload has taken up yet.
    changes: Option<(Duration, Duration)>,
    /// Some of them came while the function was running.
    while_running: bool,
    last_reload: Option<Duration>,
    rest: Duration,
}

impl Default for Burst {
    fn default() -> Self {
        Self { changes: None, while_running: false, last_reload: None, rest: REST }
    }
}

impl Burst {
    pub(super) fn change(&mut self, now: Duration, running: bool) {
        let (first, _) = self.changes.unwrap_or((now, now));
        self.changes = Some((first, now));
        self.while_running |= running;
    }

    /// Whether calls shall wait for the reload. Not when a running function keeps changing its own source.
    pub(super) fn holds(&self) -> bool {
        self.changes.is_some() && (!self.while_running || self.rest == REST)
    }

    /// When to reload, if anything changed.
    pub(super) fn due(&self) -> Option<Duration> {
        let (first, last) = self.changes?;
        let calm = (last + QUIET).min(first + PATIENCE);
        Some(self.last_reload.map_or(calm, |reload| calm.max(reload + self.rest)))
    }

    /// The reload takes up all changes so far.
    pub(super) fn reloaded(&mut self, now: Duration) {
        let again = self.last_reload.is_some_and(|reload| now.saturating_sub(reload) < self.rest * 2);
        let restless = again && self.while_running;
        self.rest = if restless { (self.rest * 2).min(LONGEST_REST) } else { REST };
        self.last_reload = Some(now);
        self.changes = None;
        self.while_running = false;
    }
}
