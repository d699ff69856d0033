//! A function as the second version of the API writes it, read as a declaration.
//!
//! Source: the REST reference of `projects.locations.functions`, v2.

use crate::functions::fault::Fault;
use crate::profile::MIB;
use mlemu_core::Environment;
use mlemu_core::declare::{FunctionDeclaration, Provenance, QueueOptions, TriggerDeclaration};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const STORAGE: [&str; 2] = ["google.cloud.storage.object.v1.", "google.storage.object."];
const PUBSUB: [&str; 2] = ["google.cloud.pubsub.topic.v1.messagePublished", "google.pubsub.topic.publish"];

/// Clients write the values of enumerations by name or by number.
fn is_choice(value: &Value, name: &str, number: u64) -> bool {
    value.as_str() == Some(name) || value.as_u64() == Some(number)
}

pub(crate) fn is_first(document: &Value) -> bool {
    is_choice(&document["environment"], "GEN_1", 1)
}

/// The last part of a whole name, which must be one that the vendor would take.
pub(crate) fn checked_name(name: &str, first: bool) -> Result<&str, Fault> {
    let others = |c: char| c.is_ascii_alphanumeric() && (first || !c.is_ascii_uppercase()) || c == '-';
    let fits = name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_alphabetic() && (first || c.is_ascii_lowercase()))
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| others(c) || first && c == '_');
    let form = if first { "letters, digits, - and _" } else { "lower-case letters, digits and -" };
    let why = || format!("`{name}` is no name of a function: up to 63 {form}, a letter first");
    if fits { Ok(name) } else { Err(Fault::invalid(why())) }
}

/// What a document declares; `source`: its code, opened.
pub(crate) fn declaration(name: &str, document: &Value, source: &Path) -> Result<FunctionDeclaration, Fault> {
    let (build, service) = (&document["buildConfig"], &document["serviceConfig"]);
    let runtime = build["runtime"].as_str().unwrap_or_default();
    if runtime.is_empty() {
        return Err(Fault::invalid("buildConfig.runtime is missing"));
    }
    let handler = build["entryPoint"].as_str().filter(|entry| !entry.is_empty()).unwrap_or(name);
    let memory = service["availableMemory"].as_str().filter(|text| !text.is_empty());
    let timeout = number(&service["timeoutSeconds"])?.map(|seconds| Duration::from_secs(seconds.into()));
    let mut options = BTreeMap::new();
    options.insert("generation".to_owned(), if is_first(document) { "1" } else { "2" }.to_owned());
    for (key, field) in
        [("instance_concurrency", "maxInstanceRequestConcurrency"), ("min_instances", "minInstanceCount")]
    {
        if let Some(count) = number(&service[field])?.filter(|count| *count > 0) {
            options.insert(key.into(), count.to_string());
        }
    }
    let trigger = &document["eventTrigger"];
    if is_choice(&trigger["retryPolicy"], "RETRY_POLICY_RETRY", 2) {
        options.insert("retry".into(), "true".into());
    }
    Ok(FunctionDeclaration {
        cloud: crate::place::CLOUD.into(),
        name: name.to_owned(),
        alias: None,
        runtime: runtime.to_owned(),
        handler: handler.to_owned(),
        source: source.to_owned(),
        memory: memory.map(bytes).transpose()?,
        timeout,
        tmp: None,
        env: variables(&service["environmentVariables"])?,
        concurrency: number(&service["maxInstanceCount"])?.filter(|count| *count > 0),
        triggers: event(trigger)?.into_iter().collect(),
        options,
        from: Provenance { file: "deployed".into(), line: 0 },
    })
}

fn number(value: &Value) -> Result<Option<u32>, Fault> {
    let read = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|count| count.try_into().ok()),
    };
    read.map(Some).ok_or_else(|| Fault::invalid(format!("{value} is no number that can be here")))
}

fn variables(value: &Value) -> Result<Environment, Fault> {
    let Some(pairs) = value.as_object() else { return Ok(Environment::new()) };
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    let read: Option<Environment> = pairs.iter().map(text).collect();
    read.ok_or_else(|| Fault::invalid("environmentVariables must be strings"))
}

/// Memory with a suffix of Kubernetes: `256M`, `1Gi`; megabytes count as mebibytes, as the vendor's do.
pub(crate) fn bytes(text: &str) -> Result<u64, Fault> {
    let wrong = || Fault::invalid(format!("`{text}` is no amount of memory: write it like 256M or 1Gi"));
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let one = match unit.strip_suffix('B').unwrap_or(unit) {
        "" => 1,
        "k" | "K" | "Ki" => 1024,
        "M" | "Mi" => MIB,
        "G" | "Gi" => 1024 * MIB,
        _ => return Err(wrong()),
    };
    let amount: u64 = digits.parse().map_err(|_| wrong())?;
    amount.checked_mul(one).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

fn event(trigger: &Value) -> Result<Option<TriggerDeclaration>, Fault> {
    let Some(kind) = trigger["eventType"].as_str() else { return Ok(None) };
    let filter = |attribute: &str| {
        let filters = trigger["eventFilters"].as_array()?;
        let found = filters.iter().find(|filter| filter["attribute"] == attribute)?;
        found["value"].as_str()
    };
    if STORAGE.iter().any(|prefix| kind.starts_with(prefix)) {
        let bucket = filter("bucket").ok_or_else(|| Fault::invalid("eventFilters must name a bucket"))?;
        let events = vec![kind.to_owned()];
        return Ok(Some(TriggerDeclaration::Bucket {
            bucket: bucket.into(),
            events,
            prefix: None,
            suffix: None,
        }));
    }
    if PUBSUB.contains(&kind) {
        let topic = trigger["pubsubTopic"].as_str().or_else(|| filter("topic"));
        let topic = topic.ok_or_else(|| Fault::invalid("eventTrigger.pubsubTopic is missing"))?;
        let options = QueueOptions::default();
        return Ok(Some(TriggerDeclaration::Queue { queue: topic.into(), batch: 1, options }));
    }
    Err(Fault::unimplemented(&format!("A function on events of {kind}")))
}
