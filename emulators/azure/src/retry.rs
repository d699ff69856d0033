//! Retry policies: how often a run that failed is tried again by the host, and how long after.
//!
//! Source: Azure Functions documentation, "Azure Functions error handling and retries".

use crate::settings::span;
use crate::worker::messages::{RpcRetryOptions, Span};
use mlemu_core::InvocationId;
use mlemu_engine::queues::BackOff;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Triggers whose failed runs the host tries again; the others have tries of their own, or callers who have.
const FOLLOWED: [&str; 4] = ["timertrigger", "eventhubtrigger", "kafkatrigger", "cosmosdbtrigger"];

/// One policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Tries after the first; `None`: for ever.
    pub most: Option<u32>,
    pub waits: BackOff,
}

impl Retry {
    /// Whether the policy of a function with such a trigger is followed.
    pub fn is_followed(trigger: &str) -> bool {
        FOLLOWED.contains(&trigger.to_ascii_lowercase().as_str())
    }

    /// As `host.json` and `function.json` have it under `retry`; `Null`: there is none.
    pub fn read(said: &Value) -> Result<Option<Self>, String> {
        if said.is_null() {
            return Ok(None);
        }
        let time = |name: &str| {
            let text = said[name].as_str().ok_or_else(|| format!("retry: it has no {name}"))?;
            span(text)
                .ok_or_else(|| format!("retry: {name}: `{text}` is no time; write it like \"00:00:10\""))
        };
        let waits = match said["strategy"].as_str().unwrap_or_default().to_ascii_lowercase().as_str() {
            "fixeddelay" => fixed(time("delayInterval")?),
            "exponentialbackoff" => {
                BackOff { first: time("minimumInterval")?, longest: time("maximumInterval")? }
            }
            _ => return Err("retry: strategy must be fixedDelay or exponentialBackoff".into()),
        };
        let most = said["maxRetryCount"].as_i64().ok_or("retry: it has no maxRetryCount")?;
        Ok(Some(Self { most: u32::try_from(most).ok(), waits }))
    }

    /// As a worker tells it.
    pub fn told(options: &RpcRetryOptions) -> Self {
        let waits = if options.retry_strategy == RpcRetryOptions::FIXED_DELAY {
            fixed(time(options.delay_interval))
        } else {
            BackOff { first: time(options.minimum_interval), longest: time(options.maximum_interval) }
        };
        Self { most: u32::try_from(options.max_retry_count).ok(), waits }
    }

    /// As workers are told it.
    pub fn count(self) -> i32 {
        self.most.map_or(-1, |most| i32::try_from(most).unwrap_or(i32::MAX))
    }
}

/// How often calls that may be tried again have run.
#[derive(Debug, Default)]
pub(crate) struct Tries(Mutex<HashMap<InvocationId, i32>>);

impl Tries {
    /// A run begins; how many there were before.
    pub fn begin(&self, call: &InvocationId) -> i32 {
        let mut all = self.all();
        let runs = all.entry(call.clone()).or_default();
        *runs += 1;
        *runs - 1
    }

    /// There will be no more.
    pub fn end(&self, call: &InvocationId) {
        self.all().remove(call);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<InvocationId, i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fixed(delay: Duration) -> BackOff {
    BackOff { first: delay, longest: delay }
}

fn time(span: Option<Span>) -> Duration {
    let Span { seconds, nanos } = span.unwrap_or_default();
    Duration::new(u64::try_from(seconds).unwrap_or(0), u32::try_from(nanos.min(999_999_999)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn policies_of_files_and_of_workers() {
        let fixed = json!({"strategy": "fixedDelay", "maxRetryCount": 4, "delayInterval": "00:00:10"});
        let read = Retry::read(&fixed).unwrap().unwrap();
        assert_eq!((read.most, read.waits.after(1), read.waits.after(3)), (Some(4), secs(10), secs(10)));
        let growing = json!({"strategy": "exponentialBackoff", "maxRetryCount": -1,
            "minimumInterval": "00:00:10", "maximumInterval": "00:15:00"});
        let read = Retry::read(&growing).unwrap().unwrap();
        assert_eq!((read.most, read.count()), (None, -1));
        assert_eq!((read.waits.after(2), read.waits.after(30)), (secs(20), secs(900)));
        let span = |seconds| Some(Span { seconds, nanos: 0 });
        let told = RpcRetryOptions {
            max_retry_count: -1,
            minimum_interval: span(10),
            maximum_interval: span(900),
            ..RpcRetryOptions::default()
        };
        assert_eq!(Retry::told(&told), read);
        assert_eq!(Retry::read(&Value::Null), Ok(None));
    }

    #[test]
    fn what_is_no_policy_says_why() {
        let bad = [
            (json!({"strategy": "often", "maxRetryCount": 1}), "strategy"),
            (json!({"strategy": "fixedDelay", "maxRetryCount": 1}), "delayInterval"),
            (json!({"strategy": "fixedDelay", "maxRetryCount": 1, "delayInterval": "soon"}), "00:00:10"),
            (json!({"strategy": "fixedDelay", "delayInterval": "00:00:01"}), "maxRetryCount"),
            (json!([]), "strategy"),
        ];
        for (said, why) in bad {
            assert!(Retry::read(&said).is_err_and(|error| error.contains(why)), "{said}");
        }
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }
}
