//! Faults that a test asks for: ordered rules that say what goes wrong, where, and how often.
//!
//! Whoever is about to do something asks [`Faults::hit`]; the first rule that fits and is not used up says what
//! goes wrong instead. Each rule throws dice of its own from one seed, so a run repeats. A fault that strikes
//! names itself in the records: it is never taken for a fault of ours. While there is no rule, asking costs one
//! read of a flag ([`Faults::any`]).

mod calls;
mod rule;

pub(crate) use calls::{CallFault, Fate};
pub use rule::{Effect, Matching, Point, Rule, Sighting, When};
pub(crate) use rule::{RECEIVE, SEND};

use crate::queues::TopicId;
use mlemu_core::{Cause, Clock, Sink, Subject, What};
use rule::Armed;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A cheap handle; clones share one table. That of `default` tells nobody, and has no emulated time.
#[derive(Clone, Default)]
pub struct Faults {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    armed: AtomicBool,
    table: Mutex<Table>,
    told: Option<(Arc<dyn Clock>, Arc<dyn Sink>)>,
}

#[derive(Default)]
struct Table {
    rules: Vec<Armed>,
    newest: u64,
    seed: u64,
}

/// What a request asks for, in the vendor's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub service: String,
    pub operation: String,
    /// A bucket with or without a key, a queue, a function.
    pub resource: String,
}

/// How a request is refused; each vendor has words of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    Throttled,
    /// By this status.
    Broken(u16),
    /// There is no room.
    Full,
}

/// A rule that strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The number of the rule.
    pub rule: u64,
    pub effect: Effect,
    /// Somewhere between 0 and 1, for effects that vary.
    pub dice: u32,
}

/// A rule, and what became of it.
#[derive(Clone, Debug)]
pub struct Standing {
    pub number: u64,
    pub rule: Rule,
    /// How often something fitted it.
    pub seen: u64,
    /// How often it struck.
    pub struck: u64,
}

impl Faults {
    /// Hits are told to `sink`.
    pub fn new(clock: Arc<dyn Clock>, sink: Arc<dyn Sink>) -> Self {
        let shared = Shared { told: Some((clock, sink)), ..Shared::default() };
        Self { shared: Arc::new(shared) }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.shared.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is any rule at all.
    pub fn any(&self) -> bool {
        self.shared.armed.load(Ordering::Relaxed)
    }

    /// Adds a rule behind the others, and gives its number.
    pub fn add(&self, rule: Rule) -> u64 {
        let now = self.shared.told.as_ref().map(|(clock, _)| clock.now());
        let mut table = self.table();
        table.newest += 1;
        let number = table.newest;
        let armed = Armed::new(rule, number, table.seed, now.unwrap_or_default());
        table.rules.push(armed);
        self.shared.armed.store(true, Ordering::Relaxed);
        number
    }

    /// `false`: there is no such rule.
    pub fn remove(&self, number: u64) -> bool {
        let mut table = self.table();
        let before = table.rules.len();
        table.rules.retain(|armed| armed.number != number);
        self.shared.armed.store(!table.rules.is_empty(), Ordering::Relaxed);
        table.rules.len() < before
    }

    /// Forgets all rules; numbers begin again.
    pub fn clear(&self) {
        let mut table = self.table();
        table.rules.clear();
        table.newest = 0;
        self.shared.armed.store(false, Ordering::Relaxed);
    }

    /// What rules throw their dice by that are added from now on.
    pub fn seed(&self, seed: u64) {
        self.table().seed = seed;
    }

    /// All rules in their order.
    pub fn standing(&self) -> Vec<Standing> {
        self.table().rules.iter().map(Armed::standing).collect()
    }

    /// What goes wrong with what is about to happen, if anything does. `subject`: what its record is about.
    pub fn hit(&self, sighting: &Sighting<'_>, subject: Subject) -> Option<Hit> {
        if !self.any() {
            return None;
        }
        let now = self.shared.told.as_ref().map(|(clock, _)| clock.now()).unwrap_or_default();
        let mut table = self.table();
        let mut hit = None;
        for armed in &mut table.rules {
            // Each rule counts what fits it, also where another one strikes.
            let strikes = armed.sees(sighting, now, hit.is_none());
            hit = hit.or(strikes);
        }
        drop(table);
        if let (Some(hit), Some((clock, sink))) = (&hit, &self.shared.told) {
            let at = sighting.describe();
            let what = What::Injected { rule: hit.rule, effect: hit.effect.to_string(), at };
            sink.send(clock.now(), subject, what);
        }
        hit
    }
}

impl Faults {
    /// The same for a message of a queue.
    pub(crate) fn on_message(&self, topic: &TopicId, operation: &str, cause: &Cause) -> Option<Effect> {
        if !self.any() {
            return None;
        }
        let sighting = Sighting {
            point: Point::Delivery,
            service: "queues",
            operation,
            resource: &topic.name,
            function: "",
        };
        let subject = Subject { cause: Some(cause.clone()), ..Subject::default() };
        self.hit(&sighting, subject).map(|hit| hit.effect)
    }
}

#[cfg(test)]
mod tests;
