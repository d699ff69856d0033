//! What went wrong, in the vendor's words and statuses.
//!
//! Source: Google APIs, "Errors" (`google.rpc.Code` and its HTTP mapping); Cloud Functions documentation,
//! "Troubleshooting"; Cloud Run, "Troubleshoot issues".

use crate::framework::Traits;
use crate::profile::Generation;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use mlemu_core::build::without_commands;
use mlemu_core::outcome::Phase;
use mlemu_core::{FunctionFailure, Refusal, Strain};
use serde_json::{Value, json};

/// An error of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub status: StatusCode,
    /// The name of the code, e.g. `NOT_FOUND`.
    pub code: &'static str,
    pub message: String,
}

impl Fault {
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, code: "NOT_FOUND", message: message.into() }
    }

    pub fn exists(message: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, code: "ALREADY_EXISTS", message: message.into() }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "INVALID_ARGUMENT", message: message.into() }
    }

    pub fn aborted(message: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, code: "ABORTED", message: message.into() }
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, code: "INTERNAL", message: message.into() }
    }

    /// The number of its code.
    pub fn number(&self) -> u32 {
        const CODES: [(&str, u32); 9] = [
            ("INVALID_ARGUMENT", 3),
            ("DEADLINE_EXCEEDED", 4),
            ("NOT_FOUND", 5),
            ("ALREADY_EXISTS", 6),
            ("RESOURCE_EXHAUSTED", 8),
            ("ABORTED", 10),
            ("UNIMPLEMENTED", 12),
            ("INTERNAL", 13),
            ("UNAVAILABLE", 14),
        ];
        CODES.iter().find(|(code, _)| *code == self.code).map_or(2, |(_, number)| *number)
    }

    pub fn unimplemented(operation: &str) -> Self {
        let message = format!("{operation} is not implemented by mlemu");
        Self { status: StatusCode::NOT_IMPLEMENTED, code: "UNIMPLEMENTED", message }
    }

    pub fn strained(strain: Strain) -> Self {
        let (status, code, message) = match strain {
            Strain::Slow => {
                let message = "The request was not received in time.";
                (StatusCode::REQUEST_TIMEOUT, "DEADLINE_EXCEEDED", message)
            }
            Strain::Crowded => {
                let message = "The service is currently unavailable.";
                (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message)
            }
        };
        Self { status, code, message: message.into() }
    }

    pub fn response(&self) -> Response {
        let error = json!({ "code": self.status.as_u16(), "message": self.message, "status": self.code });
        json(self.status, &json!({ "error": error }))
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        let (status, code) = match refusal {
            Refusal::NoFunction { .. } | Refusal::NoRevision { .. } => (StatusCode::NOT_FOUND, "NOT_FOUND"),
            Refusal::TooLarge { .. } => (StatusCode::BAD_REQUEST, "INVALID_ARGUMENT"),
            Refusal::Throttled(_) => (StatusCode::TOO_MANY_REQUESTS, "RESOURCE_EXHAUSTED"),
            Refusal::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
        };
        Self { status, code, message }
    }
}

