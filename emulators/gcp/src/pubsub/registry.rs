//! Which topics, subscriptions, snapshots and schemas there are, as they were described. Their messages are in the
//! queue core.

use super::fault::Fault;
use super::names::Kind;
use super::wire::{Policy, Schema, Snapshot, Subscription, Topic};
use mlemu_engine::queues::{Bookmark, SubscriptionId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A subscription, and where the core has it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Held {
    pub said: Subscription,
    /// `None`: it is detached.
    pub core: Option<SubscriptionId>,
}

impl Held {
    /// Whether its messages are brought to somebody.
    pub fn is_pushed(&self) -> bool {
        self.said.push_config.as_ref().is_some_and(|push| !push.push_endpoint.is_empty())
    }
}

/// A snapshot, and what the core remembers for it.
#[derive(Clone)]
pub(super) struct Kept {
    pub said: Snapshot,
    pub mark: Bookmark,
}

/// Everything by its whole name. A copy is what a reset goes back to.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Registry {
    pub(super) topics: BTreeMap<String, Topic>,
    pub(super) subscriptions: BTreeMap<String, Held>,
    /// They end with the daemon.
    #[serde(skip)]
    pub(super) snapshots: BTreeMap<String, Kept>,
    /// Each with its revisions, oldest first.
    pub(super) schemas: BTreeMap<String, Vec<Schema>>,
    pub(super) policies: BTreeMap<String, Policy>,
}

impl Registry {
    pub(super) fn topic(&self, name: &str) -> Result<&Topic, Fault> {
        self.topics.get(name).ok_or_else(|| Fault::missing(Kind::Topic.word(), name))
    }

    pub(super) fn subscription(&self, name: &str) -> Result<&Held, Fault> {
        self.subscriptions.get(name).ok_or_else(|| Fault::missing(Kind::Subscription.word(), name))
    }

    /// Where the messages of a subscription are.
    pub(super) fn place(&self, name: &str) -> Result<SubscriptionId, Fault> {
        let held = self.subscription(name)?;
        held.core.clone().ok_or_else(|| {
            Fault::precondition(format!(
                "Subscription {name} is detached from its topic and receives no messages."
            ))
        })
    }

    pub(super) fn snapshot(&self, name: &str) -> Result<&Kept, Fault> {
        self.snapshots.get(name).ok_or_else(|| Fault::missing(Kind::Snapshot.word(), name))
    }
}

/// One page of what comes behind `token`, in order, and the token of the next page.
pub(super) fn page<T>(all: impl Iterator<Item = (String, T)>, size: i32, token: &str) -> (Vec<T>, String) {
    let size = usize::try_from(size).ok().filter(|size| *size > 0).unwrap_or(100).min(1000);
    let mut rest = all.skip_while(|(name, _)| !token.is_empty() && name.as_str() <= token).peekable();
    let mut last = String::new();
    let mut found = Vec::new();
    while let Some((name, one)) = rest.next_if(|_| found.len() < size) {
        found.push(one);
        last = name;
    }
    (found, if rest.peek().is_some() { last } else { String::new() })
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn pages_hold_everything_once() {
        let all = || (0..5).map(|n| (format!("n{n}"), n));
        let (first, token) = page(all(), 2, "");
        let (second, token) = page(all(), 2, &token);
        let (third, end) = page(all(), 2, &token);
        assert_eq!((first, second, third, end.as_str()), (vec![0, 1], vec![2, 3], vec![4], ""));
    }
}
