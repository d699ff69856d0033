//! What a target gets of an event: all of it, a part, a constant, or a template with parts in it.
//!
//! Amazon EventBridge user guide, "Amazon EventBridge input transformation".

use super::event::{Event, iso};
use super::store::Rule;
use super::wire::{Target, Transformer};
use mlemu_core::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// The text for a target.
pub fn of(event: &Event, rule: &Rule, target: &Target, now: Timestamp) -> String {
    if let Some(constant) = &target.input {
        return constant.clone();
    }
    if let Some(path) = &target.input_path {
        return if path == "$" {
            event.text()
        } else {
            at(&event.document, path).cloned().unwrap_or_default().to_string()
        };
    }
    match &target.input_transformer {
        Some(transformer) => fill(transformer, event, rule, now),
        None => event.text(),
    }
}

/// What a path of the form `$.a.b[0].c` leads to.
pub fn at<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    let mut here = document;
    for part in path.strip_prefix('$')?.split('.').filter(|part| !part.is_empty()) {
        let (name, places) = part.split_once('[').map_or((part, ""), |(name, places)| (name, places));
        if !name.is_empty() {
            here = here.get(name)?;
        }
        for place in places.split('[').filter(|place| !place.is_empty()) {
            let place = place.strip_suffix(']')?;
            here = match place.parse::<usize>() {
                Ok(number) => here.get(number)?,
                Err(_) => here.get(place.trim_matches(['\'', '"']))?,
            };
        }
    }
    Some(here)
}

fn variables(
    transformer: &Transformer,
    event: &Event,
    rule: &Rule,
    now: Timestamp,
) -> BTreeMap<String, Value> {
    let paths = transformer.input_paths_map.iter();
    let mut all: BTreeMap<String, Value> =
        paths.filter_map(|(name, path)| Some((name.clone(), at(&event.document, path)?.clone()))).collect();
    let mut without_detail = event.document.clone();
    if let Some(members) = without_detail.as_object_mut() {
        members.remove("detail");
    }
    all.insert("aws.events.rule-arn".into(), rule.arn.clone().into());
    all.insert("aws.events.rule-name".into(), rule.name.clone().into());
    all.insert("aws.events.event.ingestion-time".into(), iso(now).into());
    all.insert("aws.events.event".into(), without_detail);
    all.insert("aws.events.event.json".into(), event.document.clone());
    all
}

/// A template with its variables filled in: within quotes as part of the string, else as JSON.
fn fill(transformer: &Transformer, event: &Event, rule: &Rule, now: Timestamp) -> String {
    let variables = variables(transformer, event, rule, now);
    let (mut out, mut rest) = (String::new(), transformer.input_template.as_str());
    let mut quoted = false;
    while let Some(letter) = rest.chars().next() {
        if let Some((name, after)) = variable(rest) {
            out.push_str(&written(variables.get(name), quoted));
            rest = after;
            continue;
        }
        let mut taken = letter.len_utf8();
        match letter {
            '"' => quoted = !quoted,
            '\\' => taken += rest[taken..].chars().next().map_or(0, char::len_utf8),
            _ => {}
        }
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    out
}

/// `<name>` at the beginning of a text, and what follows it.
fn variable(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('<')?.split_once('>')?;
    let good =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    good.then_some((name, after))
}

fn written(value: Option<&Value>, quoted: bool) -> String {
    match (value, quoted) {
        (None, true) => String::new(),
        (None, false) => "\"\"".to_owned(),
        (Some(value), false) => value.to_string(),
        (Some(Value::String(text)), true) => inside(text),
        (Some(value), true) => inside(&value.to_string()),
    }
}

/// A text as it stands within the quotes of JSON.
fn inside(text: &str) -> String {
    let quoted = Value::String(text.to_owned()).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lambda::Settings;
    use crate::reach::Detail;
    use serde_json::json;

    fn event() -> Event {
        let detail = json!({ "id": "i-1", "state": "it's \"on\"", "n": 7, "list": [{ "k": "v" }] });
        let said = Detail { source: "my.app".into(), kind: "Done".into(), resources: Vec::new() };
        Event::new(
            mlemu_engine::Ids::default().fresh("event"),
            &Settings::default(),
            Timestamp(0),
            &said,
            detail.to_string(),
        )
    }

    fn rule() -> Rule {
        Rule {
            name: "r".into(),
            bus: "default".into(),
            arn: "arn:rule/r".into(),
            pattern: None,
            schedule: None,
            enabled: true,
            description: None,
            role: None,
            tags: BTreeMap::new(),
            targets: BTreeMap::new(),
            declared: false,
        }
    }

    #[test]
    fn paths() {
        let event = event();
        let found = |path: &str| at(&event.document, path).cloned();
        assert_eq!(found("$.detail.id"), Some("i-1".into()));
        assert_eq!(found("$.detail-type"), Some("Done".into()));
        assert_eq!(found("$.detail.list[0].k"), Some("v".into()));
        assert_eq!(found("$['source']"), Some("my.app".into()));
        assert_eq!(
            (found("$.none"), found("detail"), found("$.detail.list[9]"), found("$.a[")),
            (None, None, None, None)
        );
    }

    #[test]
    fn templates_are_filled_as_json_or_inside_of_strings() {
        let paths = [
            ("id", "$.detail.id"),
            ("state", "$.detail.state"),
            ("n", "$.detail.n"),
            ("list", "$.detail.list"),
        ];
        let filled = |template: &str| {
            let paths = paths.iter().map(|(name, path)| ((*name).to_owned(), (*path).to_owned())).collect();
            let transformer = Transformer { input_paths_map: paths, input_template: template.into() };
            fill(&transformer, &event(), &rule(), Timestamp(0))
        };
        assert_eq!(filled("\"<id> is <state>\""), r#""i-1 is it's \"on\"""#);
        assert_eq!(
            filled("{\"id\": <id>, \"n\": <n>, \"list\": <list>}"),
            r#"{"id": "i-1", "n": 7, "list": [{"k":"v"}]}"#
        );
        assert_eq!(
            filled("{\"a\\\"<n>\": \"<aws.events.rule-name>\", \"none\": \"<none>\"}"),
            r#"{"a\"7": "r", "none": ""}"#
        );
        assert_eq!(filled("1 < 2 <>"), "1 < 2 <>");
        let whole: Value = serde_json::from_str(&filled("{\"e\": <aws.events.event.json>}")).unwrap();
        assert_eq!(whole["e"]["detail"]["n"], 7);
    }

    #[test]
    fn a_constant_and_a_part() {
        let constant = Target { input: Some("{\"a\":1}".into()), ..Target::default() };
        assert_eq!(of(&event(), &rule(), &constant, Timestamp(0)), "{\"a\":1}");
        let part = Target { input_path: Some("$.detail.n".into()), ..Target::default() };
        assert_eq!(of(&event(), &rule(), &part, Timestamp(0)), "7");
    }
}
