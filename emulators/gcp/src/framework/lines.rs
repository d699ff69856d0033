//! Cloud Logging's lines for a record: what a function wrote, and the pair that the first generation adds.
//!
//! Source: Cloud Functions documentation, "View and write logs"; Cloud Logging, "Structured logging".

use super::Traits;
use crate::profile::{Generation, MIB};
use mlemu_core::record::Status;
use mlemu_core::{Record, Usage, What};
use serde::Deserialize;

pub(crate) fn of(record: &Record, traits: Traits) -> Vec<String> {
    let first = traits.generation == Generation::First;
    match &record.what {
        What::Started if first => vec!["Function execution started".into()],
        What::Log(line) => vec![message(&line.text)],
        What::Ended { status, usage } => {
            let mut lines: Vec<String> = trouble(status, usage, traits.generation).into_iter().collect();
            if first {
                lines.push(ended(status, usage));
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

fn ended(status: &Status, usage: &Usage) -> String {
    let word = match status {
        Status::Ok => "ok".to_owned(),
        Status::Timeout { .. } => "timeout".to_owned(),
        Status::Exited { .. } | Status::OutOfMemory => "connection error".to_owned(),
        Status::TooLarge { .. } => "error".to_owned(),
        Status::Error { kind } => kind.clone(),
    };
    let millis = usage.handler.as_millis();
    format!("Function execution took {millis} ms, finished with status: '{word}'")
}

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn structured_lines_are_read_and_others_stay() {
        assert_eq!(message(r#"{"severity":"ERROR","message":"no model"}"#), "ERROR: no model");
        assert_eq!(message(r#"{"message":"plain"}"#), "plain");
        for line in ["{", "{}", r#"{"a":1}"#, "[1]", "words"] {
            assert_eq!(message(line), line);
        }
    }
}
