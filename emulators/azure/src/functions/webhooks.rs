//! Events that come by HTTP, as Event Grid sends them: to functions of Event Grid, and to those that wait for blobs.
//!
//! Source: Azure Functions documentation, "Event Grid trigger" and "Trigger Azure Functions on blob containers using an
//! event subscription"; CloudEvents, "HTTP 1.1 Web Hooks for Event Delivery".

use super::keys::Ring;
use super::{Functions, fault, new_id};
use crate::events::event::CREATED;
use crate::storage::address;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use mlemu_core::{Cause, FunctionId, Invoke, Reply};
use serde_json::{Value, json};

/// Before the names of functions, in the addresses of the blob extension.
const HOST: &str = "Host.Functions.";

impl Functions {
    /// `extension`: whose endpoint it is, `EventGrid` or `blobs`.
    pub(super) async fn webhook(&self, extension: &str, parts: &Parts, body: &Bytes) -> Response {
        let for_blobs = extension.eq_ignore_ascii_case("blobs");
        let own_key = if for_blobs { "blobs_extension" } else { "eventgrid_extension" };
        if self.parts.enforce_keys && !self.keys.opens(parts, &Ring::System, own_key) {
            return fault::unauthorized();
        }
        let query = address::query(parts);
        let said = query.get("functionname").map_or("", String::as_str);
        let name = if for_blobs { said.strip_prefix(HOST).unwrap_or(said) } else { said };
        let (app, _, name) = match self.named(name).await {
            Ok(found) => found,
            Err(response) => return response,
        };
        if parts.method == Method::OPTIONS {
            return allowed(parts);
        }
        let events = match serde_json::from_slice(body) {
            Ok(Value::Array(events)) => events,
            Ok(event @ Value::Object(_)) => vec![event],
            _ => return fault::bad_request("the body must be an event or a list of them"),
        };
        let asked =
            parts.headers.get("aeg-event-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if asked.eq_ignore_ascii_case("SubscriptionValidation") {
            let code = events.first().map_or(&Value::Null, |event| &event["data"]["validationCode"]);
            return fault::json(StatusCode::OK, &json!({ "validationResponse": code }));
        }
        let function = FunctionId::new(app.id.scope.clone(), &name);
        if for_blobs {
            return self.hear_of_blobs(&function, &events);
        }
        let mut all_well = true;
        for event in events {
            all_well &= self.ran(&function, &event).await;
        }
        if all_well { fault::accepted() } else { fault::failed_event() }
    }

    /// Whether the function ran well on an event.
    async fn ran(&self, function: &FunctionId, event: &Value) -> bool {
        let id = new_id(self.parts.engine.ids());
        let cause = Cause::Request(id.0.clone());
        let invoke = Invoke::of(id, function.clone(), event.to_string(), cause);
        match self.parts.engine.invoke(invoke).await {
            Ok(Reply::Done(outcome)) => outcome.result.is_ok(),
            Ok(Reply::Accepted | Reply::WouldRun) => true,
            Err(_) => false,
        }
    }

    fn hear_of_blobs(&self, function: &FunctionId, events: &[Value]) -> Response {
        let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
        for event in events {
            let kind = [text(event, "eventType"), text(event, "type")].concat();
            let subject = text(event, "subject");
            let place = subject.strip_prefix("/blobServices/default/containers/");
            if let (CREATED, Some((container, blob))) =
                (kind.as_str(), place.and_then(|rest| rest.split_once("/blobs/")))
            {
                self.parts.hearers.told(function, container, blob);
            }
        }
        fault::accepted()
    }
}

/// The handshake of the other schema.
fn allowed(parts: &Parts) -> Response {
    let mut response = fault::empty();
    let origin = parts.headers.get("webhook-request-origin").cloned();
    let headers = response.headers_mut();
    headers.insert("webhook-allowed-origin", origin.unwrap_or(HeaderValue::from_static("*")));
    headers.insert("webhook-allowed-rate", HeaderValue::from_static("*"));
    response
}
