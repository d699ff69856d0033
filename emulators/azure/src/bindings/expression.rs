//! Expressions in the names and paths of bindings: `%SETTING%`, and in braces what is known of an invocation.
//!
//! Source: Azure Functions documentation, "Azure Functions binding expression patterns".

use crate::worker::values::{Data, TypedData};
use mlemu_core::{Environment, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is known of an invocation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// By their names, in any case.
    pub values: BTreeMap<String, Value>,
    pub now: Option<Timestamp>,
    /// `{rand-guid}`, the same wherever it stands.
    pub guid: String,
}

impl Known {
    /// Of what a worker is told beside the trigger's data.
    pub fn of(metadata: &BTreeMap<String, TypedData>, now: Timestamp, guid: String) -> Self {
        let values = metadata.iter().filter_map(|(name, said)| Some((name.clone(), value(said)?)));
        Self { values: values.collect(), now: Some(now), guid }
    }

    fn find(&self, path: &str) -> Option<String> {
        let get = |name: &str| {
            self.values.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        let found = get(path).or_else(|| {
            let (first, rest) = path.split_once('.')?;
            rest.split('.').try_fold(get(first)?, |value, name| {
                let fields = value.as_object()?;
                fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
            })
        })?;
        Some(match found {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        })
    }
}

fn value(said: &TypedData) -> Option<Value> {
    match said.data.as_ref()? {
        Data::String(text) => Some(Value::String(text.clone())),
        Data::Json(text) => serde_json::from_str(text).ok(),
        Data::Int(number) => Some((*number).into()),
        Data::Double(number) => Some((*number).into()),
        _ => None,
    }
}

/// The text with the app's settings in place of `%NAME%`. `Err` says which is not there.
pub(crate) fn settled(text: &str, settings: &Environment) -> Result<String, String> {
    let (mut rest, mut made) = (text, String::new());
    while let Some((before, after)) = rest.split_once('%') {
        let (name, after) = after.split_once('%').ok_or_else(|| format!("`{text}` has a single %"))?;
        let found = settings.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let (_, value) =
            found.ok_or_else(|| format!("it is said by %{name}%, and no app setting has that name"))?;
        made.push_str(before);
        made.push_str(value);
        rest = after;
    }
    made.push_str(rest);
    Ok(made)
}

/// The text with everything filled in. `Err` says what is not known.
pub(crate) fn filled(text: &str, settings: &Environment, known: &Known) -> Result<String, String> {
    let text = settled(text, settings)?;
    let (mut rest, mut made) = (text.as_str(), String::new());
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        made.push_str(before);
        if let Some(after) = from.strip_prefix("{{") {
            made.push('{');
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            made.push('}');
            rest = after;
        } else {
            let inner = from.strip_prefix('{').and_then(|from| from.split_once('}'));
            let (name, after) = inner.ok_or_else(|| format!("`{text}` has a brace without its other"))?;
            made.push_str(&one(name, known)?);
            rest = after;
        }
    }
    made.push_str(rest);
    Ok(made)
}

fn one(name: &str, known: &Known) -> Result<String, String> {
    let (word, form) = name.split_once(':').unwrap_or((name, ""));
    match (word.trim().to_ascii_lowercase().as_str(), known.now) {
        ("rand-guid", _) => Ok(guid(&known.guid, form)),
        ("datetime", Some(now)) => Ok(moment(now, form)),
        _ => known.find(name.trim()).ok_or_else(|| format!("nothing is known of {{{name}}} here")),
    }
}

/// In the forms that .NET has for it.
fn guid(guid: &str, form: &str) -> String {
    match form.to_ascii_uppercase().as_str() {
        "N" => guid.replace('-', ""),
        "B" => format!("{{{guid}}}"),
        "P" => format!("({guid})"),
        _ => guid.to_owned(),
    }
}

/// A moment in UTC, as .NET's forms write it; without one as a round trip does.
fn moment(now: Timestamp, form: &str) -> String {
    let at = jiff::Timestamp::from_microsecond(now.0).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    if form.is_empty() {
        return at.strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
    }
    let words = [
        ("yyyy", "%Y"),
        ("MMMM", "%B"),
        ("MMM", "%b"),
        ("dddd", "%A"),
        ("ddd", "%a"),
        ("yy", "%y"),
        ("MM", "%m"),
        ("dd", "%d"),
        ("HH", "%H"),
        ("hh", "%I"),
        ("mm", "%M"),
        ("ss", "%S"),
        ("fff", "%3f"),
        ("tt", "%p"),
    ];
    let (mut rest, mut made) = (form, String::new());
    while let Some(first) = rest.chars().next() {
        if let Some((word, by)) = words.iter().find(|(word, _)| rest.starts_with(word)) {
            made.push_str(&at.strftime(by).to_string());
            rest = &rest[word.len()..];
        } else {
            made.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn known() -> Known {
        let values = BTreeMap::from([
            ("name".to_owned(), json!("cat")),
            ("QueueTrigger".to_owned(), json!("the text")),
            ("data".to_owned(), json!({"url": "u", "deep": {"Number": 7}})),
        ]);
        let guid = "11111111-2222-3333-4444-555555555555".to_owned();
        Known { values, now: Some(Timestamp(1_795_269_134_500_000)), guid }
    }

    #[test]
    fn what_is_known_is_filled_in() {
        let settings = Environment::from([("Where".to_owned(), "out".to_owned())]);
        let fill = |text: &str| filled(text, &settings, &known());
        assert_eq!(fill("%where%/{Name}.txt").as_deref(), Ok("out/cat.txt"));
        assert_eq!(fill("{queueTrigger} {data.url} {data.deep.number}").as_deref(), Ok("the text u 7"));
        assert_eq!(fill("{rand-guid:N}").as_deref(), Ok("11111111222233334444555555555555"));
        assert_eq!(fill("{DateTime:yyyy/MM/dd HH:mm}").as_deref(), Ok("2026/11/21 13:52"));
        assert_eq!(fill("{DateTime}").as_deref(), Ok("2026-11-21T13-52-14Z"));
        assert_eq!(fill("a{{b}}c").as_deref(), Ok("a{b}c"));
        for bad in ["{none}", "{name", "name}", "%None%", "100%", "{data.none}"] {
            assert!(fill(bad).is_err(), "{bad}");
        }
    }
}
