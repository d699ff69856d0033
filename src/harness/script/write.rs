//! A recorded session as a test file: its steps, and what came of them.
//!
//! What differs from run to run becomes a wildcard, and secrets are taken out by their values.

use super::secrets::Secrets;
use crate::daemon::recording::{Came, Did, Session};
use crate::daemon::world::World;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mlemu_core::Timestamp;
use mlemu_engine::history::Past;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// Longer bodies are compared by their size, in bytes.
const LONGEST: usize = 4096;

/// The text of a test file.
pub fn text(session: &Session, world: &World) -> String {
    let secrets = Secrets::of(world);
    let mut text = String::from(
        "# Recorded by `mlemu record`; `mlemu replay` runs it. What differs from run to run is a wildcard.\n\
         tests:\n  - name: a recorded session\n",
    );
    if let Some(at) = session.frozen {
        let _ = writeln!(text, "    clock: {}", written(at));
    }
    text += "    steps:\n";
    steps(&mut text, session, &secrets);
    text += "    expect:\n";
    invocations(&mut text, session, &secrets);
    objects(&mut text, session, &secrets);
    for (name, depth) in &session.depths {
        let _ = writeln!(text, "      - queue: {{ name: {}, depth: {depth} }}", quoted(name));
    }
    text
}

fn steps(text: &mut String, session: &Session, secrets: &Secrets) {
    let mut stands_still = session.frozen.is_some();
    let mut came = session.came.iter().peekable();
    while let Some(one) = came.next() {
        let goes_forward = matches!(came.peek(), Some(Came::Did(Did::Advanced(_))));
        // JSON is YAML, on a line of its own.
        let _ = writeln!(text, "      - {}", step(one, secrets));
        match one {
            Came::Did(Did::Froze(_)) => stands_still = true,
            Came::Did(Did::WentReal) => stands_still = false,
            Came::Did(Did::Advanced(_) | Did::Fault(_)) => {}
            // What waits for its time would wait for ever where time stands still, and too long where it is to go forward.
            _ if stands_still || goes_forward => *text += "      - wait: still\n",
            _ => *text += "      - wait: idle\n",
        }
    }
}

fn invocations(text: &mut String, session: &Session, secrets: &Secrets) {
    for (function, all) in by_function(&session.past) {
        let _ = writeln!(
            text,
            "      - invocations:\n          fn: {}\n          count: {}",
            quoted(&function),
            all.len()
        );
        for (number, past) in all.iter().enumerate() {
            for (path, value) in facts(past, secrets) {
                let _ = writeln!(text, "          {}: {value}", quoted(&format!("all.{number}{path}")));
            }
        }
    }
}

fn objects(text: &mut String, session: &Session, secrets: &Secrets) {
    for one in &session.written {
        let (bucket, key) = (quoted(&one.bucket), quoted(&one.key));
        let _ = write!(text, "      - object:\n          bucket: {bucket}\n          key: {key}\n");
        let _ = match std::str::from_utf8(&one.body) {
            _ if one.body.len() > LONGEST => writeln!(text, "          size: {}", one.body.len()),
            Ok(said) => writeln!(text, "          body: {}", secrets.wildcard(said)),
            Err(_) => writeln!(
                text,
                "          base64: {}",
                BASE64_STANDARD.encode(secrets.redacted_bytes(&one.body))
            ),
        };
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn written(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0).map(|at| at.to_string()).unwrap_or_default()
}

/// In the largest unit that leaves nothing over.
fn spelled(by: Duration) -> String {
    let millis = by.as_millis();
    let units = [("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    let whole = units.iter().find(|(_, unit)| millis.is_multiple_of(*unit) && millis > 0);
    whole.map_or_else(|| format!("{millis}ms"), |(name, unit)| format!("{}{name}", millis / unit))
}

fn by_function(past: &[Arc<Past>]) -> BTreeMap<String, Vec<&Arc<Past>>> {
    let mut all: BTreeMap<String, Vec<&Arc<Past>>> = BTreeMap::new();
    for one in past {
        all.entry(one.function.name.to_string()).or_default().push(one);
    }
    all
}

fn step(came: &Came, secrets: &Secrets) -> Value {
    match came {
        Came::Put { bucket, key, body: bytes } => {
            let (how, body) = body(bytes, secrets);
            json!({ "put": { "bucket": bucket, "key": key, how: body } })
        }
        Came::Send { queue, body: bytes } => {
            let (how, body) = body(bytes, secrets);
            json!({ "send": { "queue": queue, how: body } })
        }
        Came::Invoke(past) => {
            let (how, event) = match serde_json::from_slice::<Value>(&past.event) {
                // A text would be the name of a fixture.
                Ok(event) if !event.is_string() => ("event", secrets.redacted_event(&event)),
                _ => ("base64", BASE64_STANDARD.encode(secrets.redacted_bytes(&past.event)).into()),
            };
            json!({ "invoke": { "fn": &*past.function.name, how: event, "queue": past.queued } })
        }
        Came::Did(Did::Froze(at)) => json!({ "clock": written(*at) }),
        Came::Did(Did::WentReal) => json!({ "clock": "real" }),
        Came::Did(Did::Advanced(by)) => json!({ "advance": spelled(*by) }),
        Came::Did(Did::Fault(rule)) => json!({ "fault": rule }),
        Came::Did(Did::Fired(id)) => json!({ "fire": id }),
    }
}

/// As text, or in base64 where it is none.
fn body(bytes: &[u8], secrets: &Secrets) -> (&'static str, String) {
    match std::str::from_utf8(bytes) {
        Ok(text) => ("body", secrets.redacted(text)),
        Err(_) => ("base64", BASE64_STANDARD.encode(secrets.redacted_bytes(bytes))),
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
