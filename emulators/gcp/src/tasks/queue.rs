//! How a queue behaves: how often and when a task is tried again.
//!
//! Defaults: Cloud Tasks, REST reference, `RetryConfig`.

use crate::functions::fault::Fault;
use crate::pubsub::wire::known::{self, Span, Time};
use mlemu_core::Timestamp;
use mlemu_engine::queues::{BackOff, Settings};
use serde_json::{Value, json};
use std::time::Duration;

/// No answer may take longer than a task's longest dispatch deadline.
const LEASE: Duration = Duration::from_secs(1800);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retries {
    /// `None`: without end.
    pub most_attempts: Option<u32>,
    back_off: BackOff,
}

impl Retries {
    pub fn of(queue: &Value) -> Result<Self, Fault> {
        let config = &queue["retryConfig"];
        let attempts = config["maxAttempts"].as_i64().unwrap_or(100);
        let (first, longest) = (span(&config["minBackoff"])?, span(&config["maxBackoff"])?);
        if first > longest {
            return Err(Fault::invalid("RetryConfig.minBackoff is more than RetryConfig.maxBackoff"));
        }
        let most_attempts =
            if attempts < 0 { None } else { Some(u32::try_from(attempts).unwrap_or(u32::MAX)) };
        Ok(Self { most_attempts, back_off: BackOff { first, longest } })
    }

    pub fn settings(self) -> Settings {
        Settings { lease: LEASE, back_off: Some(self.back_off), ..Settings::default() }
    }
}

/// With what the vendor says where nobody did.
pub(super) fn complete(mut said: Value) -> Result<Value, Fault> {
    let mut queue = json!({
        "rateLimits": { "maxDispatchesPerSecond": 500, "maxBurstSize": 100, "maxConcurrentDispatches": 1000 },
        "retryConfig": { "maxAttempts": 100, "minBackoff": "0.100s", "maxBackoff": "3600s", "maxDoublings": 16 },
        "state": "RUNNING",
    });
    merge(&mut queue, said.take());
    Retries::of(&queue)?;
    Ok(queue)
}

/// Words of the second go over those of the first.
pub(super) fn merge(into: &mut Value, said: Value) {
    match (into, said) {
        (Value::Object(into), Value::Object(said)) => {
            for (key, value) in said {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, said) => *into = said,
    }
}

pub(super) fn span(said: &Value) -> Result<Duration, Fault> {
    let read = serde_json::from_value::<Span>(said.clone()).ok().and_then(Span::duration);
    read.ok_or_else(|| Fault::invalid(format!("{said} is no duration; write it like \"3.5s\"")))
}

pub(super) fn time(said: &Value) -> Result<Option<Timestamp>, Fault> {
    if said.is_null() {
        return Ok(None);
    }
    let read = serde_json::from_value::<Time>(said.clone());
    read.map(|time| Some(time.into())).map_err(|_| Fault::invalid(format!("{said} is no time")))
}

pub(super) fn rfc3339(at: Timestamp) -> String {
    known::rfc3339(at)
}
