//! What a test file says.

use crate::config::{Position, SourceText, duration};
use crate::daemon::control::faults::WantedFault;
use crate::daemon::control::wait::Conditions;
use mlemu_core::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The word for it in a `wait`: nothing is under way that does not only wait for its time.
pub const STILL: &str = "still";

/// One file.
#[derive(Clone, Debug)]
pub struct Suite {
    pub text: Arc<SourceText>,
    pub tests: Vec<Test>,
}

/// One test, or one of a matrix.
#[derive(Clone, Debug)]
pub struct Test {
    pub name: String,
    pub at: Position,
    /// The one cloud in which names are looked for; `None`: any.
    pub on: Option<String>,
    /// What the test repeats by: ids, the order of what starts by itself, the dice of faults, fixtures.
    pub seed: Option<u64>,
    /// Emulated time stands still, here.
    pub clock: Option<String>,
    /// The first call of each function is a cold start.
    pub cold: bool,
    /// Other memory than declared, by function.
    pub memory: BTreeMap<String, String>,
    pub steps: Vec<Placed<Step>>,
}

/// Something and where the file says it.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    pub at: Position,
    /// Characters that are marked there.
    pub width: usize,
    pub what: T,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Put(Put),
    Send(Send),
    Invoke(Invoke),
    Wait(WaitFor),
    /// In emulated time; ends when everything that fell due has settled.
    Advance(String),
    Fault(WantedFault),
    /// The function's next call is a cold start.
    Cold(String),
    /// Emulated time stands still, here; `real`: it passes as the machine's.
    Clock(String),
    /// This schedule comes now.
    Fire(String),
    #[serde(skip)]
    Expect(Vec<Expectation>),
}

/// An object; `body`, `json`, `base64` or `file`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Put {
    pub bucket: String,
    pub key: String,
    pub body: Option<String>,
    pub json: Option<Value>,
    /// Bytes that are no text.
    pub base64: Option<String>,
    /// Beside the test file, or in the project's folder.
    pub file: Option<String>,
}

/// A message; `body`, `json`, `base64` or `file`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Send {
    pub queue: String,
    pub body: Option<String>,
    pub json: Option<Value>,
    /// Bytes that are no text.
    pub base64: Option<String>,
    /// Beside the test file, or in the project's folder.
    pub file: Option<String>,
    /// Hidden for so long, in emulated time.
    pub delay: Option<String>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Invoke {
    #[serde(alias = "fn")]
    pub function: String,
    /// A fixture's name, or the event itself.
    #[serde(default)]
    pub event: Option<Value>,
    /// The event's bytes, where it is no JSON.
    #[serde(default)]
    pub base64: Option<String>,
    /// Of the fixture.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// The fixture that the event is put into, e.g. `aws/apigw/http-v2`.
    #[serde(default, rename = "as")]
    pub envelope: Option<String>,
    /// Do not wait for the outcome.
    #[serde(default)]
    pub queue: bool,
}

/// `idle`: nothing is under way; `still`: nothing is that does not only wait for its time; or what the control API's wait
/// takes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WaitFor {
    Word(String),
    Until(Box<Until>),
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Until {
    #[serde(alias = "fn")]
    /// Invocations of this function have ended.
    #[serde(alias = "fn")]
    pub function: Option<String>,
    /// So they have ended: `ok`, `error`, `timeout`, `exited`, `out-of-memory`, `failed` or `any`.
    pub status: Option<String>,
    /// So many; one when nothing is said.
    pub count: Option<usize>,
    /// `bucket`, with `key` or `prefix`, and `count`: it is there.
    pub object: Option<Value>,
    /// Nothing is left in this queue, hidden messages included.
    pub queue_empty: Option<String>,
    /// On the machine's clock; 60s when nothing is said.
    pub timeout: Option<String>,
}

/// What an expectation looks at, and what it shall be there.
#[derive(Clone, Debug)]
pub struct Expectation {
    pub subject: Subject,
    /// A path and what shall be found at it, each with its place.
    pub facts: Vec<Placed<(String, Value)>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The newest invocation, of a function if one is named.
    Last {
        function: Option<String>,
    },
    Invocations {
        function: Option<String>,
        status: Option<String>,
    },
    Object {
        bucket: String,
        key: String,
    },
    Bucket {
        name: String,
        prefix: String,
    },
    Queue {
        name: String,
    },
    /// Everything that a function wrote since the test began.
    Logs {
        function: Option<String>,
    },
}

impl Step {
    /// # Errors
    /// In words, when it could never be done.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Step::Advance(by) => spell(by).map(drop),
            Step::Clock(at) if at != "real" => moment(at).map(drop),
            Step::Send(Send { delay: Some(delay), .. }) => spell(delay).map(drop),
            Step::Fault(fault) => fault.rule().map(drop),
            Step::Wait(wait) => {
                let (_, timeout) = wait.conditions()?;
                timeout.as_deref().map_or(Ok(()), |timeout| spell(timeout).map(drop))
            }
            _ => Ok(()),
        }
    }
}

/// # Errors
/// In words, when it is no duration.
pub fn spell(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| format!("`{text}` is no duration: write 500ms, 30s, 10m or 6h"))
}

/// # Errors
/// In words, when it is no point of time.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    let said = text.strip_prefix("frozen:").unwrap_or(text);
    let at: Result<jiff::Timestamp, _> = said.parse();
    let at = at.map_err(|error| format!("`{text}` is no time like 2026-01-01T00:00:00Z: {error}"))?;
    Ok(Timestamp(at.as_microsecond()))
}

impl WaitFor {
    /// What the control API would be asked.
    ///
    /// # Errors
    /// In words, when it is nothing that can be waited for.
    pub fn conditions(&self) -> Result<(Conditions, Option<String>), String> {
        let until = match self {
            WaitFor::Word(word) if word == "idle" => {
                return Ok((Conditions { idle: Some(true), ..Conditions::default() }, None));
            }
            WaitFor::Word(word) if word == STILL => return Ok((Conditions::default(), None)),
            WaitFor::Word(word) => {
                return Err(format!("`{word}` cannot be waited for; write `idle`, `still` or a map"));
            }
            WaitFor::Until(until) => until,
        };
        let mut document = Map::new();
        if until.function.is_some() || until.status.is_some() {
            let mut wanted = Map::new();
            wanted.extend(until.function.clone().map(|function| ("function".into(), function.into())));
            wanted.extend(until.status.clone().map(|status| ("status".into(), status.into())));
            wanted.extend(until.count.map(|count| ("count".into(), count.into())));
            document.insert("invocations".into(), wanted.into());
        }
        document.extend(until.object.clone().map(|object| ("object".into(), object)));
        document.extend(until.queue_empty.clone().map(|queue| ("queue_empty".into(), queue.into())));
        let conditions = serde_json::from_value(document.into());
        Ok((conditions.map_err(|error| error.to_string())?, until.timeout.clone()))
    }
}
