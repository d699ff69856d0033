//! Filter policies: which messages of a topic a subscription is told.
//!
//! Amazon SNS developer guide, "Subscription filter policies". The operators are those of event patterns.

use super::envelope::Message;
use super::fault::Fault;
use crate::pattern::Pattern;
use serde_json::{Map, Value};

/// A compiled policy and what it looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    pattern: Pattern,
    of_body: bool,
}

impl Filter {
    /// `None`: everything is wanted. `scope` is `MessageAttributes` where nobody says.
    pub fn read(policy: Option<&str>, scope: Option<&str>) -> Result<Option<Self>, Fault> {
        let of_body = match scope {
            None | Some("MessageAttributes") => false,
            Some("MessageBody") => true,
            Some(other) => {
                let why = format!(
                    "FilterPolicyScope: Invalid value [{other}]. Please use either MessageBody or MessageAttributes"
                );
                return Err(Fault::parameter(why));
            }
        };
        let Some(policy) = policy.filter(|policy| !policy.trim().is_empty() && policy.trim() != "{}") else {
            return Ok(None);
        };
        let wrong = |why: &dyn std::fmt::Display| Fault::parameter(format!("FilterPolicy: {why}"));
        let pattern = Pattern::compile(policy).map_err(|fault| wrong(&fault))?;
        let document: Value = serde_json::from_str(policy).map_err(|error| wrong(&error))?;
        let nested = document.as_object().is_some_and(|all| all.values().any(Value::is_object));
        if nested && !of_body {
            return Err(wrong(
                &"Filter policy scope MessageAttributes does not support nested filter policy",
            ));
        }
        Ok(Some(Self { pattern, of_body }))
    }

    pub fn wants(&self, message: &Message) -> bool {
        if self.of_body {
            let body: Option<Value> = serde_json::from_str(&message.text).ok();
            return body.filter(Value::is_object).is_some_and(|body| self.pattern.fits(&body));
        }
        self.pattern.fits(&attributes(message))
    }
}

/// Attributes as a document: numbers are numbers, lists are lists, and what is binary is not looked at.
fn attributes(message: &Message) -> Value {
    let mut document = Map::new();
    for attribute in &message.attributes {
        let text = String::from_utf8_lossy(&attribute.value);
        let value = match &*attribute.kind {
            "String.Array" => serde_json::from_str(&text).ok().filter(Value::is_array),
            "Number" => serde_json::from_str(&text).ok().filter(Value::is_number),
            kind if kind.starts_with("Binary") => None,
            _ => Some(Value::String(text.into_owned())),
        };
        document.extend(value.map(|value| (attribute.name.to_string(), value)));
    }
    Value::Object(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlemu_engine::queues::Attribute;

    fn message(text: &str, attributes: &[(&str, &str, &str)]) -> Message {
        let attribute = |(name, kind, value): &(&str, &str, &str)| Attribute {
            name: (*name).into(),
            kind: (*kind).into(),
            value: (*value).to_owned().into(),
        };
        Message {
            text: text.into(),
            attributes: attributes.iter().map(attribute).collect(),
            ..Message::default()
        }
    }

    #[test]
    fn attributes_are_looked_at_by_their_kind() {
        let filter = |policy: &str| Filter::read(Some(policy), None).unwrap().unwrap();
        let told = message(
            "x",
            &[
                ("kind", "String", "flower"),
                ("size", "Number", "7.5"),
                ("tags", "String.Array", r#"["a","b",3]"#),
                ("bytes", "Binary", "zz"),
            ],
        );
        for good in [
            r#"{"kind":["flower","tree"]}"#,
            r#"{"kind":[{"prefix":"fl"}],"size":[{"numeric":[">",7]}]}"#,
            r#"{"tags":["b"]}"#,
            r#"{"tags":[3]}"#,
            r#"{"none":[{"exists":false}]}"#,
            r#"{"$or":[{"kind":["no"]},{"size":[7.5]}]}"#,
        ] {
            assert!(filter(good).wants(&told), "{good}");
        }
        for bad in [r#"{"kind":["tree"]}"#, r#"{"none":["x"]}"#, r#"{"bytes":["zz"]}"#, r#"{"size":["7.5"]}"#]
        {
            assert!(!filter(bad).wants(&told), "{bad}");
        }
    }

    #[test]
    fn bodies_are_looked_at_when_the_scope_says_so() {
        let filter = Filter::read(Some(r#"{"a":{"b":[1]}}"#), Some("MessageBody")).unwrap().unwrap();
        assert!(filter.wants(&message(r#"{"a":{"b":1}}"#, &[])));
        assert!(!filter.wants(&message(r#"{"a":{"b":2}}"#, &[])));
        assert!(!filter.wants(&message("no json", &[])));
        assert!(Filter::read(Some(r#"{"a":{"b":[1]}}"#), None).is_err(), "attributes are not nested");
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        assert!(Filter::read(Some("nonsense"), None).is_err());
        assert!(Filter::read(Some(r#"{"a":"x"}"#), None).is_err());
        assert!(Filter::read(Some(r#"{"a":["x"]}"#), Some("Elsewhere")).is_err());
        assert_eq!(Filter::read(Some("{}"), None), Ok(None));
        assert_eq!(Filter::read(None, None), Ok(None));
    }
}
