//! Long-running operations: what was asked for, and how far it is.

use crate::functions::fault::Fault;
use crate::functions::routes::Version;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Older ones are forgotten.
const MOST: usize = 1000;

/// What an operation does to its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Update,
    Delete,
}

impl Verb {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Verb::Create => ("create", "CREATE_FUNCTION"),
            Verb::Update => ("update", "UPDATE_FUNCTION"),
            Verb::Delete => ("delete", "DELETE_FUNCTION"),
        }
    }
}

/// One operation.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub id: String,
    pub version: Version,
    pub verb: Verb,
    /// The function's whole name.
    pub target: String,
    /// RFC 3339.
    pub begun: String,
    /// When it ended and how: with a function as its version shows it, or nothing of a deleted one.
    pub ended: Option<(String, Result<Value, Fault>)>,
}

impl Operation {
    /// As the API shows it, under the name of its version's form.
    pub(crate) fn shown(&self) -> Value {
        let (verb, kind) = self.verb.words();
        let said = |name: &str| format!("type.googleapis.com/google.cloud.functions.{name}");
        let mut shown = match self.version {
            Version::One => json!({
                "name": format!("operations/{}", self.id),
                "metadata": {
                    "@type": said("v1.OperationMetadataV1"),
                    "target": self.target,
                    "type": kind,
                    "updateTime": self.begun,
                },
            }),
            Version::Two => json!({
                "name": format!("{}/operations/{}", self.parent(), self.id),
                "metadata": {
                    "@type": said("v2.OperationMetadata"),
                    "createTime": self.begun,
                    "target": self.target,
                    "verb": verb,
                    "apiVersion": "v2",
                    "operationType": kind,
                },
            }),
        };
        let Some((at, result)) = &self.ended else { return shown };
        shown["done"] = true.into();
        if self.version == Version::Two {
            shown["metadata"]["endTime"] = at.as_str().into();
        }
        match result {
            Err(fault) => shown["error"] = json!({ "code": fault.number(), "message": fault.message }),
            Ok(Value::Null) => {
                shown["response"] = json!({ "@type": "type.googleapis.com/google.protobuf.Empty" });
            }
            Ok(function) => {
                let kind = if self.version == Version::One { "v1.CloudFunction" } else { "v2.Function" };
                shown["response"] = json!({ "@type": said(kind) });
                if let (Some(response), Some(fields)) =
                    (shown["response"].as_object_mut(), function.as_object())
                {
                    response.extend(fields.clone());
                }
            }
        }
        shown
    }

    fn parent(&self) -> &str {
        self.target.split("/functions/").next().unwrap_or_default()
    }
}

/// All of them, in the order of their ids' arrival.
#[derive(Default)]
pub(crate) struct Operations(Mutex<BTreeMap<u64, Operation>>);

impl Operations {
    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Operation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refused as long as another one changes the same function.
    pub(crate) fn begin(&self, operation: Operation) -> Result<u64, Fault> {
        let mut all = self.all();
        if all.values().any(|other| other.target == operation.target && other.ended.is_none()) {
            let why = format!("An operation on function {} is already in progress.", operation.target);
            return Err(Fault::aborted(why));
        }
        let key = all.last_key_value().map_or(1, |(key, _)| key + 1);
        all.insert(key, operation);
        while all.len() > MOST {
            all.pop_first();
        }
        Ok(key)
    }

    pub(crate) fn end(&self, key: u64, at: String, result: Result<Value, Fault>) {
        if let Some(operation) = self.all().get_mut(&key) {
            operation.ended = Some((at, result));
        }
    }

    pub(crate) fn get(&self, key: u64) -> Option<Operation> {
        self.all().get(&key).cloned()
    }

    pub(crate) fn named(&self, id: &str) -> Option<Operation> {
        self.all().values().find(|operation| operation.id == id).cloned()
    }

    pub(crate) fn shown(&self, version: Version) -> Value {
        let all = self.all();
        let shown: Vec<Value> =
            all.values().filter(|one| one.version == version).map(Operation::shown).collect();
        json!({ "operations": shown })
    }
}
