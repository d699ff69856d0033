//! Running a function for an HTTP request, and what each kind of front door says when that fails.

use super::answer::{self, Proxied};
use super::arrived::Arrived;
use crate::lambda::Functions;
use crate::lambda::attribute::TRACE_ID;
use crate::lambda::body::BodyFault;
use crate::lambda::fault::{Code, Fault};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use mlemu_core::declare::HttpForm;
use mlemu_core::{Answer, Cause, FunctionId, InvocationId, Invoke, Refusal, Reply};
use mlemu_engine::Ids;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Who stands before the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Api(HttpForm),
    Url,
}

/// Why there is no answer of the function's.
#[derive(Debug)]
pub enum Trouble {
    Refused(Refusal),
    /// It failed in whatever way.
    Failed,
    /// It runs on, and the front door waits no longer.
    TooSlow,
}

/// What the engine is asked for this request.
pub fn invoke(function: &FunctionId, arrived: &Arrived, event: &Value, ids: &Ids) -> Invoke {
    let id = InvocationId(ids.fresh("invocation").uuid().into());
    let cause = Cause::Request(crate::trace::of(&arrived.trace).into());
    let attributes = if arrived.traced { vec![(TRACE_ID, arrived.trace.clone())] } else { Vec::new() };
    Invoke { attributes, ..Invoke::of(id, function.clone(), event.to_string(), cause) }
}

/// Runs it, for `patience` at most.
pub async fn run(
    functions: &Arc<dyn Functions>,
    invoke: Invoke,
    patience: Option<Duration>,
) -> Result<Answer, Trouble> {
    let Some(patience) = patience else { return answered(functions.invoke(invoke).await) };
    let too_slow = functions.clock().sleep(patience);
    tokio::select! {
        reply = functions.invoke(invoke) => answered(reply),
        () = too_slow => Err(Trouble::TooSlow),
    }
}

/// The function's answer in a reply.
pub fn answered(reply: Result<Reply, Refusal>) -> Result<Answer, Trouble> {
    match reply {
        Ok(Reply::Done(outcome)) => outcome.result.map_err(|_| Trouble::Failed),
        Ok(Reply::Accepted | Reply::WouldRun) => Err(Trouble::Failed),
        Err(refusal) => Err(Trouble::Refused(refusal)),
    }
}

impl Door {
    /// How long it waits for a function; `None`: as long as the function may run.
    pub fn patience(self) -> Option<Duration> {
        match self {
            Door::Api(HttpForm::Rest) => Some(Duration::from_secs(29)),
            Door::Api(HttpForm::Lean) => Some(Duration::from_secs(30)),
            Door::Url => None,
        }
    }

    /// The function's answer, or what is said when it makes no sense.
    pub fn said(self, proxied: Option<Proxied>, arrived: &Arrived) -> Response {
        match proxied {
            Some(proxied) => self.signed(proxied.response(), arrived),
            None => self.trouble(&Trouble::Failed, arrived),
        }
    }

    pub fn trouble(self, trouble: &Trouble, arrived: &Arrived) -> Response {
        let response = match trouble {
            Trouble::Failed => self.internal(),
            Trouble::TooSlow => match self {
                Door::Api(HttpForm::Rest) => answer::message(504, "Endpoint request timed out"),
                Door::Api(HttpForm::Lean) | Door::Url => answer::message(503, "Service Unavailable"),
            },
            Trouble::Refused(refusal) => self.refused(refusal),
        };
        self.signed(response, arrived)
    }

    pub fn body_fault(self, fault: BodyFault) -> Response {
        match (fault, self) {
            (BodyFault::Broken, _) => answer::message(400, "Bad Request"),
            (BodyFault::TooLong(_), Door::Api(HttpForm::Rest)) => answer::message(413, "Request Too Long"),
            (BodyFault::TooLong(_), Door::Api(HttpForm::Lean)) => {
                answer::message(413, "Request Entity Too Large")
            }
            (BodyFault::TooLong(limit), Door::Url) => entity_too_large(limit).response(),
        }
    }

    fn refused(self, refusal: &Refusal) -> Response {
        match (refusal, self) {
            (Refusal::TooLarge { limit, .. }, _) => self.body_fault(BodyFault::TooLong(*limit)),
            (Refusal::NoFunction { .. } | Refusal::NoRevision { .. }, Door::Url) => forbidden(),
            (Refusal::Throttled(_), Door::Url) => Fault::refused(refusal, "").response(),
            (Refusal::Throttled(_), Door::Api(HttpForm::Lean)) | (Refusal::Stopping, _) => {
                answer::message(503, "Service Unavailable")
            }
            // The old gateway says no more than this when its function is throttled.
            (Refusal::Throttled(_), Door::Api(HttpForm::Rest)) => {
                answer::message(500, "Internal server error")
            }
            (Refusal::NoFunction { .. } | Refusal::NoRevision { .. }, Door::Api(_)) => self.internal(),
        }
    }

    /// The function failed, or answered nonsense.
    fn internal(self) -> Response {
        match self {
            Door::Api(HttpForm::Rest) => {
                let mut response = answer::message(502, "Internal server error");
                let kind = HeaderValue::from_static("InternalServerErrorException");
                response.headers_mut().insert("x-amzn-errortype", kind);
                response
            }
            Door::Api(HttpForm::Lean) => answer::message(500, "Internal Server Error"),
            Door::Url => {
                let mut response = Response::new(Body::from("Internal Server Error"));
                *response.status_mut() = http::StatusCode::BAD_GATEWAY;
                let kind = HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                response
            }
        }
    }

    /// Puts the request's id on the answer, under this door's name for it.
    pub fn signed(self, mut response: Response, arrived: &Arrived) -> Response {
        let name = match self {
            Door::Api(HttpForm::Lean) => HeaderName::from_static("apigw-requestid"),
            Door::Api(HttpForm::Rest) | Door::Url => HeaderName::from_static("x-amzn-requestid"),
        };
        if let Ok(id) = HeaderValue::from_str(&arrived.id) {
            response.headers_mut().insert(name, id);
        }
        response
    }
}

/// The answer of a URL that is nobody's.
pub fn forbidden() -> Response {
    let body = json!({ "Message": "Forbidden" }).to_string();
    Proxied { body: Bytes::from(body), ..Proxied::new(403, "application/json") }.response()
}

fn entity_too_large(limit: u64) -> Fault {
    let text = format!("Request must be smaller than {limit} bytes for the InvokeFunction operation");
    Fault::new(Code::RequestEntityTooLarge, text)
}
