//! What shall be, what is, and how they differ.

use crate::config::{bytes, duration};
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Lines of a difference that are shown.
const SHOWN: usize = 40;

/// The value at a path of dots. Where a text is JSON, a path goes into it.
pub fn at(document: &Value, path: &str) -> Option<Value> {
    let mut here = document.clone();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        if let Value::String(text) = &here {
            here = serde_json::from_str(text).ok()?;
        }
        here = match &here {
            Value::Array(items) => items.get(part.parse::<usize>().ok()?)?.clone(),
            other => other.get(part)?.clone(),
        };
    }
    Some(here)
}

/// Whether a value is as it shall be; otherwise why not, in words.
pub fn matches(wanted: &Value, found: Option<&Value>) -> Result<(), String> {
    let Some(operators) = operators(wanted) else {
        return match found {
            Some(found) if same(wanted, found) => Ok(()),
            found => Err(differs(wanted, found)),
        };
    };
    for (operator, wanted) in operators {
        compare(operator, wanted, found)?;
    }
    Ok(())
}

pub const OPERATORS: [&str; 11] =
    ["lt", "le", "gt", "ge", "not", "in", "contains", "not_contains", "like", "exists", "has"];

/// A mapping of operators alone is no value.
fn operators(wanted: &Value) -> Option<&Map<String, Value>> {
    let map = wanted.as_object()?;
    let known = !map.is_empty() && map.keys().all(|key| OPERATORS.contains(&key.as_str()));
    known.then_some(map)
}

fn compare(operator: &str, wanted: &Value, found: Option<&Value>) -> Result<(), String> {
    if operator == "exists" {
        let is = found.is_some_and(|found| !found.is_null());
        return if wanted == &Value::Bool(is) { Ok(()) } else { Err(format!("exists: {is}")) };
    }
    let Some(found) = found else {
        return Err(format!("expected {operator} {wanted}, and there is nothing"));
    };
    let text = || found.as_str().map_or_else(|| found.to_string(), str::to_owned);
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let good = match operator {
        "lt" | "le" | "gt" | "ge" => return ordered(operator, wanted, found),
        "not" => !same(wanted, found),
        "in" => wanted.as_array().is_some_and(|all| all.iter().any(|one| same(one, found))),
        "contains" | "has" => match found {
            Value::Array(items) => items.iter().any(|item| same(wanted, item)),
            _ => text().contains(&plain(wanted)),
        },
        "not_contains" => match found {
            Value::Array(items) => !items.iter().any(|item| same(wanted, item)),
            _ => !text().contains(&plain(wanted)),
        },
        _ => like(&text(), &plain(wanted)),
    };
    if good { Ok(()) } else { Err(format!("expected {operator} {wanted}, got {}", short(found))) }
}

/// Durations are milliseconds, sizes bytes.
fn ordered(operator: &str, wanted: &Value, found: &Value) -> Result<(), String> {
    let limit = match wanted {
        Value::String(text) => duration(text)
            .map(|time| time.as_secs_f64() * 1000.0)
            .or_else(|| bytes(text).map(|bytes| bytes as f64))
            .or_else(|| text.parse().ok()),
        other => other.as_f64(),
    };
    let (Some(limit), Some(is)) = (limit, found.as_f64()) else {
        return Err(format!("{} cannot be compared with {wanted}", short(found)));
    };
    let good = match operator {
        "lt" => is < limit,
        "le" => is <= limit,
        "gt" => is > limit,
        _ => is >= limit,
    };
    if good { Ok(()) } else { Err(format!("expected {operator} {wanted}, got {}", short(found))) }
}

/// `*` stands for any letters.
fn like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (index, part) in parts.iter().enumerate() {
        if index + 1 == parts.len() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

/// Numbers are the same whichever way they are written; a text may be the same as the JSON in it.
fn same(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (Value::Object(_) | Value::Array(_), Value::String(text)) => {
            serde_json::from_str(text).is_ok_and(|found: Value| found != *text && same(wanted, &found))
        }
        _ => wanted == found,
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(400) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// Both, line by line where there are several.
pub fn differs(wanted: &Value, found: Option<&Value>) -> String {
    let Some(found) = found else { return format!("expected {}, and there is nothing", short(wanted)) };
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default();
    let (wanted_text, found_text) = (pretty(wanted), pretty(found));
    if !wanted_text.contains('\n') && !found_text.contains('\n') {
        return format!("expected {}, got {}", short(wanted), short(found));
    }
    let (old, new): (Vec<_>, Vec<_>) = (wanted_text.lines().collect(), found_text.lines().collect());
    let before = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let room = old.len().min(new.len()) - before;
    let after = old.iter().rev().zip(new.iter().rev()).take(room).take_while(|(a, b)| a == b).count();
    let mut text = "it differs (- expected, + got)".to_owned();
    for line in &old[before.saturating_sub(2)..before] {
        let _ = write!(text, "\n    {line}");
    }
    for line in old[before..old.len() - after].iter().take(SHOWN) {
        let _ = write!(text, "\n  - {line}");
    }
    for line in new[before..new.len() - after].iter().take(SHOWN) {
        let _ = write!(text, "\n  + {line}");
    }
    text
}
