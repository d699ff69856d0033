//! Forms of the query protocol, unfolded: `A.member.1=x` is a list, `B.entry.1.key=k` a map.

use super::fault::{Code, Fault};
use crate::lambda::query::Pairs;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Deepest nesting of a form's names; the API needs seven.
const DEEPEST: usize = 10;

/// A form's names, taken apart at their dots.
#[derive(Default)]
struct Tree {
    text: Option<String>,
    branches: BTreeMap<String, Tree>,
}

/// The form as one document.
pub fn form(pairs: &Pairs) -> Result<Value, Fault> {
    let mut root = Tree::default();
    for (name, value) in &pairs.0 {
        if name.split('.').count() > DEEPEST {
            let text = format!("{name} is nested too deeply");
            return Err(Fault::new(Code::InvalidParameter, text));
        }
        let mut tree = &mut root;
        for part in name.split('.') {
            tree = tree.branches.entry(part.to_owned()).or_default();
        }
        tree.text.get_or_insert_with(|| value.clone());
    }
    Ok(value(&root))
}

/// The members that an operation understands.
pub fn read<T: DeserializeOwned>(form: Value) -> Result<T, Fault> {
    T::deserialize(form)
        .map_err(|error| Fault::new(Code::InvalidParameter, format!("Invalid parameter: {error}")))
}

fn value(tree: &Tree) -> Value {
    if let Some(list) = tree.branches.get("member") {
        return Value::Array(numbered(list).map(value).collect());
    }
    if let Some(map) = tree.branches.get("entry") {
        return Value::Object(numbered(map).filter_map(pair).collect());
    }
    if tree.branches.is_empty() {
        return Value::String(tree.text.clone().unwrap_or_default());
    }
    let members = tree.branches.iter().map(|(name, branch)| (name.clone(), value(branch)));
    Value::Object(members.collect::<Map<_, _>>())
}

/// Maps of attributes say `key` and `value`; those of messages, `Name` and `Value`.
fn pair(entry: &Tree) -> Option<(String, Value)> {
    let part = |names: [&str; 2]| names.iter().find_map(|name| entry.branches.get(*name));
    let name = part(["key", "Name"])?.text.clone()?;
    Some((name, part(["value", "Value"]).map_or(Value::Null, value)))
}

fn numbered(tree: &Tree) -> impl Iterator<Item = &Tree> {
    let mut all: Vec<(u32, &Tree)> =
        tree.branches.iter().filter_map(|(name, branch)| Some((name.parse().ok()?, branch))).collect();
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, branch)| branch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_form_becomes_a_document() {
        let text = "Action=PublishBatch&TopicArn=t\
            &PublishBatchRequestEntries.member.10.Id=b\
            &PublishBatchRequestEntries.member.2.Id=a\
            &PublishBatchRequestEntries.member.2.MessageAttributes.entry.1.Name=n\
            &PublishBatchRequestEntries.member.2.MessageAttributes.entry.1.Value.DataType=String\
            &PublishBatchRequestEntries.member.2.MessageAttributes.entry.1.Value.StringValue=x%20y\
            &Attributes.entry.1.key=k&Attributes.entry.1.value=v&TagKeys.member.1=one";
        let expected = json!({
            "Action": "PublishBatch",
            "TopicArn": "t",
            "PublishBatchRequestEntries": [
                { "Id": "a", "MessageAttributes": { "n": { "DataType": "String", "StringValue": "x y" } } },
                { "Id": "b" },
            ],
            "Attributes": { "k": "v" },
            "TagKeys": ["one"],
        });
        assert_eq!(form(&Pairs::read(text)).unwrap(), expected);
    }

    #[test]
    fn a_hostile_form_costs_little() {
        assert!(form(&Pairs::read(&"a.".repeat(1000))).is_err());
        let odd =
            form(&Pairs::read("A.member.99999999999=x&B.entry.1.key=&A.member.x=1&member.1=y")).unwrap();
        assert!(odd.is_array() || odd.is_object());
    }
}
