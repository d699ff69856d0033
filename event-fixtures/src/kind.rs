//! Kinds of parameters, and how text becomes a value of one.

use crate::param::excerpt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};
use std::fmt;

/// What a fixture declares a parameter to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    String,
    Integer,
    Number,
    Boolean,
    /// JSON of any kind; text stays text.
    Any,
    /// A list: JSON, or values between commas.
    Array,
    /// Nested names: `a.b.c=1`.
    Object,
    /// Names and texts: `query.url=...`; a name given twice has two.
    Map,
    /// As `Map`, with names that ignore case.
    Headers,
    /// A path within the project, or `@path` for one outside.
    File,
}

impl Kind {
    /// Reads what stood after `k=`.
    ///
    /// # Errors
    /// What was expected, for people.
    pub(crate) fn read(self, text: &str) -> Result<Value, Expected> {
        let expected = || Expected { kind: self, found: excerpt(text) };
        match self {
            Kind::String | Kind::Any | Kind::File => Ok(Value::from(text)),
            Kind::Integer => integer(text).ok_or_else(expected),
            Kind::Number => number(text).ok_or_else(expected),
            Kind::Boolean => match text {
                "true" | "yes" | "1" => Ok(true.into()),
                "false" | "no" | "0" => Ok(false.into()),
                _ => Err(expected()),
            },
            Kind::Array if !text.trim_start().starts_with('[') => Ok(between_commas(text)),
            Kind::Array | Kind::Object | Kind::Map | Kind::Headers => {
                self.check(serde_json::from_str(text).map_err(|_| expected())?)
            }
        }
    }

    /// Lets a value pass that is of this kind; `null` is a value of every kind.
    ///
    /// # Errors
    /// What was expected, for people.
    pub(crate) fn check(self, value: Value) -> Result<Value, Expected> {
        let fits = match self {
            _ if value.is_null() => true,
            Kind::Any => true,
            Kind::String | Kind::File => value.is_string(),
            Kind::Integer => value.is_i64() || value.is_u64(),
            Kind::Number => value.is_number(),
            Kind::Boolean => value.is_boolean(),
            Kind::Array => value.is_array(),
            Kind::Object => value.is_object(),
            Kind::Map | Kind::Headers => value.as_object().is_some_and(is_flat),
        };
        if fits { Ok(value) } else { Err(Expected { kind: self, found: excerpt(&value.to_string()) }) }
    }

    /// Whether `name.inner=...` means something.
    pub(crate) fn has_inside(self) -> bool {
        matches!(self, Kind::Object | Kind::Map | Kind::Headers)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::String => "string",
            Kind::Integer => "integer",
            Kind::Number => "number",
            Kind::Boolean => "boolean",
            Kind::Any => "any",
            Kind::Array => "array",
            Kind::Object => "object",
            Kind::Map => "map",
            Kind::Headers => "headers",
            Kind::File => "file",
        })
    }
}

/// A value that is not of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    kind: Kind,
    found: String,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = match self.kind {
            Kind::String => "text",
            Kind::Integer => "a whole number",
            Kind::Number => "a number",
            Kind::Boolean => "true or false",
            Kind::Any => "any value",
            Kind::Array => "a list",
            Kind::Object => "an object",
            Kind::Map | Kind::Headers => "names with texts (or lists of texts)",
            Kind::File => "a path",
        };
        write!(f, "expected {wanted}, found `{}`", self.found)
    }
}

fn integer(text: &str) -> Option<Value> {
    text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)).ok()
}

fn number(text: &str) -> Option<Value> {
    let number = integer(text).or_else(|| text.parse().ok().and_then(Number::from_f64).map(Value::Number));
    number.filter(Value::is_number)
}

/// `0.1, 2, red` as a list; what reads as a number is one.
fn between_commas(text: &str) -> Value {
    if text.trim().is_empty() {
        return Value::Array(Vec::new());
    }
    text.split(',').map(str::trim).map(|item| number(item).unwrap_or_else(|| item.into())).collect()
}

fn is_flat(map: &Map<String, Value>) -> bool {
    let plain = |value: &Value| !value.is_object() && !value.is_array();
    map.values().all(|value| plain(value) || value.as_array().is_some_and(|list| list.iter().all(plain)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_is_read_as_declared() {
        for (kind, text, value) in [
            (Kind::String, "12", json!("12")),
            (Kind::Integer, "18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            (Kind::Number, "-0.0442235", json!(-0.044_223_5)),
            (Kind::Number, "3", json!(3)),
            (Kind::Boolean, "true", json!(true)),
            (Kind::Array, "0.1, 2,red", json!([0.1, 2, "red"])),
            (Kind::Array, "[[1]]", json!([[1]])),
            (Kind::Map, r#"{"a":"b"}"#, json!({"a": "b"})),
            (Kind::Any, r#"{"a":"b"}"#, json!(r#"{"a":"b"}"#)),
        ] {
            assert_eq!(kind.read(text), Ok(value), "{kind} {text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (kind, text) in [
            (Kind::Integer, "1.5"),
            (Kind::Integer, ""),
            (Kind::Number, "NaN"),
            (Kind::Number, "inf"),
            (Kind::Boolean, "maybe"),
            (Kind::Object, "[]"),
            (Kind::Map, r#"{"a":{"b":1}}"#),
            (Kind::Array, "[1"),
        ] {
            assert!(kind.read(text).is_err(), "{kind} {text}");
        }
        assert!(Kind::String.check(json!(1)).is_err());
    }
}
