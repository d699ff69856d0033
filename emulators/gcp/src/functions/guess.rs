//! What a function's code and triggers tell about its signature, where nobody declares it.

use super::Entry;
use super::catalog::{EventSource, EventTrigger};
use crate::framework::Signature;
use bytes::Bytes;
use mlemu_engine::Ids;
use serde_json::{Value, json};
use std::path::Path;

/// The signature of `target` in the code at `source`; what is on a trigger takes events.
pub(super) fn signature(source: &Path, target: &str, on_event: bool) -> Signature {
    let python = std::fs::read_to_string(source.join("main.py")).ok();
    let registered = match &python {
        Some(code) => decorated(code, target),
        None => ["index.js", "index.mjs", "index.cjs", "function.js"]
            .iter()
            .find_map(|name| std::fs::read_to_string(source.join(name)).ok())
            .and_then(|code| registered(&code, target)),
    };
    let parameters = python.as_deref().and_then(|code| parameters(code, target));
    match (registered, on_event, parameters) {
        (Some(signature), ..) => signature,
        (None, true, Some(2)) => Signature::Background,
        (None, true, _) => Signature::CloudEvent,
        (None, false, _) => Signature::Http,
    }
}

/// The decorator of the function-framework above `def target(`.
fn decorated(code: &str, target: &str) -> Option<Signature> {
    let mut found = None;
    for line in code.lines() {
        let line = line.trim_end();
        if let Some(decorator) = line.strip_prefix('@') {
            let name = decorator.split('(').next().unwrap_or_default();
            found = match name.rsplit('.').next() {
                Some("http") => Some(Signature::Http),
                Some("cloud_event") => Some(Signature::CloudEvent),
                Some("typed") => Some(Signature::Typed),
                _ => found,
            };
        } else if let Some(name) = defined(line) {
            if name == target {
                return found;
            }
            found = None;
        }
    }
    None
}

/// The function's name in `def name(` or `async def name(`.
fn defined(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("def ")?;
    rest.split('(').next().map(str::trim)
}

fn parameters(code: &str, target: &str) -> Option<usize> {
    let line = code.lines().find(|line| defined(line) == Some(target))?;
    let inside = line.split_once('(')?.1.split(')').next()?;
    Some(inside.split(',').filter(|parameter| !parameter.trim().is_empty()).count())
}

/// `functions.cloudEvent('target', …)` in JavaScript.
fn registered(code: &str, target: &str) -> Option<Signature> {
    let names = |call: &str| {
        ['\'', '"', '`'].iter().any(|quote| code.contains(&format!("{call}({quote}{target}{quote}")))
    };
    let calls =
        [("http", Signature::Http), ("cloudEvent", Signature::CloudEvent), ("typed", Signature::Typed)];
    calls.into_iter().find(|(call, _)| names(call)).map(|(_, signature)| signature)
}

/// What `:call` hands to a function: as it is, or as the event that its trigger would make of it.
pub(super) fn event_of(entry: &Entry, data: String, ids: &Ids) -> Bytes {
    if !entry.traits.signature.is_event() {
        return data.into();
    }
    let parsed: Value = serde_json::from_str(&data).unwrap_or(Value::Null);
    if parsed.get("specversion").is_some() || parsed.get("context").is_some() {
        return data.into();
    }
    let (kind, source) = match &entry.event {
        Some(EventTrigger { kind, source: EventSource::Bucket(bucket), .. }) => {
            (kind.as_str(), format!("//storage.googleapis.com/projects/_/buckets/{bucket}"))
        }
        Some(EventTrigger { kind, source: EventSource::Topic(topic), .. }) => {
            (kind.as_str(), format!("//pubsub.googleapis.com/{topic}"))
        }
        None => ("google.cloud.functions.call", format!("//cloudfunctions.googleapis.com/{}", entry.id)),
    };
    let event = json!({
        "specversion": "1.0",
        "id": ids.fresh("event").hex(),
        "type": kind,
        "source": source,
        "datacontenttype": "application/json",
        "data": parsed,
    });
    event.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "\
import functions_framework

@functions_framework.http
def hello(request):
    return 'hi'

@functions_framework.cloud_event
async def stored(event): ...

@cached
@functions_framework.typed(Point)
def score(point): ...

def old(data, context): ...
def plain(event): ...
";

    #[test]
    fn decorators_and_parameters_of_python() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("main.py"), CODE).unwrap();
        let of = |target, on_event| signature(folder.path(), target, on_event);
        assert_eq!(of("hello", true), Signature::Http, "a decorator is stronger than a trigger");
        assert_eq!(of("stored", false), Signature::CloudEvent);
        assert_eq!(of("score", false), Signature::Typed);
        assert_eq!((of("old", true), of("old", false)), (Signature::Background, Signature::Http));
        assert_eq!(of("plain", true), Signature::CloudEvent);
        assert_eq!(of("nowhere", false), Signature::Http);
    }

    #[test]
    fn registrations_of_javascript() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("index.js"), "functions.cloudEvent(\"stored\", e => {})").unwrap();
        assert_eq!(signature(folder.path(), "stored", false), Signature::CloudEvent);
        assert_eq!(signature(folder.path(), "other", false), Signature::Http);
    }
}
