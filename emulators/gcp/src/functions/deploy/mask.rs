//! Changing part of a document: what an update's mask names, or all that the update says where it names nothing.
//!
//! Source: Google AIP-134, "Standard methods: Update"; AIP-161, "Field masks".

use serde_json::Value;

/// `said` over `old`; `mask`: paths with commas between them.
pub(crate) fn laid_over(old: &Value, said: &Value, mask: &str) -> Value {
    let mut fresh = old.clone();
    let paths: Vec<&str> = mask.split(',').map(str::trim).filter(|path| !path.is_empty()).collect();
    if paths.is_empty() || paths == ["*"] {
        over(&mut fresh, said);
        return fresh;
    }
    for path in paths {
        let names: Vec<String> = path.split('.').map(camel).collect();
        put(&mut fresh, said, &names);
    }
    fresh
}

/// A document with what is known better.
pub(crate) fn joined(mut document: Value, known: &Value) -> Value {
    over(&mut document, known);
    document
}

/// Objects are joined, anything else is replaced.
fn over(old: &mut Value, said: &Value) {
    match (old, said) {
        (Value::Object(old), Value::Object(said)) => {
            for (key, value) in said {
                match old.get_mut(key) {
                    Some(there) if is_message(key) => over(there, value),
                    _ => drop(old.insert(key.clone(), value.clone())),
                }
            }
        }
        (old, said) => *old = said.clone(),
    }
}

/// Maps of the user's own are replaced as a whole.
fn is_message(key: &str) -> bool {
    matches!(key, "buildConfig" | "serviceConfig" | "eventTrigger")
}

/// What is named and not said is taken away.
fn put(old: &mut Value, said: &Value, path: &[String]) {
    let Some((name, rest)) = path.split_first() else { return };
    let Some(object) = old.as_object_mut() else { return };
    match (said.get(name), rest.is_empty()) {
        (Some(value), true) => drop(object.insert(name.clone(), value.clone())),
        (None, true) => drop(object.remove(name)),
        (value, false) => {
            let inner = object.entry(name.clone()).or_insert_with(|| Value::Object(serde_json::Map::new()));
            put(inner, value.unwrap_or(&Value::Null), rest);
        }
    }
}

/// `available_memory` as `availableMemory`.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.extend(letters);
    }
    camel
}
