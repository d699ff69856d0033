//! What objects were that are gone: their removal is told with all that was known of them.

use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// How many are remembered; an event that comes later than so many removals has less to say.
const MOST: usize = 1024;

/// The resources of objects, by the commits that made them. The oldest are forgotten.
#[derive(Debug, Default)]
pub(super) struct Farewells(Mutex<VecDeque<(u64, Value)>>);

impl Farewells {
    pub fn keep(&self, sequence: u64, resource: Value) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == MOST {
            kept.pop_front();
        }
        kept.push_back((sequence, resource));
    }

    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub fn of(&self, sequence: u64) -> Option<Value> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().find(|(one, _)| *one == sequence).map(|(_, resource)| resource.clone())
    }
}
