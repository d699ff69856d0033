//! An invocation asked for by a person: by name, with its log, as one document.

use super::world::World;
use crate::config;
use crate::report::human;
use bytes::Bytes;
use http::StatusCode;
use mlemu_core::record::Status;
use mlemu_core::{Cause, FunctionId, InvocationId, Invoke, Mode, Outcome, Refusal, Reply};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

/// How the invocation is wanted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Wanted {
    /// A revision's label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<String>,
    /// Do not wait for the outcome.
    #[serde(default)]
    pub queue: bool,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Invoked {
    pub schema_version: u32,
    pub invocation: String,
    /// `ok`, `error` or `queued`.
    pub status: String,
    /// The answer, or the vendor's error document; a string when it is no JSON.
    pub result: Box<RawValue>,
    /// The answer is no JSON.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_text: bool,
    /// The vendor's log lines.
    pub log: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<serde_json::Value>,
    /// The report in words, with what no vendor tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truth: Option<String>,
}

#[derive(Debug, Error)]
pub enum Refused {
    #[error("there is no function `{name}`{}", instead(.name, .known))]
    NoFunction { name: String, known: Vec<String> },
    #[error(transparent)]
    Engine(#[from] Refusal),
}

/// What there is instead of `name`.
pub(crate) fn instead(name: &str, known: &[String]) -> String {
    if known.is_empty() {
        return "; the project declares none".into();
    }
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let meant = config::nearest(name, &names).map(|meant| format!("; did you mean `{meant}`?"));
    let there = if known.len() == 1 { "there is" } else { "there are" };
    format!("; {there}: {}{}", known.join(", "), meant.unwrap_or_default())
}

impl Refused {
    pub fn status(&self) -> StatusCode {
        match self {
            Refused::NoFunction { .. }
            | Refused::Engine(Refusal::NoFunction { .. } | Refusal::NoRevision { .. }) => {
                StatusCode::NOT_FOUND
            }
            Refused::Engine(Refusal::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Refused::Engine(Refusal::Throttled(_)) => StatusCode::TOO_MANY_REQUESTS,
            Refused::Engine(Refusal::Stopping) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl World {
    /// Invokes the function that is called `name`, in its project file or in its cloud.
    pub async fn invoke(&self, name: &str, wanted: Wanted, event: Bytes) -> Result<Invoked, Refused> {
        let target = if let Ok(target) = self.find(name) {
            target
        } else {
            // A model may be in training, and some clouds learn from an app what its functions are.
            self.ready().await;
            self.known().await;
            self.find(name)?
        };
        self.run(&target, wanted, event).await
    }

    /// Completes when every function is known: some clouds learn from an app what its functions are.
    pub async fn known(&self) {
        futures_util::future::join_all(self.plugged.iter().map(|plugged| plugged.cloud.known())).await;
    }

    /// Invokes a function.
    pub async fn run(&self, target: &FunctionId, wanted: Wanted, event: Bytes) -> Result<Invoked, Refused> {
        let id = InvocationId(self.engine.ids().fresh("invocation").uuid().into());
        self.traces.remember(&id.0);
        let invoke = Invoke {
            qualifier: wanted.qualifier,
            mode: if wanted.queue { Mode::Queue } else { Mode::Wait },
            wants_log: true,
            ..Invoke::of(id.clone(), target.clone(), event, Cause::Request(id.0.clone()))
        };
        match self.engine.invoke(invoke).await? {
            Reply::Done(outcome) => Ok(self.invoked(target, *outcome)),
            Reply::Accepted | Reply::WouldRun => Ok(Invoked {
                schema_version: 1,
                invocation: id.to_string(),
                status: "queued".into(),
                result: RawValue::NULL.to_owned(),
                is_text: false,
                log: Vec::new(),
                report: None,
                truth: None,
            }),
        }
    }

    /// The function that is called `name`, in its project file or in its cloud.
    pub fn find(&self, name: &str) -> Result<FunctionId, Refused> {
        self.find_on(None, name)
    }

    /// The same, in one cloud if one is named.
    pub fn find_on(&self, cloud: Option<&str>, name: &str) -> Result<FunctionId, Refused> {
        let mut views = self.engine.all_functions();
        views.retain(|view| cloud.is_none_or(|cloud| *view.id.scope.cloud == *cloud));
        let alias = self.alias(name);
        let found = views.iter().find(|view| *view.id.name == *name || alias.as_ref() == Some(&view.id));
        found.map(|view| view.id.clone()).ok_or_else(|| Refused::NoFunction {
            name: name.into(),
            known: views.iter().map(|view| view.id.name.to_string()).collect(),
        })
    }

    fn invoked(&self, target: &FunctionId, outcome: Outcome) -> Invoked {
        let (status, body) = match &outcome.result {
            Ok(answer) => ("ok", answer.body.clone()),
            Err(failure) => ("error", self.cloud(target).failure(failure, &outcome.id.0)),
        };
        Invoked {
            schema_version: 1,
            invocation: outcome.id.to_string(),
            status: status.into(),
            is_text: serde_json::from_slice::<&RawValue>(&body).is_err(),
            result: raw(&body),
            log: outcome.log,
            report: serde_json::to_value(&outcome.usage).ok(),
            truth: Some(human::truth(&Status::of(&outcome.result), &outcome.usage)),
        }
    }
}

/// A body as JSON; as a string when it is none.
pub fn raw(body: &Bytes) -> Box<RawValue> {
    let text = String::from_utf8_lossy(body);
    serde_json::from_str(&text)
        .or_else(|_| serde_json::value::to_raw_value(text.as_ref()))
        .unwrap_or_else(|_| RawValue::NULL.to_owned())
}