pub fn json(status: StatusCode, document: &Value) -> Response {
    let mut response = Response::new(Body::from(document.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn text(status: StatusCode, text: impl Into<String>) -> Response {
    let mut response = Response::new(Body::from(text.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

/// What a caller by HTTP gets when there is no such function.
pub fn no_page(function: &str) -> Response {
    text(StatusCode::NOT_FOUND, format!("404 page not found: there is no function `{function}`\n"))
}

/// What a caller by HTTP gets when its call was not admitted.
pub fn refused(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::NoFunction { name } | Refusal::NoRevision { name, .. } => no_page(name),
        Refusal::TooLarge { .. } => text(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
        Refusal::Throttled(_) => text(StatusCode::TOO_MANY_REQUESTS, "Rate exceeded."),
        Refusal::Stopping => text(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
    }
}

/// What a caller by HTTP gets for a failed function. `said`: what it wrote while it failed to start.
pub fn failed(failure: &FunctionFailure, traits: Traits, said: &str) -> Response {
    let first = traits.generation == Generation::First;
    match failure {
        FunctionFailure::Reported { body, kind, .. } if !body.is_empty() => {
            reported(body.clone(), kind.as_deref())
        }
        FunctionFailure::TimedOut { .. } if first => text(StatusCode::REQUEST_TIMEOUT, COULD_NOT),
        FunctionFailure::TimedOut { .. } => text(StatusCode::GATEWAY_TIMEOUT, "upstream request timeout"),
        FunctionFailure::OutOfMemory { .. } if first => text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Error: memory limit exceeded. Function invocation was interrupted.",
        ),
        FunctionFailure::Exited { phase: Phase::Init, .. } => {
            text(StatusCode::INTERNAL_SERVER_ERROR, format!("{NOT_STARTED}\n{said}"))
        }
        FunctionFailure::NotStartable { why } => {
            text(StatusCode::INTERNAL_SERVER_ERROR, format!("{NOT_STARTED}\n{}\n", without_commands(why)))
        }
        FunctionFailure::ResponseTooLarge { .. } | FunctionFailure::OutOfMemory { .. } => {
            text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        }
        FunctionFailure::Reported { .. } | FunctionFailure::Exited { .. } if first => {
            text(StatusCode::INTERNAL_SERVER_ERROR, COULD_NOT)
        }
        FunctionFailure::Reported { .. } | FunctionFailure::Exited { .. } | FunctionFailure::Stopped => {
            text(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
        }
    }
}

const COULD_NOT: &str = "Error: could not handle the request";
const NOT_STARTED: &str =
    "Container failed to start and listen on the port defined by the PORT environment variable.";

/// The framework's own answer: a refused event keeps its status, anything else is an exception.
fn reported(body: bytes::Bytes, kind: Option<&str>) -> Response {
    let kind = kind.unwrap_or("crash");
    let refused = kind.parse::<u16>().ok().and_then(|status| StatusCode::from_u16(status).ok());
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = refused.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if refused.is_none()
        && let Ok(kind) = HeaderValue::from_str(kind)
    {
        headers.insert(crate::framework::STATUS_HEADER, kind);
    }
    response
}

/// The failure in a sentence, for the API's `error` and for people.
pub fn sentence(failure: &FunctionFailure) -> String {
    match failure {
        FunctionFailure::Reported { body, .. } if !body.is_empty() => {
            String::from_utf8_lossy(body).into_owned()
        }
        FunctionFailure::Reported { .. } | FunctionFailure::Exited { phase: Phase::Invoke, .. } => {
            "The request failed because either the HTTP response was malformed or connection to the instance had an error.".into()
        }
        FunctionFailure::TimedOut { after } => {
            format!("Function execution took {} ms, finished with status: 'timeout'", after.as_millis())
        }
        FunctionFailure::Exited { .. } => NOT_STARTED.into(),
        FunctionFailure::OutOfMemory { .. } => {
            "Error: memory limit exceeded. Function invocation was interrupted.".into()
        }
        FunctionFailure::ResponseTooLarge { limit, .. } => format!("The response is larger than {limit} bytes."),
        FunctionFailure::NotStartable { why } => without_commands(why),
        FunctionFailure::Stopped => "the function was stopped or deleted while it ran".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framework::Signature;
    use bytes::Bytes;
    use std::time::Duration;

    fn status(failure: FunctionFailure, generation: Generation) -> u16 {
        failed(&failure, Traits { generation, signature: Signature::Http, concurrency: 1, least: 0 }, "")
            .status()
            .as_u16()
    }

    #[test]
    fn statuses_of_both_generations() {
        let late = || FunctionFailure::TimedOut { after: Duration::from_secs(1) };
        assert_eq!(status(late(), Generation::First), 408);
        assert_eq!(status(late(), Generation::Second), 504);
        let died = || FunctionFailure::Exited { code: Some(1), signal: None, phase: Phase::Invoke };
        assert_eq!(status(died(), Generation::First), 500);
        assert_eq!(status(died(), Generation::Second), 503);
        assert_eq!(status(FunctionFailure::OutOfMemory { limit: 1 }, Generation::Second), 500);
    }

    #[test]
    fn the_frameworks_own_answer_passes() {
        let of = |kind: &str| {
            let body = Bytes::from_static(b"words");
            let failure = FunctionFailure::Reported { body, kind: Some(kind.into()), phase: Phase::Invoke };
            let signature = Signature::CloudEvent;
            let traits = Traits { generation: Generation::Second, signature, concurrency: 1, least: 0 };
            let response = failed(&failure, traits, "");
            (response.status().as_u16(), response.headers().contains_key("x-google-status"))
        };
        assert_eq!(of("crash"), (500, true));
        assert_eq!(of("400"), (400, false));
        assert_eq!(of("not\na header"), (500, false));
    }
}
