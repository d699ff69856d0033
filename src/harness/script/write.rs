//! A recorded session as a test file: its steps, and what came of them.
//!
//! What differs from run to run becomes a wildcard, and secrets are taken out by their values.

use super::secrets::Secrets;
use crate::daemon::recording::{Came, Session};
use crate::daemon::world::World;
use mlemu_engine::history::Past;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// Longer bodies are compared by their size, in bytes.
const LONGEST: usize = 4096;

/// The text of a test file.
pub fn text(session: &Session, world: &World) -> String {
    let secrets = Secrets::of(world);
    let mut text = String::from(
        "# Recorded by `mlemu record`; `mlemu replay` runs it. What differs from run to run is a wildcard.\n\
         tests:\n  - name: a recorded session\n    steps:\n",
    );
    for came in &session.came {
        let step = step(came, &secrets);
        // JSON is YAML, on a line of its own.
        let _ = writeln!(text, "      - {step}\n      - wait: idle");
    }
    text += "    expect:\n";
    for (function, all) in by_function(&session.past) {
        let _ = writeln!(
            text,
            "      - invocations:\n          fn: {}\n          count: {}",
            quoted(&function),
            all.len()
        );
        for (number, past) in all.iter().enumerate() {
            for (path, value) in facts(past, &secrets) {
                let _ = writeln!(text, "          {}: {value}", quoted(&format!("all.{number}{path}")));
            }
        }
    }
    for one in &session.written {
        let (bucket, key) = (quoted(&one.bucket), quoted(&one.key));
        let _ = write!(text, "      - object:\n          bucket: {bucket}\n          key: {key}\n");
        let said = std::str::from_utf8(&one.body).ok().filter(|said| said.len() <= LONGEST);
        let _ = match said {
            Some(said) => writeln!(text, "          body: {}", secrets.wildcard(said)),
            None => writeln!(text, "          size: {}", one.body.len()),
        };
    }
    text
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn by_function(past: &[Arc<Past>]) -> BTreeMap<String, Vec<&Arc<Past>>> {
    let mut all: BTreeMap<String, Vec<&Arc<Past>>> = BTreeMap::new();
    for one in past {
        all.entry(one.function.name.to_string()).or_default().push(one);
    }
    all
}

fn step(came: &Came, secrets: &Secrets) -> Value {
    let body = |bytes: &[u8]| secrets.redacted(&String::from_utf8_lossy(bytes));
    match came {
        Came::Put { bucket, key, body: bytes } => {
            json!({ "put": { "bucket": bucket, "key": key, "body": body(bytes) } })
        }
        Came::Send { queue, body: bytes } => json!({ "send": { "queue": queue, "body": body(bytes) } }),
        Came::Invoke(past) => {
            let event: Value = serde_json::from_slice(&past.event).unwrap_or_default();
            let event = secrets.redacted_event(&event);
            json!({ "invoke": { "fn": &*past.function.name, "event": event, "queue": past.queued } })
        }
    }
}

/// Paths below an invocation, and what shall be there.
fn facts(past: &Past, secrets: &Secrets) -> Vec<(String, Value)> {
    let status = past.status().map_or("running", |status| status.word());
    let mut facts = vec![(".status".to_owned(), Value::from(status))];
    let course = past.course();
    if let Some(Ok(answer)) = course.ended.as_ref().map(|ended| &ended.result)
        && let Ok(result) = serde_json::from_slice::<Value>(&answer.body)
    {
        leaves(".result".to_owned(), &result, secrets, &mut facts);
    }
    facts
}

/// Each value at its own path, so that a difference has its own line.
fn leaves(path: String, value: &Value, secrets: &Secrets, facts: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            // A path cannot go through a name with a dot.
            for (name, inner) in map.iter().filter(|(name, _)| !name.contains('.')) {
                leaves(format!("{path}.{name}"), inner, secrets, facts);
            }
        }
        Value::Array(all) if !all.is_empty() => {
            for (number, inner) in all.iter().enumerate() {
                leaves(format!("{path}.{number}"), inner, secrets, facts);
            }
        }
        Value::String(text) => facts.push((path, secrets.wildcard(text))),
        other => facts.push((path, other.clone())),
    }
}
