//! Which messages were sent a short while ago, so that the same one is accepted once.

use super::Sent;
use mlemu_core::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How long a key is remembered.
const WINDOW: Duration = Duration::from_mins(5);

/// The keys of the last minutes and what became of their first message.
#[derive(Clone, Debug, Default)]
pub(super) struct Dedupe {
    seen: HashMap<Arc<str>, Sent>,
    /// In the order in which they are forgotten.
    order: VecDeque<(Timestamp, Arc<str>)>,
}

impl Dedupe {
    /// The first message of this key, if that was not too long ago.
    pub fn find(&mut self, key: &str, now: Timestamp) -> Option<Sent> {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, key)) = self.order.pop_front() {
                self.seen.remove(&key);
            }
        }
        let first = self.seen.get(key)?;
        Some(Sent { duplicate: true, ..first.clone() })
    }

    pub fn remember(&mut self, key: Arc<str>, sent: Sent, now: Timestamp) {
        self.order.push_back((now.plus(WINDOW), key.clone()));
        self.seen.insert(key, sent);
    }
}
