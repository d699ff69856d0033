//! PutEvents and TestEventPattern.

use super::want;
use crate::events::event::Event;
use crate::events::fault::{Code, Fault};
use crate::events::store::Fitting;
use crate::events::wire::{Entry, PutEvents, TestPattern};
use crate::events::{Call, Front, deliver};
use crate::reach::Detail;
use mlemu_core::Timestamp;
use serde_json::{Map, Value, json};

const MOST: usize = 10;
/// Of one request, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Why an entry is not taken: the code and the text.
type Refused = (&'static str, String);

pub async fn events(front: &Front, call: &Call, request: PutEvents) -> Result<Value, Fault> {
    let count = request.entries.len();
    if !(1..=MOST).contains(&count) {
        return Err(Fault::validation(format!(
            "1 validation error detected: Value '[PutEventsRequestEntry]' at 'entries' failed to satisfy constraint: Member must have length between 1 and {MOST}, has {count}"
        )));
    }
    let bytes: usize = request.entries.iter().map(size).sum();
    if bytes > LARGEST {
        return Err(Fault::validation("Total size of the entries in the request is over the limit."));
    }
    let (mut told, mut failed) = (Vec::new(), 0);
    for entry in request.entries {
        let taken = take(front, entry);
        told.push(match taken {
            Ok((bus, event)) => {
                if let Some(bus) = bus {
                    deliver::to_rules(front, &bus, &event, call.cause.clone()).await;
                }
                json!({ "EventId": event.id })
            }
            Err((code, text)) => {
                failed += 1;
                json!({ "ErrorCode": code, "ErrorMessage": text })
            }
        });
    }
    Ok(json!({ "FailedEntryCount": failed, "Entries": told }))
}

fn size(entry: &Entry) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let resources: usize = entry.resources.iter().map(String::len).sum();
    text(&entry.source) + text(&entry.detail_type) + text(&entry.detail) + resources
}

/// The event of an entry, and the bus that it is for: an event for a bus that is not there is lost, as it is at the
/// vendor's.
fn take(front: &Front, entry: Entry) -> Result<(Option<String>, Event), Refused> {
    let required = |value: Option<String>, name: &str| {
        let reason = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
        value.filter(|value| !value.is_empty()).ok_or(("InvalidArgument", reason))
    };
    let source = required(entry.source, "Source")?;
    let kind = required(entry.detail_type, "DetailType")?;
    let detail = required(entry.detail, "Detail")?;
    if source.starts_with("aws.") {
        return Err(("NotAuthorizedForSourceException", "Not authorized for the source.".to_owned()));
    }
    if serde_json::from_str::<Map<String, Value>>(&detail).is_err() {
        return Err(("MalformedDetail", "Detail is malformed.".to_owned()));
    }
    let at = entry.time.map_or_else(|| front.parts.clock.now(), |seconds| Timestamp((seconds * 1e6) as i64));
    let bus = front.store().bus(entry.event_bus_name.as_deref()).map(|bus| bus.name.clone()).ok();
    let said = Detail { source, kind, resources: entry.resources };
    Ok((bus, Event::new(front.parts.ids.fresh("event"), &front.parts.settings, at, &said, detail)))
}

pub fn test(request: &TestPattern) -> Result<Value, Fault> {
    let fitting = compile(want(request.event_pattern.as_deref(), "eventPattern")?.to_owned())?;
    let event: Value = serde_json::from_str(want(request.event.as_deref(), "event")?)
        .map_err(|_| Fault::validation("Parameter Event is not valid. Reason: Event is not valid JSON."))?;
    Ok(json!({ "Result": fitting.pattern.fits(&event) }))
}

pub fn compile(text: String) -> Result<Fitting, Fault> {
    Fitting::try_from(text).map_err(|fault| {
        Fault::new(Code::InvalidPattern, format!("Event pattern is not valid. Reason: {fault}"))
    })
}
