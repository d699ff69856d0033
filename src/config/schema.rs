//! The JSON Schema of `mlemu.toml`, and what it says about keys that do not belong there.

use super::error::{ConfigError, MOST_FINDINGS};
use super::model::Model;
use super::text::SourceText;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use toml::de::{DeTable, DeValue};

/// The JSON Schema of `mlemu.toml`, for editors and for `mlemu schema`.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Model>().to_value();
    without_null(&mut schema);
    schema
}

/// An optional key is one that may be left out.
pub(crate) fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(entries) => {
            entries.retain(|_, value| !value.is_null());
            entries.values_mut().for_each(without_null);
            let kind = entries.get("type").and_then(Value::as_array).filter(|kinds| kinds.len() == 1);
            if let Some(kind) = kind.map(|kinds| kinds[0].clone()) {
                entries.insert("type".into(), kind);
            }
        }
        Value::Array(items) => {
            items.retain(|item| !item.is_null() && item != "null");
            items.iter_mut().for_each(without_null);
        }
        _ => {}
    }
}

/// Every key that the schema does not know, with the one that was probably meant, in the order of the file.
pub fn unknown_keys(table: &DeTable<'_>, text: &SourceText) -> Vec<ConfigError> {
    let mut search = Search { text, findings: Vec::new() };
    search.table(table, &schema(), "");
    search.findings.sort_by_key(|finding| finding.at.as_ref().map(|at| at.line));
    search.findings
}

struct Search<'a> {
    text: &'a SourceText,
    findings: Vec<ConfigError>,
}

impl Search<'_> {
    fn table(&mut self, table: &DeTable<'_>, schema: &Value, path: &str) {
        for (key, value) in table {
            let name: &str = key.get_ref();
            let known = schema["properties"].get(name);
            let inside = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            match known
                .or_else(|| schema.get("additionalProperties").filter(|any| any.is_object() || *any == true))
            {
                Some(schema) => self.value(value.get_ref(), schema, &inside),
                None => self.unknown(key.span(), name, schema, path),
            }
        }
    }

    fn value(&mut self, value: &DeValue<'_>, schema: &Value, path: &str) {
        match value {
            DeValue::Table(table) => {
                if let Some(schema) = form(schema, |form| form.get("properties").is_some() || is_map(form)) {
                    self.table(table, schema, path);
                }
            }
            DeValue::Array(list) => {
                if let Some(schema) = form(schema, |form| form.get("items").is_some()) {
                    list.iter().for_each(|item| self.value(item.get_ref(), &schema["items"], path));
                }
            }
            _ => {}
        }
    }

    fn unknown(&mut self, span: std::ops::Range<usize>, name: &str, schema: &Value, path: &str) {
        if self.findings.len() == MOST_FINDINGS {
            return;
        }
        let Some(known) = schema["properties"].as_object() else { return };
        let place = if path.is_empty() { String::new() } else { format!(" in [{path}]") };
        let error = self.text.error_at(span, format!("unknown key `{name}`{place}"));
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        self.findings.push(error.hint(match nearest(name, &names) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("there are {}", names.join(", ")),
        }));
    }
}

fn is_map(schema: &Value) -> bool {
    schema.get("additionalProperties").is_some_and(|any| any.is_object() || *any == true)
}

/// The schema itself, or the alternative of it that fits.
fn form(schema: &Value, fits: impl Fn(&Value) -> bool) -> Option<&Value> {
    let alternatives = schema.get("anyOf").and_then(Value::as_array);
    std::iter::once(schema).chain(alternatives.into_iter().flatten()).find(|form| fits(form))
}

/// The name that differs least from `name`, if it differs little.
pub fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    // The cost of comparing grows with the product of the lengths; no known name is long.
    if name.len() > 64 {
        return None;
    }
    let name = name.to_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&name, &known.to_lowercase());
    let best = names.iter().copied().min_by_key(|known| distance(known))?;
    (distance(best) <= 1 + best.chars().count() / 4).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::schema;
    use crate::config::model::Model;
    use crate::config::tests::EVERYTHING;
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// All paths of keys in a TOML value; a name that the project chooses counts as `*`, and what the schema leaves
    /// open is not looked into.
    fn keys(value: &toml::Value, path: &str, known: &BTreeSet<String>, found: &mut BTreeSet<String>) {
        match value {
            toml::Value::Table(table) => {
                let named = known.contains(&format!("{path}.*"));
                let closed =
                    path.is_empty() || known.iter().any(|other| other.starts_with(&format!("{path}.")));
                for (key, value) in table.iter().filter(|_| closed) {
                    let key = if named { "*" } else { key };
                    let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                    keys(value, &path, known, found);
                    found.insert(path);
                }
            }
            toml::Value::Array(items) => items.iter().for_each(|item| keys(item, path, known, found)),
            _ => {}
        }
    }

    /// The same of a schema.
    fn schema_keys(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
        let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        for (key, inside) in schema["properties"].as_object().into_iter().flatten() {
            found.insert(join(key));
            schema_keys(inside, &join(key), found);
        }
        if schema["additionalProperties"].is_object() {
            found.insert(join("*"));
            schema_keys(&schema["additionalProperties"], &join("*"), found);
        }
        if schema["items"].is_object() {
            schema_keys(&schema["items"], path, found);
        }
        schema["anyOf"].as_array().into_iter().flatten().for_each(|form| schema_keys(form, path, found));
    }

    #[test]
    fn the_schema_has_every_key_of_the_model_and_no_other() {
        let (mut used, mut known) = (BTreeSet::new(), BTreeSet::new());
        schema_keys(&schema(), "", &mut known);
        keys(&toml::from_str(EVERYTHING).unwrap(), "", &known, &mut used);
        assert_eq!(used, known, "the example must use every key, and the schema must know them all");
        toml::from_str::<Model>(EVERYTHING).expect("the model reads all of them");
        let text = schema().to_string();
        assert!(!text.contains("null"), "TOML has no null");
        let memory = &schema()["properties"]["functions"]["additionalProperties"]["properties"]["memory"];
        assert!(memory["description"].as_str().is_some_and(|text| text.contains("Memory limit")));
    }
}
