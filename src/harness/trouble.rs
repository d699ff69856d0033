//! What a test of the harness may be refused, and why what it waited for did not come.

use crate::config::ConfigError;
use crate::daemon::StartError;
use crate::report::human::harmless;
use http::StatusCode;
use mlemu_fixtures::FixtureError;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum HarnessError {
    #[error(transparent)]
    Config(#[from] Box<ConfigError>),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(
        "the program `mlemu` is needed beside the test: put it in PATH, name it by MLEMU_BIN, or give it to the builder"
    )]
    NoProgram,
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    #[error("the daemon at {at} does not answer: {why}")]
    Unreachable { at: String, why: String },
    #[error("the daemon's answer broke off: {0}")]
    BrokenOff(String),
    #[error("cannot ask for {path}: {why}")]
    NoRequest { path: String, why: String },
    /// The control API says no, and why.
    #[error("{why}")]
    Refused { status: StatusCode, why: String },
    /// What was waited for did not come in time.
    #[error("{0}")]
    NotSettled(Box<Diagnosis>),
}

/// What stood in the way of something that was waited for.
#[derive(Debug)]
pub struct Diagnosis {
    document: Value,
}

impl Diagnosis {
    /// Reads what the control API answers with 408.
    pub fn read(answer: &[u8]) -> Self {
        Self { document: serde_json::from_slice(answer).unwrap_or_default() }
    }

    /// As the control API gave it.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// In words, the shortest account first.
    pub fn lines(&self) -> Vec<String> {
        let of = |name: &str| self.document[name].as_array().into_iter().flatten();
        let mut lines = vec![self.document["error"].as_str().unwrap_or("not in time").to_owned()];
        lines.extend(of("under_way").map(under_way));
        lines.extend(of("queues").flat_map(hidden));
        if self.document["paused"] == true {
            lines.push("triggers are paused: nothing starts a function by itself".into());
        }
        let failed = &self.document["last_failed"];
        if !failed.is_null() {
            let (status, function) = (text(&failed["status"]), text(&failed["function"]));
            lines.push(format!("the last failure: {status} of {function}"));
            let log = failed["log"].as_array().into_iter().flatten();
            let log = log.flat_map(|line| line["text"].as_str().unwrap_or_default().split('\n'));
            lines.extend(log.map(|line| format!("  {}", harmless(line))));
        }
        lines
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

fn under_way(open: &Value) -> String {
    let work = &open["work"];
    match work["kind"].as_str() {
        Some("invocation") => {
            format!("under way: {} ({})", text(&work["function"]["name"]), text(&work["id"]))
        }
        Some("change") => {
            format!("under way: the change of {}/{}", text(&work["bucket"]), text(&work["key"]))
        }
        Some("message") => format!("under way: message {} of {}", text(&work["id"]), text(&work["queue"])),
        _ => format!("under way: {}", text(&work["what"])),
    }
}

/// Which message of a queue is hidden until when.
fn hidden(queue: &Value) -> Vec<String> {
    let messages = queue["messages"].as_array().into_iter().flatten();
    let of = |message: &Value| {
        let until = message["until"].as_str().map(|until| format!(" until {until}")).unwrap_or_default();
        let (id, sight) = (text(&message["id"]), text(&message["sight"]));
        format!(
            "{}: message {id} is {sight}{until}, received {} times",
            text(&queue["name"]),
            message["received"]
        )
    };
    messages.map(of).collect()
}

fn text(value: &Value) -> Cow<'_, str> {
    harmless(value.as_str().unwrap_or_default())
}
