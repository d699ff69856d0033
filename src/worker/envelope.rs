//! What vendors put around an event, and around an answer.
//!
//! API Gateway and function URLs put a request into JSON, Azure's host a trigger's data, Pub/Sub a message. A model's
//! own event is inside of them. The event of a new object only names it: the object itself is what is asked about.

use super::object::Object;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use mlemu_onnx::{Event, Fault, Model};
use serde_json::{Value, json};
use std::io::Write;

/// What an answer is put into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Around {
    Nothing,
    /// The caller is a program that speaks HTTP.
    Http,
    /// Azure's host, which reads the return value.
    Host,
}

/// An event, taken out of what was around it.
pub(super) struct Letter {
    /// Several where several objects are named, each with its place.
    events: Vec<(Option<String>, Result<Event, String>)>,
    around: Around,
}

/// Opens what came, and fetches what it only names.
pub(super) async fn read(body: Bytes) -> Letter {
    let (event, around) = open(Event::read(body));
    let objects = match &event {
        Ok(Event::Json(value)) => Object::named(value),
        _ => Vec::new(),
    };
    if objects.is_empty() {
        return Letter { events: vec![(None, event)], around };
    }
    let mut events = Vec::new();
    for object in objects {
        let fetched = object.fetch().await.map(Event::read);
        events.push((Some(object.shown()), fetched));
    }
    Letter { events, around }
}

impl Letter {
    /// Only a fault that is not the caller's is one.
    pub(super) fn answer(self, model: &mut Model) -> Result<Value, Fault> {
        let answers = self.events.into_iter().map(|(object, event)| {
            let answered = event.map_err(Fault::Event).and_then(|event| model.answer(&event));
            if let (Some(object), Ok(answer)) = (object, &answered) {
                // Nobody waits for it: the log is where a person looks.
                let _ = writeln!(std::io::stdout(), "{object} {answer}");
            }
            answered
        });
        let answers: Result<Vec<Value>, Fault> = answers.collect();
        let answered = answers.map(|mut answers| match answers.len() {
            1 => answers.remove(0),
            _ => Value::Array(answers),
        });
        match (answered, self.around) {
            (Err(fault), Around::Http) if fault.is_callers() => {
                Ok(http(400, &json!({ "error": fault.to_string() })))
            }
            (Err(fault), _) => Err(fault),
            (Ok(value), Around::Nothing) => Ok(value),
            (Ok(value), Around::Http) => Ok(http(200, &value)),
            (Ok(value), Around::Host) => Ok(json!({ "Outputs": {}, "Logs": [], "ReturnValue": value })),
        }
    }
}

fn http(status: u16, body: &Value) -> Value {
    json!({ "statusCode": status, "headers": { "Content-Type": "application/json" }, "body": body.to_string() })
}

fn open(event: Event) -> (Result<Event, String>, Around) {
    let Event::Json(Value::Object(outer)) = &event else { return (Ok(event), Around::Nothing) };
    if outer.contains_key("requestContext") {
        let body = outer.get("body").and_then(Value::as_str).unwrap_or_default();
        return (unpacked(body, outer.get("isBase64Encoded") == Some(&json!(true))), Around::Http);
    }
    if let (Some(Value::Object(data)), true) = (outer.get("Data"), outer.contains_key("Metadata")) {
        let inner = match data.values().next() {
            Some(Value::String(text)) => unpacked(text, false),
            Some(value) => Ok(Event::Json(value.clone())),
            None => Err("the trigger brought no data".into()),
        };
        return (inner, Around::Host);
    }
    // A message of Pub/Sub, as its subscriptions push it and as events have it.
    if let Some(data) = outer.get("message").and_then(|message| message.get("data")).and_then(Value::as_str) {
        return (unpacked(data, true), Around::Nothing);
    }
    (Ok(event), Around::Nothing)
}

fn unpacked(text: &str, encoded: bool) -> Result<Event, String> {
    if !encoded {
        return Ok(Event::read(Bytes::copy_from_slice(text.as_bytes())));
    }
    let read = STANDARD.decode(text).map_err(|error| format!("the body is no base64: {error}"))?;
    Ok(Event::read(read.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(event: &Value) -> (Event, Around) {
        let (event, around) = open(Event::Json(event.clone()));
        (event.unwrap(), around)
    }

    #[test]
    fn each_envelope_is_opened() {
        let row = Event::Json(json!([1, 2]));
        assert_eq!(opened(&json!([1, 2])), (row.clone(), Around::Nothing));
        let request = json!({"requestContext": {}, "body": "[1, 2]", "isBase64Encoded": false});
        assert_eq!(opened(&request), (row.clone(), Around::Http));
        let picture = json!({"requestContext": {}, "body": "iVA=", "isBase64Encoded": true});
        assert_eq!(opened(&picture), (Event::Bytes(vec![0x89, 0x50].into()), Around::Http));
        let message = json!({"message": {"data": "WzEsIDJd"}});
        assert_eq!(opened(&message), (row.clone(), Around::Nothing));
        let host = json!({"Data": {"item": "[1, 2]"}, "Metadata": {}});
        assert_eq!(opened(&host), (row, Around::Host));
    }

    #[test]
    fn what_is_broken_inside_is_the_callers_fault() {
        let bad = json!({"requestContext": {}, "body": "@", "isBase64Encoded": true});
        assert!(matches!(open(Event::Json(bad)), (Err(_), Around::Http)));
    }
}
