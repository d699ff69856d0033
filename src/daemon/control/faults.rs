//! `/_mlemu/faults`: what shall go wrong. `/_mlemu/triggers`: whether functions start by themselves.

use super::{Fault, In, read, unreadable};
use crate::config::duration;
use crate::daemon::recording::Did;
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use http::StatusCode;
use mlemu_core::outcome::Phase;
use mlemu_engine::faults::{Effect, Matching, Rule, Standing, When};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A rule, as it is written in JSON and in test files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedFault {
    /// What is not said fits anything.
    #[serde(default, rename = "match")]
    pub matching: WantedMatch,
    /// `throttle`, `status:503`, `latency:100ms..2s`, `oom` and so on.
    pub effect: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nth: Vec<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// In emulated time, e.g. `10s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedMatch {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "op")]
    pub operation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "fn")]
    pub function: Option<String>,
}

/// One rule, several, or several with a seed.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Wanted {
    Many(Vec<WantedFault>),
    Seeded {
        seed: u64,
        #[serde(default)]
        rules: Vec<WantedFault>,
    },
    One(WantedFault),
}

#[derive(Debug, Serialize, Deserialize)]
pub struct FaultLine {
    pub number: u64,
    #[serde(rename = "match")]
    pub matching: WantedMatch,
    pub effect: String,
    /// How often something fitted it.
    pub seen: u64,
    /// How often it struck.
    pub struck: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Added {
    pub numbers: Vec<u64>,
}

impl WantedFault {
    /// # Errors
    /// In words, what of it is not understood.
    pub fn rule(&self) -> Result<Rule, String> {
        let effect = effect(&self.effect)?;
        let window = self.window.as_deref().map(|text| spell(text, "window")).transpose()?;
        let probability = self.probability.unwrap_or(1.0);
        if !(0.0..=1.0).contains(&probability) {
            return Err(format!("`{probability}` is no probability: 0 to 1"));
        }
        let when = When {
            nth: self.nth.clone(),
            after: self.after.unwrap_or_default(),
            times: self.times,
            probability,
            window,
        };
        Ok(Rule { matching: self.matching.for_effect(&effect), effect, when })
    }
}

impl WantedMatch {
    /// Deliveries have no service of a vendor: what is a queue's or a function's is told apart by its kind.
    fn for_effect(&self, effect: &Effect) -> Matching {
        let Self { service, operation, resource, function } = self.clone();
        let delivers =
            matches!(effect, Effect::Duplicate | Effect::Reorder | Effect::Delay(_) | Effect::Drop);
        if !delivers {
            return Matching { service, operation, resource, function };
        }
        let of_queue = |service: &str| matches!(service, "sqs" | "pubsub" | "queue" | "queues");
        let service = service.map(|service| if of_queue(&service) { "queues" } else { "functions" }.into());
        Matching { service, operation: None, resource, function }
    }
}

fn spell(text: &str, what: &str) -> Result<std::time::Duration, String> {
    duration(text).ok_or_else(|| format!("the {what} `{text}` is no duration: write 500ms, 30s, 10m or 6h"))
}

/// A word, or a word and what it takes behind a colon.
fn effect(text: &str) -> Result<Effect, String> {
    let (word, rest) = text.split_once(':').map_or((text, ""), |(word, rest)| (word.trim(), rest.trim()));
    Ok(match (word, rest) {
        ("throttle", "") => Effect::Throttle,
        ("5xx", "") => Effect::Status(500),
        ("status", status) => {
            let read = status.parse().ok().filter(|status| (400..600).contains(status));
            Effect::Status(read.ok_or_else(|| format!("`{status}` is no status of an error: 400 to 599"))?)
        }
        ("disk-full", "") => Effect::DiskFull,
        ("latency", range) => {
            let (least, most) = range.split_once("..").unwrap_or((range, range));
            Effect::Latency { least: spell(least, "latency")?, most: spell(most, "latency")? }
        }
        ("reset", "") => Effect::Reset,
        ("truncate", after) => {
            let after = after.parse().map_err(|_| format!("`{after}` is no number of bytes"))?;
            Effect::Truncate { after }
        }
        ("hang", "") => Effect::Hang,
        ("duplicate", "") => Effect::Duplicate,
        ("reorder", "") => Effect::Reorder,
        ("delay", by) => Effect::Delay(spell(by, "delay")?),
        ("drop", "") => Effect::Drop,
        ("oom", "") => Effect::OutOfMemory,
        ("crash-init", "") => Effect::Crash(Phase::Init),
        ("crash-handler" | "crash", "") => Effect::Crash(Phase::Invoke),
        ("timeout", "") => Effect::Timeout,
        ("cold", "") => Effect::Cold,
        _ => {
            let words = "throttle, 5xx, status:503, latency:100ms..2s, reset, truncate:100, hang, disk-full, \
                duplicate, reorder, delay:5m, drop, oom, crash-init, crash-handler, timeout, cold";
            return Err(format!("`{text}` is no effect; there are: {words}"));
        }
    })
}

fn line(standing: Standing) -> FaultLine {
    let Matching { service, operation, resource, function } = standing.rule.matching;
    FaultLine {
        number: standing.number,
        matching: WantedMatch { service, operation, resource, function },
        effect: standing.rule.effect.to_string(),
        seen: standing.seen,
        struck: standing.struck,
    }
}

pub async fn list(In(world): In) -> Json<Vec<FaultLine>> {
    Json(world.engine.faults().standing().into_iter().map(line).collect())
}

/// Understood whole before any of it is set.
pub async fn add(In(world): In, body: Bytes) -> Result<Json<Added>, Fault> {
    let (seed, wanted) = match read::<serde_json::Value>(&body)? {
        // Read again as what it looks like: an untagged reader would not say what is wrong.
        document @ serde_json::Value::Array(_) => (None, serde_json::from_value(document)),
        document if document.get("effect").is_some() => {
            (None, serde_json::from_value(document).map(|one: WantedFault| vec![one]))
        }
        document => match serde_json::from_value(document) {
            Ok(Wanted::Seeded { seed, rules }) => (Some(seed), Ok(rules)),
            Ok(Wanted::Many(rules)) => (None, Ok(rules)),
            Ok(Wanted::One(rule)) => (None, Ok(vec![rule])),
            Err(error) => (None, Err(error)),
        },
    };
    let wanted = wanted.map_err(|error| unreadable(format!("the rule is not understood: {error}")))?;
    let rules: Result<Vec<Rule>, String> = wanted.iter().map(WantedFault::rule).collect();
    let rules = rules.map_err(unreadable)?;
    let faults = world.engine.faults();
    if let Some(seed) = seed {
        faults.seed(seed);
    }
    for rule in &wanted {
        world.did(|| Did::Fault(serde_json::json!(rule))).await;
    }
    Ok(Json(Added { numbers: rules.into_iter().map(|rule| faults.add(rule)).collect() }))
}

pub async fn clear(In(world): In) -> StatusCode {
    world.engine.faults().clear();
    StatusCode::NO_CONTENT
}

pub async fn remove(In(world): In, Path(number): Path<u64>) -> Result<StatusCode, Fault> {
    if world.engine.faults().remove(number) {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Fault(StatusCode::NOT_FOUND, format!("there is no rule {number}")))
}

/// Changes and messages wait from here on.
pub async fn pause(In(world): In) -> StatusCode {
    world.engine.gate().close();
    StatusCode::NO_CONTENT
}

pub async fn resume(In(world): In) -> StatusCode {
    world.engine.gate().open();
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn effects_are_words() {
        assert_eq!(effect("status:503"), Ok(Effect::Status(503)));
        let (least, most) = (Duration::from_millis(100), Duration::from_secs(2));
        assert_eq!(effect("latency: 100ms..2s"), Ok(Effect::Latency { least, most }));
        assert_eq!(effect("delay:5m"), Ok(Effect::Delay(Duration::from_secs(300))));
        for wrong in ["", "status:200", "status:x", "latency", "throttle:1", "truncate:-1", "explode"] {
            assert!(effect(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn deliveries_belong_to_queues_or_functions() {
        let wanted = |json: &str| serde_json::from_str::<WantedFault>(json).expect("understood").rule();
        let rule = wanted(r#"{ "match": { "service": "sqs", "op": "deliver" }, "effect": "duplicate" }"#);
        let matching = rule.expect("a rule").matching;
        assert_eq!((matching.service.as_deref(), matching.operation), (Some("queues"), None));
        assert!(wanted(r#"{ "effect": "oom", "probability": 2 }"#).is_err());
    }
}
