//! From either protocol to one input. Forms are unfolded into the members that the JSON protocol has.

use super::fault::{Code, Fault};
use crate::lambda::query::Pairs;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Deepest nesting of a form's names; the API needs six.
const DEEPEST: usize = 8;

pub enum Input {
    Json(Bytes),
    Form(Value),
}

impl Input {
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let read = match self {
            Input::Json(bytes) if bytes.is_empty() => serde_json::from_slice(b"{}"),
            Input::Json(bytes) => serde_json::from_slice(bytes),
            Input::Form(value) => T::deserialize(value),
        };
        read.map_err(|error| Fault::new(Code::MalformedInput, error.to_string()))
    }
}

/// How a form spells a member of many values.
#[derive(Clone, Copy)]
enum Many {
    List,
    /// Pairs, and what their two parts are called.
    Map(&'static str, &'static str),
}

/// Name in forms, name in JSON, and how it is spelled.
const MANY: [(&str, &str, Many); 15] = [
    ("AWSAccountId", "AWSAccountIds", Many::List),
    ("ActionName", "Actions", Many::List),
    ("Attribute", "Attributes", Many::Map("Name", "Value")),
    ("AttributeName", "AttributeNames", Many::List),
    ("BinaryListValue", "BinaryListValues", Many::List),
    ("ChangeMessageVisibilityBatchRequestEntry", "Entries", Many::List),
    ("DeleteMessageBatchRequestEntry", "Entries", Many::List),
    ("MessageAttribute", "MessageAttributes", Many::Map("Name", "Value")),
    ("MessageAttributeName", "MessageAttributeNames", Many::List),
    ("MessageSystemAttribute", "MessageSystemAttributes", Many::Map("Name", "Value")),
    ("MessageSystemAttributeName", "MessageSystemAttributeNames", Many::List),
    ("SendMessageBatchRequestEntry", "Entries", Many::List),
    ("StringListValue", "StringListValues", Many::List),
    ("Tag", "Tags", Many::Map("Key", "Value")),
    ("TagKey", "TagKeys", Many::List),
];

/// A form's names, taken apart at their dots.
#[derive(Default)]
struct Tree {
    text: Option<String>,
    branches: BTreeMap<String, Tree>,
}

/// The input of a form; `path` is the queue's when the form does not name one.
pub fn form(pairs: &Pairs, path: Option<&str>) -> Result<Input, Fault> {
    let mut root = Tree::default();
    for (name, value) in &pairs.0 {
        if name.split('.').count() > DEEPEST {
            return Err(Fault::new(Code::MalformedInput, format!("{name} is nested too deeply")));
        }
        let mut tree = &mut root;
        for part in name.split('.') {
            tree = tree.branches.entry(part.to_owned()).or_default();
        }
        tree.text.get_or_insert_with(|| value.clone());
    }
    if let (Some(path), false) = (path, root.branches.contains_key("QueueUrl")) {
        let text = Some(path.to_owned());
        root.branches.insert("QueueUrl".into(), Tree { text, branches: BTreeMap::new() });
    }
    Ok(Input::Form(value(&root)))
}

fn value(tree: &Tree) -> Value {
    if tree.branches.is_empty() {
        return Value::String(tree.text.clone().unwrap_or_default());
    }
    let mut members = Map::new();
    for (name, branch) in &tree.branches {
        match MANY.iter().find(|(known, ..)| known == name) {
            Some((_, member, Many::List)) => {
                members.insert((*member).into(), items(branch).map(value).collect())
            }
            Some((_, member, Many::Map(key, content))) => {
                let pairs = items(branch).filter_map(|item| {
                    let part = |name: &str| item.branches.get(name);
                    Some((part(key)?.text.clone()?, part(content).map_or(Value::Null, value)))
                });
                members.insert((*member).into(), Value::Object(pairs.collect()))
            }
            None => members.insert(name.clone(), value(branch)),
        };
    }
    Value::Object(members)
}

/// The numbered branches in their order; one that is not numbered stands alone.
fn items(tree: &Tree) -> impl Iterator<Item = &Tree> {
    let numbered = |(name, branch)| Some((str::parse::<u32>(name).ok()?, branch));
    let mut all: Vec<(u32, &Tree)> =
        tree.branches.iter().filter_map(|(name, branch)| numbered((name.as_str(), branch))).collect();
    all.sort_by_key(|(number, _)| *number);
    if all.is_empty() {
        all.push((0, tree));
    }
    all.into_iter().map(|(_, branch)| branch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Value {
        match form(&Pairs::read(text), Some("/000000000000/q")).unwrap() {
            Input::Form(value) => value,
            Input::Json(_) => panic!("a form"),
        }
    }

    #[test]
    fn a_form_becomes_what_json_would_be() {
        let text = "Action=SendMessageBatch&QueueUrl=u\
            &SendMessageBatchRequestEntry.10.Id=b\
            &SendMessageBatchRequestEntry.2.Id=a\
            &SendMessageBatchRequestEntry.2.MessageAttribute.1.Name=n\
            &SendMessageBatchRequestEntry.2.MessageAttribute.1.Value.DataType=String\
            &SendMessageBatchRequestEntry.2.MessageAttribute.1.Value.StringValue=x%20y";
        let expected = json!({
            "Action": "SendMessageBatch",
            "QueueUrl": "u",
            "Entries": [
                {"Id": "a", "MessageAttributes": {"n": {"DataType": "String", "StringValue": "x y"}}},
                {"Id": "b"},
            ],
        });
        assert_eq!(read(text), expected);
        assert_eq!(
            read(
                "Attribute.Name=DelaySeconds&Attribute.Value=5&Tag.1.Key=k&Tag.1.Value=v&AttributeName.1=All"
            ),
            json!({
                "Attributes": {"DelaySeconds": "5"}, "Tags": {"k": "v"}, "AttributeNames": ["All"],
                "QueueUrl": "/000000000000/q",
            })
        );
    }

    #[test]
    fn a_hostile_form_costs_little() {
        assert!(form(&Pairs::read(&"a.".repeat(1000)), None).is_err());
        assert_eq!(read("TagKey.4294967295=x&TagKey.99999999999=y")["TagKeys"], json!(["x"]));
        assert_eq!(read("Tag.1.Value=v&Tag=")["Tags"], json!({}));
    }
}
