//! The first version's document of a function, in the second's spelling.
//!
//! Source: the REST reference of `projects.locations.functions`, v1.

use super::Deployments;
use crate::functions::fault::Fault;
use crate::place::Place;
use serde_json::{Map, Value, json};

/// What is the same in both, by the names that each has for it.
const SERVICE: [(&str, &str); 5] = [
    ("environmentVariables", "environmentVariables"),
    ("maxInstances", "maxInstanceCount"),
    ("minInstances", "minInstanceCount"),
    ("ingressSettings", "ingressSettings"),
    ("serviceAccountEmail", "serviceAccountEmail"),
];

pub(crate) fn to_second(place: &Place, said: &Value) -> Result<Value, Fault> {
    let mut service = Map::new();
    for (first, second) in SERVICE {
        if let Some(value) = said.get(first) {
            service.insert(second.into(), value.clone());
        }
    }
    if let Some(timeout) = said["timeout"].as_str() {
        let seconds = timeout.strip_suffix('s').and_then(|number| number.parse::<f64>().ok());
        let seconds =
            seconds.ok_or_else(|| Fault::invalid(format!("`{timeout}` is no timeout: write it like 60s")))?;
        service.insert("timeoutSeconds".into(), (seconds as u64).into());
    }
    if let Some(megabytes) = said["availableMemoryMb"].as_u64() {
        service.insert("availableMemory".into(), format!("{megabytes}M").into());
    }
    let mut document = json!({
        "name": said["name"],
        "environment": "GEN_1",
        "buildConfig": { "runtime": said["runtime"], "entryPoint": said["entryPoint"] },
        "serviceConfig": service,
    });
    if let Some(source) = source(place, said)? {
        document["buildConfig"]["source"] = json!({ "storageSource": source });
    }
    for kept in ["labels", "description"] {
        if let Some(value) = said.get(kept) {
            document[kept] = value.clone();
        }
    }
    if let Some(event) = said.get("eventTrigger") {
        document["eventTrigger"] = trigger(event);
    }
    Ok(document)
}

fn source(place: &Place, said: &Value) -> Result<Option<Value>, Fault> {
    if let Some(url) = said["sourceUploadUrl"].as_str() {
        let source = Deployments::uploaded(place, url);
        return source.map(Some).ok_or_else(|| Fault::invalid("sourceUploadUrl is none that was given"));
    }
    let Some(url) = said["sourceArchiveUrl"].as_str() else { return Ok(None) };
    let path = url.strip_prefix("gs://").and_then(|path| path.split_once('/'));
    let (bucket, object) =
        path.ok_or_else(|| Fault::invalid("sourceArchiveUrl must be gs://BUCKET/OBJECT"))?;
    Ok(Some(json!({ "bucket": bucket, "object": object })))
}

fn trigger(event: &Value) -> Value {
    let resource = event["resource"].as_str().unwrap_or_default();
    let retry = event["failurePolicy"].get("retry").is_some();
    let policy = if retry { "RETRY_POLICY_RETRY" } else { "RETRY_POLICY_DO_NOT_RETRY" };
    let mut trigger = json!({ "eventType": event["eventType"], "retryPolicy": policy });
    match resource.split_once("/buckets/") {
        Some((_, bucket)) => trigger["eventFilters"] = json!([{ "attribute": "bucket", "value": bucket }]),
        None => trigger["pubsubTopic"] = resource.into(),
    }
    trigger
}
