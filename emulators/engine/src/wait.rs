//! Waiting until something is so: what tests do instead of sleeping.
//!
//! A [`Wait`] is asked again whenever something has ended or was committed, and never otherwise. It is exact
//! because [`settle`](crate::settle) is; it gives up only where its caller does, or where nothing that is under
//! way could make it come true any more.

use crate::history::{History, Past};
use crate::objects::{BucketView, ListQuery, Object, Objects};
use crate::queues::{Queues, SubscriptionId};
use crate::settle::{Settle, Which};
use mlemu_core::record::Status;
use mlemu_core::{FunctionId, Scope};
use std::sync::Arc;

/// Most objects that a wait counts and shows.
const OBJECTS: usize = 1000;

/// How an invocation shall have ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Any,
    /// With whatever but success.
    Failed,
    /// With the status of this word: see [`Status::word`].
    As(String),
}

impl Ending {
    fn is(&self, status: &Status) -> bool {
        match self {
            Ending::Any => true,
            Ending::Failed => !status.is_ok(),
            Ending::As(word) => status.word() == word,
        }
    }
}

/// Invocations that are waited for.
#[derive(Clone, Debug)]
pub struct Invocations {
    /// None: of any function.
    pub function: Option<FunctionId>,
    pub ending: Ending,
    /// None: of any chain.
    pub trace: Option<Arc<str>>,
    /// Only those that arrived after this one.
    pub since: u64,
    pub count: usize,
}

impl Invocations {
    fn is(&self, past: &Past) -> bool {
        past.number > self.since
            && self.function.as_ref().is_none_or(|function| *function == past.function)
            && self.trace.as_ref().is_none_or(|trace| *trace == past.trace())
            && past.status().is_some_and(|status| self.ending.is(&status))
    }
}

/// Objects that are waited for.
#[derive(Clone, Debug)]
pub struct Stored {
    pub bucket: String,
    /// None: in any account.
    pub accounts: Option<Vec<Arc<str>>>,
    pub key: Key,
    pub count: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Exactly(String),
    /// Keys that begin so.
    Prefix(String),
}

/// All of it must be so at the same time.
#[derive(Clone, Debug, Default)]
pub struct Until {
    pub settled: Option<Which>,
    pub invocations: Option<Invocations>,
    pub stored: Option<Stored>,
    /// A queue in which nothing is left, hidden messages included.
    pub emptied: Option<SubscriptionId>,
}

/// Where to look.
#[derive(Clone)]
pub struct World {
    pub settle: Settle,
    pub history: History,
    pub objects: Objects,
    pub queues: Queues,
}

/// One wait on its way, and what it has found so far.
pub struct Wait {
    world: World,
    until: Until,
    /// How many ends were looked at.
    seen: u64,
    pub ended: Vec<Arc<Past>>,
    pub objects: Vec<Arc<Object>>,
    /// Nothing is under way that could make it come true.
    pub in_vain: bool,
}

impl Wait {
    pub fn new(world: World, until: Until) -> Self {
        Self { world, until, seen: 0, ended: Vec::new(), objects: Vec::new(), in_vain: false }
    }

    /// Completes once all of it is so. With `while_busy` it also completes when that can only come from outside,
    /// and says so in `in_vain`. Cancel-safe.
    pub async fn run(&mut self, while_busy: bool) {
        let settle = self.world.settle.clone();
        let pulse = settle.pulse().clone();
        pulse
            .until(|| {
                // Asked first: what was under way a moment ago has left its traces by now.
                let quiet = while_busy && settle.is_settled(&Which::Everything);
                let met = self.is_met();
                self.in_vain = quiet && !met;
                (met || quiet).then_some(())
            })
            .await;
    }

    fn is_met(&mut self) -> bool {
        // What has settled has ended before: it must be asked first.
        let settled = self.is_settled();
        let ended = self.has_ended();
        let stored = self.is_stored();
        let emptied = self.is_emptied();
        settled && ended && stored && emptied
    }

    /// Whether what shall be settled is.
    pub fn is_settled(&self) -> bool {
        self.until.settled.as_ref().is_none_or(|which| self.world.settle.is_settled(which))
    }

    /// Whether nothing is left in the queue; one that is gone has nothing.
    pub fn is_emptied(&self) -> bool {
        self.until.emptied.as_ref().is_none_or(|queue| {
            let counts = self.world.queues.counts(queue).unwrap_or_default();
            counts.visible + counts.leased + counts.delayed == 0
        })
    }

    /// Whether the invocations have ended, as far as was seen.
    pub fn has_all_ends(&self) -> bool {
        self.until.invocations.as_ref().is_none_or(|wanted| self.ended.len() >= wanted.count)
    }

    /// Whether the objects were there when it was last asked.
    pub fn has_all_objects(&self) -> bool {
        self.until.stored.as_ref().is_none_or(|wanted| self.objects.len() >= wanted.count)
    }

    fn has_ended(&mut self) -> bool {
        if let Some(wanted) = &self.until.invocations {
            let (ended, seen) = self.world.history.ended_after(self.seen);
            self.seen = seen;
            self.ended.extend(ended.into_iter().filter(|past| wanted.is(past)));
        }
        self.has_all_ends()
    }

    fn is_stored(&mut self) -> bool {
        if let Some(wanted) = &self.until.stored {
            self.objects = wanted.find(&self.world.objects);
        }
        self.has_all_objects()
    }
}

impl Stored {
    /// What is there of it now, in the order of the keys.
    pub fn find(&self, objects: &Objects) -> Vec<Arc<Object>> {
        let mut buckets = objects.named(&self.bucket);
        buckets.retain(|bucket| self.is_ours(&bucket.scope));
        buckets.iter().flat_map(|bucket| self.find_in(objects, bucket)).collect()
    }

    fn is_ours(&self, scope: &Scope) -> bool {
        self.accounts.as_ref().is_none_or(|accounts| accounts.contains(&scope.account))
    }

    /// A bucket that is deleted meanwhile has none.
    fn find_in(&self, objects: &Objects, bucket: &BucketView) -> Vec<Arc<Object>> {
        match &self.key {
            Key::Exactly(key) => objects.get(&bucket.id, key).into_iter().collect(),
            Key::Prefix(prefix) => {
                let query = ListQuery { prefix, limit: OBJECTS.max(self.count), ..ListQuery::default() };
                objects.list(&bucket.id, query).map(|page| page.objects).unwrap_or_default()
            }
        }
    }
}
