//! Cloud Logging's lines for a record: what a function wrote, and the pair that the first generation adds.
//!
//! Source: Cloud Functions documentation, "View and write logs"; Cloud Logging, "Structured logging".

use super::Traits;
use crate::profile::{Generation, MIB};
use mlemu_core::record::Status;
use mlemu_core::runtime::Unwrapped;
use mlemu_core::{InvocationId, Record, Usage, What};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

pub(crate) fn of(record: &Record, traits: Traits) -> Vec<String> {
    let first = traits.generation == Generation::First;
    match &record.what {
        What::Started if first => vec!["Function execution started".into()],
        What::Log(line) => vec![message(&line.text)],
        What::Ended { status, usage, answered } => {
            let mut lines: Vec<String> = trouble(status, usage, traits.generation).into_iter().collect();
            if first {
                lines.push(ended(status, usage, answered.filter(|_| !traits.signature.is_event())));
            }
            lines
        }
        What::InitEnded { status, .. } if !status.is_ok() && *status != stopped() => {
            vec![
                "Container failed to start and listen on the port defined by the PORT environment variable."
                    .into(),
            ]
        }
        _ => Vec::new(),
    }
}

fn stopped() -> Status {
    Status::Error { kind: "Stopped".into() }
}

/// A line of JSON with a message is that message, after its severity.
fn message(line: &str) -> String {
    #[derive(Deserialize)]
    struct Entry {
        severity: Option<String>,
        message: String,
    }
    if !line.starts_with('{') {
        return line.to_owned();
    }
    match serde_json::from_str::<Entry>(line) {
        Ok(Entry { severity: Some(severity), message }) if severity != "DEFAULT" => {
            format!("{severity}: {message}")
        }
        Ok(Entry { message, .. }) => message,
        Err(_) => line.to_owned(),
    }
}

/// Takes a line apart that the framework wrote for the platform (`LOG_EXECUTION_ID`): plain words come in JSON with the
/// id of their request. Structured lines stay as they are.
pub(crate) fn unwrapped(line: &str) -> Option<Unwrapped> {
    #[derive(Deserialize)]
    struct Labels {
        execution_id: String,
        #[serde(flatten)]
        others: Map<String, Value>,
    }
    #[derive(Deserialize)]
    struct Entry {
        message: Option<String>,
        #[serde(rename = "logging.googleapis.com/labels")]
        labels: Labels,
        #[serde(rename = "logging.googleapis.com/spanId")]
        _span: Option<IgnoredAny>,
        #[serde(flatten)]
        others: Map<String, Value>,
    }
    if !line.starts_with('{') || !line.contains("\"execution_id\"") {
        return None;
    }
    let Entry { message, labels, others, .. } = serde_json::from_str(line).ok()?;
    let plain = message.filter(|_| others.is_empty() && labels.others.is_empty());
    let text = plain.unwrap_or_else(|| line.to_owned());
    Some(Unwrapped { text, invocation: Some(InvocationId(labels.execution_id.into())) })
}

/// What the platform writes when an instance was the reason.
fn trouble(status: &Status, usage: &Usage, generation: Generation) -> Option<String> {
    match (status, generation) {
        (Status::OutOfMemory, Generation::First) => {
            Some("Error: memory limit exceeded. Function invocation was interrupted.".into())
        }
        (Status::OutOfMemory, Generation::Second) => {
            let (limit, used) = (usage.memory_limit / MIB, usage.peak_memory.div_ceil(MIB));
            Some(format!(
                "Memory limit of {limit} MiB exceeded with {used} MiB used. Consider increasing the memory limit."
            ))
        }
        (Status::Timeout { .. }, Generation::Second) => Some(
            "The request has been terminated because it has reached the maximum request timeout.".into(),
        ),
        (Status::Exited { .. }, Generation::Second) => Some(
            "The request failed because either the HTTP response was malformed or connection to the instance had an error."
                .into(),
        ),
        _ => None,
    }
}

/// Functions of HTTP end with the status of their answer, all others with a word.
fn ended(status: &Status, usage: &Usage, answered: Option<u16>) -> String {
    let millis = usage.handler.as_millis();
    if let (true, Some(code)) = (status.is_ok(), answered) {
        return format!("Function execution took {millis} ms, finished with status code: {code}");
    }
    let word = match status {
        Status::Ok => "ok".to_owned(),
        Status::Timeout { .. } => "timeout".to_owned(),
        Status::Exited { .. } | Status::OutOfMemory => "connection error".to_owned(),
        Status::TooLarge { .. } => "error".to_owned(),
        Status::Error { kind } => kind.clone(),
    };
    format!("Function execution took {millis} ms, finished with status: '{word}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structured_lines_are_read_and_others_stay() {
        assert_eq!(message(r#"{"severity":"ERROR","message":"no model"}"#), "ERROR: no model");
        assert_eq!(message(r#"{"message":"plain"}"#), "plain");
        for line in ["{", "{}", r#"{"a":1}"#, "[1]", "words"] {
            assert_eq!(message(line), line);
        }
    }

    #[test]
    fn wrapped_lines_say_whose_they_are() {
        let of = |line: &str| {
            unwrapped(line)
                .map(|said| (said.text, said.invocation.map(|id| id.to_string()).unwrap_or_default()))
        };
        let labels = r#""logging.googleapis.com/labels": {"execution_id": "abc"}"#;
        let span = r#""logging.googleapis.com/spanId": "7""#;
        let plain = format!(r#"{{"message": "two\nlines", {labels}, {span}}}"#);
        assert_eq!(of(&plain), Some(("two\nlines".into(), "abc".into())));
        let structured = format!(r#"{{"severity": "ERROR", "message": "no", {labels}}}"#);
        assert_eq!(of(&structured), Some((structured.clone(), "abc".into())));
        assert_eq!(message(&structured), "ERROR: no");
        let own = r#"{"message": "m", "logging.googleapis.com/labels": {"execution_id": "abc", "a": "b"}}"#;
        assert_eq!(of(own), Some((own.into(), "abc".into())), "its own labels are not lost");
        for line in ["execution_id", r#"{"execution_id": "abc"}"#, r#"{"message":1,"execution_id":"#, "{}"] {
            assert_eq!(of(line), None, "{line}");
        }
    }

    #[test]
    fn the_last_line_of_the_first_generation() {
        let usage = Usage {
            handler: std::time::Duration::from_millis(12),
            queued: std::time::Duration::ZERO,
            start: mlemu_core::StartKind::Warm,
            init: None,
            peak_memory: 0,
            memory_limit: 0,
            enforcement: mlemu_core::Enforcement::None,
            cpu: None,
        };
        let said = |status, code| ended(&status, &usage, code);
        assert_eq!(
            said(Status::Ok, Some(404)),
            "Function execution took 12 ms, finished with status code: 404"
        );
        assert_eq!(said(Status::Ok, None), "Function execution took 12 ms, finished with status: 'ok'");
        let crash = Status::Error { kind: "crash".into() };
        assert_eq!(said(crash, None), "Function execution took 12 ms, finished with status: 'crash'");
    }
}
