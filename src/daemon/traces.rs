//! The ids of requests that this daemon has seen: who waits for one that nobody has sent waits for nothing.

use http::HeaderMap;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Ids that are remembered. Beyond that the oldest are forgotten, and nothing can be said of those.
const MOST: usize = 100_000;

/// Headers of answers in which vendors tell a request's id, and of requests in which clients bring one.
const HEADERS: [&str; 7] = [
    "x-amz-request-id",
    "x-amzn-requestid",
    "x-amzn-trace-id",
    "x-cloud-trace-context",
    CLIENTS,
    OWN,
    "traceparent",
];

/// Where a client brings an id of its own, the service's is that of nothing else.
const CLIENTS: &str = "x-ms-client-request-id";
const OWN: &str = "x-ms-request-id";

/// Those of one world.
#[derive(Default)]
pub struct Traces(Mutex<Known>);

#[derive(Default)]
struct Known {
    all: HashSet<Arc<str>>,
    oldest: VecDeque<Arc<str>>,
    forgot: bool,
}

impl Traces {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn remember(&self, id: &str) {
        let mut known = self.known();
        if known.all.contains(id) {
            return;
        }
        let id: Arc<str> = id.into();
        known.all.insert(id.clone());
        known.oldest.push_back(id);
        if known.oldest.len() > MOST {
            known.forgot = true;
            if let Some(oldest) = known.oldest.pop_front() {
                known.all.remove(&oldest);
            }
        }
    }

    /// Every id that the head of a request or of an answer names.
    pub fn remember_all(&self, headers: &HeaderMap, meant: impl Fn(&str) -> String) {
        let not_meant = |name: &str| name == OWN && headers.contains_key(CLIENTS);
        for name in HEADERS.into_iter().filter(|name| !not_meant(name)) {
            if let Some(said) = headers.get(name).and_then(|value| value.to_str().ok()) {
                self.remember(&meant(said));
            }
        }
    }

    /// Whether a request may have had that id.
    pub fn may_know(&self, id: &str) -> bool {
        let known = self.known();
        known.forgot || known.all.contains(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_of_what_was_forgotten() {
        let traces = Traces::default();
        (0..MOST).for_each(|number| traces.remember(&number.to_string()));
        traces.remember("0");
        assert!(traces.may_know("0") && !traces.may_know("none"));
        traces.remember("one more");
        assert!(traces.may_know("one more") && traces.may_know("0") && traces.may_know("none"));
        assert_eq!(traces.known().all.len(), MOST);
    }
}
