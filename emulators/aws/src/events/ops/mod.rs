//! What each operation does.

mod buses;
mod put;
pub mod rules;
mod tags;
mod targets;

use super::fault::{Code, Fault};
use super::routes::Operation;
use super::{Call, Front, wire};
use mlemu_core::{Subject, What};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// What a project declares.
#[derive(Debug)]
pub enum Declared {
    Bus {
        name: String,
    },
    /// A rule with all of its targets.
    Rule {
        rule: Box<wire::PutRule>,
        targets: Vec<wire::Target>,
    },
}

impl Declared {
    /// A rule of a template: `properties` are those of an `AWS::Events::Rule`.
    pub fn rule(name: &str, properties: &Value) -> Result<Self, serde_json::Error> {
        let mut rule: wire::PutRule = serde_json::from_value(with_pattern_as_text(properties))?;
        rule.name = Some(name.to_owned());
        let targets = properties.get("Targets").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
        Ok(Self::Rule { rule: Box::new(rule), targets: serde_json::from_value(targets)? })
    }
}

/// In templates a pattern is an object, in requests the text of one.
fn with_pattern_as_text(properties: &Value) -> Value {
    let mut properties = properties.clone();
    if let Some(pattern) = properties.get_mut("EventPattern").filter(|pattern| pattern.is_object()) {
        *pattern = Value::String(pattern.to_string());
    }
    properties
}

/// Runs one operation.
pub(super) async fn run(
    front: &Arc<Front>,
    call: &Call,
    operation: Operation,
    body: &[u8],
) -> Result<Value, Fault> {
    use Operation as Op;
    match operation {
        Op::PutEvents => put::events(front, call, read(body)?).await,
        Op::TestEventPattern => put::test(&read(body)?),
        Op::PutRule => rules::put(front, read(body)?),
        Op::DeleteRule => rules::delete(front, &read(body)?),
        Op::DescribeRule => rules::describe(front, &read(body)?),
        Op::EnableRule => rules::switch(front, &read(body)?, true),
        Op::DisableRule => rules::switch(front, &read(body)?, false),
        Op::ListRules => rules::list(front, &read(body)?),
        Op::ListRuleNamesByTarget => rules::list_by_target(front, &read(body)?),
        Op::PutTargets => targets::put(front, read(body)?),
        Op::RemoveTargets => targets::remove(front, &read(body)?),
        Op::ListTargetsByRule => targets::list(front, &read(body)?),
        Op::CreateEventBus => buses::create(front, read(body)?),
        Op::DeleteEventBus => buses::delete(front, &read(body)?),
        Op::DescribeEventBus => buses::describe(front, &read(body)?),
        Op::ListEventBuses => Ok(buses::list(front, &read(body)?)),
        Op::TagResource => tags::add(front, read(body)?),
        Op::UntagResource => tags::remove(front, &read(body)?),
        Op::ListTagsForResource => tags::list(front, &read(body)?),
        other => {
            let what = What::Unsupported { service: "events".into(), operation: other.name().into() };
            front.parts.sink.send(front.parts.clock.now(), Subject::default(), what);
            let text = format!("mlemu does not have EventBridge's {} yet", other.name());
            Err(Fault::new(Code::NotImplemented, text))
        }
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Fault::new(Code::Serialization, error.to_string()))
}

/// Makes what a project declares.
pub(super) fn declare(front: &Arc<Front>, declared: Declared) -> Result<(), Fault> {
    match declared {
        Declared::Bus { name } => {
            let mut store = front.store();
            if store.bus(Some(&name)).is_err() {
                store.add_bus(&name, None, super::store::Tags::new());
            }
            Ok(())
        }
        Declared::Rule { rule, targets } => rules::declare(front, *rule, targets),
    }
}

/// A member that must be there.
fn want<'a>(value: Option<&'a str>, member: &str) -> Result<&'a str, Fault> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| Fault::missing(member))
}

/// Cuts a sorted list to the page that a token names.
fn page<T>(all: Vec<T>, named: &wire::Named, key: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let size = named.limit.unwrap_or(100).clamp(1, 100);
    let from = |one: &T| named.next_token.as_deref().is_none_or(|token| *key(one) >= *token);
    let mut rest: Vec<T> = all.into_iter().filter(from).collect();
    let next = rest.get(size).map(&key);
    rest.truncate(size);
    (rest, next)
}
