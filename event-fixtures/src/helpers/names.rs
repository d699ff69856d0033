//! Maps of names and values: headers and query strings, in the forms that gateways give them.

use super::args::{Args, Trouble, text_of};
use serde_json::{Map, Value};

pub(super) const TABLE: super::Table = &[
    ("all-values", all_values),
    ("joined-values", joined_values),
    ("last-values", last_values),
    ("lower-names", lower_names),
    ("merge-headers", merge_headers),
    ("object", object),
];

fn map<'a>(value: &'a Value) -> Result<impl Iterator<Item = (&'a str, Vec<&'a Value>)>, Trouble> {
    let entries = match value {
        Value::Null => None,
        Value::Object(entries) => Some(entries),
        other => return Err(Trouble::new(format!("names and values are needed, not `{other}`"))),
    };
    let values = |value: &'a Value| match value {
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    };
    Ok(entries.into_iter().flatten().map(move |(name, value)| (name.as_str(), values(value))))
}

/// Each name as often as it has values.
pub(super) fn pairs(value: &Value) -> Result<impl Iterator<Item = (&str, String)>, Trouble> {
    Ok(map(value)?
        .flat_map(|(name, values)| values.into_iter().map(move |value| (name, text_of(value).into_owned()))))
}

/// A map of another with its values made anew; null where there is nothing, as gateways do.
fn remade(value: &Value, make: impl Fn(Vec<&Value>) -> Value) -> Result<Value, Trouble> {
    let entries: Map<String, Value> =
        map(value)?.map(|(name, values)| (name.to_owned(), make(values))).collect();
    Ok(if entries.is_empty() { Value::Null } else { Value::Object(entries) })
}

fn text(value: &Value) -> Value {
    text_of(value).into_owned().into()
}

fn last_values(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    remade(args.value(0)?, |values| values.last().map_or("".into(), |value| text(value)))
}

fn all_values(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    remade(args.value(0)?, |values| values.into_iter().map(text).collect())
}

fn joined_values(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    remade(args.value(0)?, |values| values.into_iter().map(text_of).collect::<Vec<_>>().join(",").into())
}

fn lower_names(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    let lower = map(args.value(0)?)?
        .map(|(name, values)| (name.to_lowercase(), values.into_iter().cloned().collect()))
        .collect();
    Ok(Value::Object(lower))
}

/// `(merge-headers a b)`: those of `b` in place of those of `a`, whatever their case.
fn merge_headers(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    let mut merged = Map::new();
    for index in 0..args.count() {
        for (name, values) in map(args.value(index)?)? {
            merged.retain(|known: &String, _| !known.eq_ignore_ascii_case(name));
            merged.insert(name.to_owned(), values.into_iter().cloned().collect());
        }
    }
    Ok(Value::Object(merged))
}

/// `(object a=1 b=x)`.
fn object(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    let mut object = Map::new();
    for name in args.helper.hash().keys() {
        let value = args.named(name)?.cloned().unwrap_or_default();
        object.insert((*name).to_owned(), value);
    }
    Ok(Value::Object(object))
}
