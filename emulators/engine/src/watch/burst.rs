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

/// So many reloads of a running function in a row are its own doing.
const SELF_MADE: u32 = 3;

/// The changes of one source that belong together. Times are on the clock's monotonic side.
pub(super) struct Burst {
    /// First and last of the changes that no reload has taken up yet.
    changes: Option<(Duration, Duration)>,
    /// Some of them came while code of the function ran.
    while_running: bool,
    /// How many reloads in a row took up such changes.
    streak: u32,
    last_reload: Option<Duration>,
    rest: Duration,
}

impl Default for Burst {
    fn default() -> Self {
        Self { changes: None, while_running: false, streak: 0, last_reload: None, rest: REST }
    }
}

/// What is known of the changes that a reload takes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) while_running: bool,
    /// It has just become clear that the function keeps changing its own source.
    pub(super) self_made: bool,
}

impl Burst {
    pub(super) fn change(&mut self, now: Duration, running: bool) {
        let (first, _) = self.changes.unwrap_or((now, now));
        self.changes = Some((first, now));
        self.while_running |= running;
    }

    /// Whether calls shall wait for the reload. Not when a running function keeps changing its own source.
    pub(super) fn holds(&self) -> bool {
        self.changes.is_some() && (!self.while_running || self.streak + 1 < SELF_MADE)
    }

    /// When to reload, if anything changed.
    pub(super) fn due(&self) -> Option<Duration> {
        let (first, last) = self.changes?;
        let calm = (last + QUIET).min(first + PATIENCE);
        Some(self.last_reload.map_or(calm, |reload| calm.max(reload + self.rest)))
    }

    /// The reload takes up all changes so far.
    pub(super) fn reloaded(&mut self, now: Duration) -> Taken {
        let again = self.last_reload.is_some_and(|reload| now.saturating_sub(reload) < self.rest * 2);
        let while_running = std::mem::take(&mut self.while_running);
        self.rest = if again && while_running { (self.rest * 2).min(LONGEST_REST) } else { REST };
        self.streak = if while_running { self.streak.saturating_add(1) } else { 0 };
        self.last_reload = Some(now);
        self.changes = None;
        Taken { while_running, self_made: self.streak == SELF_MADE }
    }
}
