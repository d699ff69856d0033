//! Arguments of a helper, and what can be wrong with them.

use super::Kit;
use crate::budget::Exhausted;
use crate::error::{FixtureError, did_you_mean};
use crate::suggest::similar;
use handlebars::{Helper, PathAndJson, RenderError, RenderErrorReason};
use serde_json::Value;
use std::borrow::Cow;
use thiserror::Error;

/// Why a helper has no answer. Travels through the engine, which adds line and column.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{why}")]
pub(crate) struct Trouble {
    pub why: String,
    pub hint: Option<String>,
}

impl Trouble {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Exhausted> for Trouble {
    fn from(exhausted: Exhausted) -> Self {
        Self::new(exhausted.to_string())
    }
}

impl From<FixtureError> for Trouble {
    fn from(error: FixtureError) -> Self {
        Self { why: error.to_string(), hint: error.hint() }
    }
}

impl From<Trouble> for RenderError {
    fn from(trouble: Trouble) -> Self {
        RenderErrorReason::NestedError(Box::new(trouble)).into()
    }
}

/// The arguments of one call.
pub(crate) struct Args<'a, 'rc> {
    pub helper: &'a Helper<'rc>,
    pub kit: &'a Kit,
    /// All values that the template was given.
    pub context: &'a Value,
}

impl<'a> Args<'a, '_> {
    pub(crate) fn count(&self) -> usize {
        self.helper.params().len()
    }

    pub(crate) fn value(&self, index: usize) -> Result<&'a Value, Trouble> {
        let name = self.helper.name();
        let argument = self
            .helper
            .param(index)
            .ok_or_else(|| Trouble::new(format!("`{name}` needs {} arguments or more", index + 1)))?;
        present(argument, self.context)
    }

    /// An argument as text: text as it is, nothing for null, all else as JSON.
    pub(crate) fn text(&self, index: usize) -> Result<Cow<'a, str>, Trouble> {
        self.value(index).map(text_of)
    }

    pub(crate) fn integer(&self, index: usize) -> Result<i64, Trouble> {
        let value = self.value(index)?;
        value.as_i64().ok_or_else(|| {
            Trouble::new(format!("`{}` needs a whole number, not `{value}`", self.helper.name()))
        })
    }

    /// A count of things to make, at most `limit`.
    pub(crate) fn amount(&self, index: usize, limit: usize) -> Result<usize, Trouble> {
        let name = self.helper.name();
        let asked = self.integer(index)?;
        match usize::try_from(asked) {
            Ok(amount) if amount <= limit => Ok(amount),
            _ => Err(Trouble::new(format!("`{name}` makes 0 to {limit}, not {asked}"))),
        }
    }

    /// `name=value` among the arguments.
    pub(crate) fn named(&self, name: &str) -> Result<Option<&'a Value>, Trouble> {
        self.helper.hash_get(name).map(|argument| present(argument, self.context)).transpose()
    }
}

/// The value of an argument; a path that leads nowhere is an error that says what was meant.
pub(crate) fn present<'a>(argument: &'a PathAndJson<'_>, context: &Value) -> Result<&'a Value, Trouble> {
    if !argument.is_value_missing() {
        return Ok(argument.value());
    }
    let name = argument.relative_path().map_or("", String::as_str);
    let known = context.as_object().into_iter().flat_map(|values| values.keys()).map(String::as_str);
    let helpers = super::helper_names().map(|helper| -> &str { helper });
    let meant = similar(name, helpers.chain(known));
    let hint = did_you_mean(&meant).unwrap_or_else(|| format!("declare it: [params.{name}]"));
    Err(Trouble::new(format!("there is no value called `{name}`")).hint(hint))
}

pub(crate) fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null => Cow::Borrowed(""),
        other => Cow::Owned(other.to_string()),
    }
}

/// Roughly the bytes of a value.
pub(crate) fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(weight).sum::<usize>() + 8,
        Value::Object(map) => map.iter().map(|(name, value)| name.len() + weight(value)).sum::<usize>() + 8,
        _ => 8,
    }
}
