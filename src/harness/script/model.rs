//! What a test file says.

use crate::config::{Position, SourceText};
use crate::daemon::control::faults::WantedFault;
use crate::daemon::control::wait::Conditions;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

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
    /// Throws the dice of faults and makes fixtures.
    pub seed: u64,
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
    #[serde(skip)]
    Expect(Vec<Expectation>),
}

/// An object; `body`, `json` or `file`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Put {
    pub bucket: String,
    pub key: String,
    pub body: Option<String>,
    pub json: Option<Value>,
    pub file: Option<String>,
}

/// A message; `body`, `json` or `file`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    pub queue: String,
    pub body: Option<String>,
    pub json: Option<Value>,
    pub file: Option<String>,
    /// Hidden for so long, in emulated time.
    pub delay: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invoke {
    #[serde(alias = "fn")]
    pub function: String,
    /// A fixture's name, or the event itself.
    #[serde(default)]
    pub event: Option<Value>,
    /// Of the fixture.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// Do not wait for the outcome.
    #[serde(default)]
    pub queue: bool,
}

/// `idle`, or what the control API's wait takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum WaitFor {
    Word(String),
    Until(Box<Until>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Until {
    #[serde(alias = "fn")]
    pub function: Option<String>,
    pub status: Option<String>,
    pub count: Option<usize>,
    pub object: Option<Value>,
    pub queue_empty: Option<String>,
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
            WaitFor::Word(word) => {
                return Err(format!("`{word}` cannot be waited for; write `idle` or a map"));
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
