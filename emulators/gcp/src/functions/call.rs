//! Running a function: for a caller by HTTP, and for `:call`.

use super::fault::{self, Fault};
use super::routes::Target;
use super::{Entry, Functions};
use crate::framework::{EXECUTION_ID, end_to_end};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use mlemu_core::{
    Answer, Cause, FunctionFailure, InvocationId, Invoke, Outcome, Refusal, Reply, RequestHead, Stream, What,
};
use mlemu_engine::Ids;
use serde_json::{Value, json};
use std::sync::Arc;

const TRACE: HeaderName = HeaderName::from_static("x-cloud-trace-context");

/// An execution id: twelve letters and digits, as the platform gives them.
pub fn new_id(ids: &Ids) -> InvocationId {
    let id = ids.fresh("invocation").hex();
    InvocationId(id[..12].into())
}

impl Functions {
    pub(super) async fn http(&self, entry: &Entry, target: Target, request: Request<Body>) -> Response {
        let limit = entry.traits.generation.payload();
        let (parts, body) = request.into_parts();
        let payload = match read(body, limit).await {
            Ok(payload) => payload,
            Err(refusal) => return fault::refused(&refusal),
        };
        let mut headers = end_to_end(parts.headers);
        let trace = forwarded(&mut headers, self.engine.ids());
        let is_due = headers.contains_key("x-cloudscheduler");
        let head = RequestHead { method: parts.method, target: target.rest, headers };
        let mut invoke = invocation(entry, payload, &trace, self.engine.ids());
        if is_due {
            invoke.cause = Cause::Schedule(invoke.cause.trace());
        }
        invoke.head = Some(Arc::new(head));
        let id = invoke.id.clone();
        let mut response = match self.engine.invoke(invoke).await {
            Ok(Reply::Done(outcome)) => self.answer(entry, *outcome),
            Ok(Reply::Accepted | Reply::WouldRun) => Response::new(Body::empty()),
            Err(refusal) => return fault::refused(&refusal),
        };
        let headers = response.headers_mut();
        headers.insert(header::SERVER, HeaderValue::from_static("Google Frontend"));
        for (name, value) in [(EXECUTION_ID, &*id.0), (TRACE, trace.as_str())] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        response
    }

    fn answer(&self, entry: &Entry, outcome: Outcome) -> Response {
        match outcome.result {
            Ok(answer) => passed_on(answer),
            Err(failure) => fault::failed(&failure, entry.traits, &self.last_words(&failure, &outcome.id)),
        }
    }

    /// What the function wrote to stderr while it failed to start: the traceback, most likely.
    fn last_words(&self, failure: &FunctionFailure, id: &InvocationId) -> String {
        let FunctionFailure::Exited { phase: mlemu_core::outcome::Phase::Init, .. } = failure else {
            return String::new();
        };
        let records = self.engine.parts().journal.past();
        let lines = records.iter().filter(|record| record.subject.invocation.as_ref() == Some(id));
        let mut text = String::new();
        for record in lines {
            if let What::Log(line) = &record.what
                && line.stream == Stream::Stderr
            {
                text.push_str(&line.text);
                text.push('\n');
            }
        }
        text
    }

    /// v1's `:call`: `data` is a string, JSON most of the time; always answered with 200.
    pub(super) async fn call(&self, name: &str, body: Body) -> Result<Value, Fault> {
        #[derive(serde::Deserialize, Default)]
        struct Call {
            #[serde(default)]
            data: String,
        }
        let entry = self.catalog.get(name).ok_or_else(|| self.no_function(name))?;
        let body = read(body, entry.traits.generation.payload()).await?;
        let call: Call = if body.is_empty() {
            Call::default()
        } else {
            serde_json::from_slice(&body).map_err(|error| Fault::invalid(error.to_string()))?
        };
        let payload = super::guess::event_of(&entry, call.data, self.engine.ids());
        let invoke = invocation(&entry, payload, &trace(self.engine.ids()), self.engine.ids());
        let id = invoke.id.to_string();
        let Reply::Done(outcome) = self.engine.invoke(invoke).await? else {
            return Ok(json!({ "executionId": id }));
        };
        Ok(match outcome.result {
            Ok(answer) => {
                json!({ "executionId": id, "result": String::from_utf8_lossy(&answer.body) })
            }
            Err(failure) => {
                let said = self.last_words(&failure, &outcome.id);
                let error = format!("{}\n{said}", fault::sentence(&failure));
                json!({ "executionId": id, "error": error.trim_end() })
            }
        })
    }

    pub(crate) fn no_function(&self, name: &str) -> Fault {
        Fault::not_found(format!("Resource '{}' was not found", self.whole_name(name)))
    }
}

fn invocation(entry: &Entry, payload: Bytes, trace: &str, ids: &Ids) -> Invoke {
    Invoke::of(new_id(ids), entry.id.clone(), payload, Cause::Request(trace.into()))
}

async fn read(body: Body, limit: u64) -> Result<Bytes, Refusal> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    match Limited::new(body, most).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge { size: limit + 1, limit }),
        // The caller is gone: nobody reads this.
        Err(_) => Err(Refusal::Stopping),
    }
}

/// What the vendor's front adds to a request. Returns its trace context.
fn forwarded(headers: &mut HeaderMap, ids: &Ids) -> String {
    let given = headers.get(TRACE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let trace = given.unwrap_or_else(|| trace(ids));
    let name = HeaderName::from_static;
    let added =
        [(name("x-forwarded-for"), "127.0.0.1"), (name("x-forwarded-proto"), "http"), (TRACE, &*trace)];
    for (name, value) in added {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.entry(name).or_insert(value);
        }
    }
    trace
}

/// `TRACE/SPAN;o=1`
fn trace(ids: &Ids) -> String {
    let id = ids.fresh("trace");
    format!("{}/{};o=1", id.hex(), id.number())
}

fn passed_on(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    if let Some(head) = answer.head {
        *response.status_mut() = head.status;
        *response.headers_mut() = end_to_end(head.headers);
    }
    response
}
