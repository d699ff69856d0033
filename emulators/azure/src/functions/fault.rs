//! What went wrong, in the host's statuses and words.
//!
//! Source: Azure Functions documentation, "Azure Functions HTTP trigger" and "Troubleshoot error: Azure Functions
//! Runtime is unreachable"; what the host answers as it is built.

use crate::worker::NO_FUNCTION;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use mlemu_core::build::without_commands;
use mlemu_core::outcome::Phase;
use mlemu_core::{FunctionFailure, Refusal, Strain};
use serde_json::{Value, json};

const NOT_RUNNING: &str = "Function host is not running.";

fn bare(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn said(status: StatusCode, kind: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

pub(super) fn page(text: &str) -> Response {
    said(StatusCode::OK, "text/html; charset=utf-8", text.to_owned())
}

pub(super) fn json(status: StatusCode, document: &Value) -> Response {
    said(status, "application/json; charset=utf-8", document.to_string())
}

pub(super) fn empty() -> Response {
    bare(StatusCode::OK)
}

pub(super) fn gone() -> Response {
    bare(StatusCode::NO_CONTENT)
}

pub(super) fn accepted() -> Response {
    bare(StatusCode::ACCEPTED)
}

pub(super) fn failed_event() -> Response {
    bare(StatusCode::INTERNAL_SERVER_ERROR)
}

pub(super) fn not_found() -> Response {
    bare(StatusCode::NOT_FOUND)
}

pub(super) fn unauthorized() -> Response {
    bare(StatusCode::UNAUTHORIZED)
}

/// To a web page that the function's app does not let in.
pub(super) fn forbidden() -> Response {
    bare(StatusCode::FORBIDDEN)
}

pub(super) fn bad_request(why: &str) -> Response {
    json(StatusCode::BAD_REQUEST, &json!({ "Message": why }))
}

pub(super) fn unsupported(what: &str) -> Response {
    json(StatusCode::NOT_IMPLEMENTED, &json!({ "Message": format!("{what} is not implemented by mlemu") }))
}

/// What a caller gets when its call was not admitted.
pub(super) fn refused(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::NoFunction { .. } | Refusal::NoRevision { .. } => not_found(),
        Refusal::TooLarge { .. } => bare(StatusCode::PAYLOAD_TOO_LARGE),
        Refusal::Throttled(_) => bare(StatusCode::TOO_MANY_REQUESTS),
        Refusal::Stopping => not_running(""),
    }
}

fn not_running(why: &str) -> Response {
    let text = format!("{NOT_RUNNING}\n{why}");
    said(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", text)
}

/// What a caller gets of an app whose worker does not come up. The reason, which the cloud keeps to itself, is what a
/// developer needs.
pub(super) fn down(failure: &FunctionFailure) -> Response {
    not_running(&format!("{}\n", sentence(failure)))
}

/// What a caller gets for a failed function: the host says nothing of the reason.
pub(super) fn failed(failure: &FunctionFailure) -> Response {
    match failure {
        FunctionFailure::Reported { kind: Some(kind), .. } if kind == NO_FUNCTION => not_found(),
        FunctionFailure::Reported { phase: Phase::Init, .. }
        | FunctionFailure::Exited { phase: Phase::Init, .. }
        | FunctionFailure::NotStartable { .. } => down(failure),
        FunctionFailure::Stopped => not_running(""),
        FunctionFailure::Reported { .. }
        | FunctionFailure::Exited { .. }
        | FunctionFailure::TimedOut { .. }
        | FunctionFailure::OutOfMemory { .. }
        | FunctionFailure::ResponseTooLarge { .. } => bare(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// To whoever comes while as many requests wait or run as `host.json` allows.
pub(super) fn crowded() -> Response {
    bare(StatusCode::TOO_MANY_REQUESTS)
}

/// What a client is told that no function could hear out.
pub fn strained(strain: Strain) -> Response {
    bare(match strain {
        Strain::Slow => StatusCode::REQUEST_TIMEOUT,
        Strain::Crowded => StatusCode::SERVICE_UNAVAILABLE,
    })
}

/// The failure in a line, without where it was.
pub(crate) fn reason(failure: &FunctionFailure) -> String {
    let FunctionFailure::Reported { body, kind, .. } = failure else { return sentence(failure) };
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = said["message"].as_str().unwrap_or_default().lines().next().unwrap_or_default();
    match kind.as_deref() {
        Some(kind) if !message.starts_with(kind) => format!("{kind}: {message}"),
        _ => message.to_owned(),
    }
}

/// The failure in a sentence, for people.
pub fn sentence(failure: &FunctionFailure) -> String {
    match failure {
        FunctionFailure::Reported { body, .. } => {
            let said: Option<Value> = serde_json::from_slice(body).ok();
            let text =
                |key: &str| said.as_ref().and_then(|said| said[key].as_str()).unwrap_or_default().to_owned();
            let text =
                format!("Result: Failure\nException: {}\nStack: {}", text("message"), text("stackTrace"));
            text.trim_end().to_owned()
        }
        FunctionFailure::TimedOut { after } => {
            format!("Timeout value of {} s was exceeded by function.", after.as_secs_f64())
        }
        FunctionFailure::Exited { code, signal, .. } => {
            let code = code.or(signal.map(|signal| 128 + signal)).unwrap_or(-1);
            format!("Language Worker Process exited. Exit code: {code}.")
        }
        FunctionFailure::OutOfMemory { limit } => {
            let limit = limit / crate::profile::MIB;
            format!(
                "Language Worker Process exited. Exit code: 137 (killed at the plan's {limit} MB of memory)."
            )
        }
        FunctionFailure::ResponseTooLarge { limit, .. } => {
            format!("The response is larger than {limit} bytes.")
        }
        FunctionFailure::NotStartable { why } => without_commands(why),
        FunctionFailure::Stopped => "the function was stopped or deleted while it ran".into(),
    }
}

/// The document that stands for a failure where one is asked for.
pub fn document(failure: &FunctionFailure) -> Bytes {
    match failure {
        FunctionFailure::Reported { body, .. } if !body.is_empty() => body.clone(),
        other => json!({ "message": sentence(other) }).to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn statuses_are_the_hosts() {
        let reported = |kind: &str, phase| FunctionFailure::Reported {
            body: Bytes::from_static(br#"{"message":"ValueError: no","stackTrace":"line 3"}"#),
            kind: Some(kind.into()),
            phase,
        };
        let cases = [
            (reported("ValueError", Phase::Invoke), 500),
            (reported(NO_FUNCTION, Phase::Invoke), 404),
            (reported("SyntaxError", Phase::Init), 503),
            (FunctionFailure::TimedOut { after: Duration::from_secs(1) }, 500),
            (FunctionFailure::OutOfMemory { limit: 1 << 20 }, 500),
            (FunctionFailure::NotStartable { why: "no python".into() }, 503),
        ];
        for (failure, status) in cases {
            assert_eq!(failed(&failure).status().as_u16(), status, "{failure:?}");
        }
        assert!(sentence(&reported("ValueError", Phase::Invoke)).ends_with("ValueError: no\nStack: line 3"));
        assert!(sentence(&FunctionFailure::OutOfMemory { limit: 1 << 20 }).contains("137"));
    }
}
