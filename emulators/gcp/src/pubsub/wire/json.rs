//! How JSON spells what Protocol Buffers have no text for: bytes in base64, enums by name, long numbers as strings.
//!
//! Source: Protocol Buffers documentation, "ProtoJSON format".

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_ignored::Path;
use serde_json::Value;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Messages of which only their being there is looked at.
const UNREAD: [&str; 5] = [
    "ingestionDataSourceSettings",
    "bigqueryConfig",
    "cloudStorageConfig",
    "bigtableConfig",
    "pubsubWrapper",
];

/// A path from a document's root, outermost first.
pub fn segments(path: &Path<'_>) -> Vec<String> {
    let (parent, last) = match path {
        Path::Root => return Vec::new(),
        Path::Seq { parent, index } => (parent, index.to_string()),
        Path::Map { parent, key } => (parent, key.clone()),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            return segments(parent);
        }
    };
    let mut segments = segments(parent);
    segments.push(last);
    segments
}

/// Whether a field is within a message that is not looked into.
pub fn is_elsewhere(path: &[String]) -> bool {
    path.iter().rev().skip(1).any(|segment| UNREAD.contains(&segment.as_str()))
}

/// Spells a field as JSON does, `ack_ids` as `ackIds`, unless it is so already.
pub fn respell(document: &mut Value, path: &[String]) -> bool {
    let Some((name, parents)) = path.split_last() else { return false };
    let camel = camel(name);
    let mut at = document;
    for parent in parents {
        let inner = match at {
            Value::Object(fields) => fields.get_mut(parent),
            Value::Array(items) => parent.parse().ok().and_then(|index: usize| items.get_mut(index)),
            _ => None,
        };
        let Some(inner) = inner else { return false };
        at = inner;
    }
    let Value::Object(fields) = at else { return false };
    if camel == *name || fields.contains_key(&camel) {
        return false;
    }
    fields.remove(name).map(|value| fields.insert(camel, value)).is_some()
}

fn camel(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut begins = false;
    for letter in name.chars() {
        match letter {
            '_' => begins = true,
            letter if begins => {
                camel.push(letter.to_ascii_uppercase());
                begins = false;
            }
            letter => camel.push(letter),
        }
    }
    camel
}

/// What the vendor says of a field that a message does not have.
pub fn unknown(path: &[String]) -> String {
    let (name, parents) = path.split_last().map_or(("", &[][..]), |(name, parents)| (name.as_str(), parents));
    let mut place = String::new();
    for parent in parents {
        match parent.parse::<usize>() {
            Ok(index) => place.push_str(&format!("[{index}]")),
            Err(_) if place.is_empty() => place.push_str(parent),
            Err(_) => place.push_str(&format!(".{parent}")),
        }
    }
    let place = if place.is_empty() { place } else { format!(" at '{place}'") };
    format!("Invalid JSON payload received. Unknown name \"{name}\"{place}: Cannot find field.")
}

pub mod base64_bytes {
    use super::{BASE64_STANDARD, Bytes, Deserialize, Deserializer, Engine, Error, LENIENT, Serializer};

    pub fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    /// Either alphabet, padded or not.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = Option::<String>::deserialize(from)?.unwrap_or_default();
        let text = text.replace('-', "+").replace('_', "/");
        LENIENT.decode(text).map(Bytes::from).map_err(|_| D::Error::custom("bytes must be base64"))
    }
}

/// A 64-bit number: a string, or what is no string yet.
pub mod long {
    use super::{Deserialize, Deserializer, Error, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub fn serialize<S: Serializer>(number: &i64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&number.to_string())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(i64),
            Text(String),
        }
        match Either::deserialize(from)? {
            Either::Number(number) => Ok(number),
            Either::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

/// A module that spells an enum by its names, in the order of their numbers.
macro_rules! named {
    ($module:ident: $($name:literal),*) => {
        pub mod $module {
            use super::*;

            const NAMES: &[&str] = &[$($name),*];

            pub fn serialize<S: Serializer>(number: &i32, to: S) -> Result<S::Ok, S::Error> {
                match usize::try_from(*number).ok().and_then(|at| NAMES.get(at)) {
                    Some(name) => name.serialize(to),
                    None => number.serialize(to),
                }
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
                number(from, NAMES)
            }
        }
    };
}

fn number<'de, D: Deserializer<'de>>(from: D, names: &[&str]) -> Result<i32, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i32),
        Name(String),
    }
    match Either::deserialize(from)? {
        Either::Number(number) => Ok(number),
        Either::Name(name) => {
            let at = names.iter().position(|known| *known == name);
            at.map(|at| at as i32).ok_or_else(|| D::Error::custom(format!("unknown name \"{name}\"")))
        }
    }
}

named!(resource_state: "STATE_UNSPECIFIED", "ACTIVE", "RESOURCE_ERROR");
named!(schema_kind: "TYPE_UNSPECIFIED", "PROTOCOL_BUFFER", "AVRO");
named!(schema_view: "SCHEMA_VIEW_UNSPECIFIED", "BASIC", "FULL");
named!(encoding: "ENCODING_UNSPECIFIED", "JSON", "BINARY");

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn path(text: &str) -> Vec<String> {
        text.split('/').map(str::to_owned).collect()
    }

    #[test]
    fn fields_are_spelled_either_way() {
        let mut document = json!({ "messages": [{ "ordering_key": "a", "attributes": { "x_y": "1" } }] });
        assert!(respell(&mut document, &path("messages/0/ordering_key")));
        assert_eq!(document, json!({ "messages": [{ "orderingKey": "a", "attributes": { "x_y": "1" } }] }));
        for nothing in ["messages/1/ordering_key", "messages/0/orderingKey", "messages/x", "absent/a_b"] {
            assert!(!respell(&mut document, &path(nothing)), "{nothing}");
        }
    }

    #[test]
    fn a_stranger_is_named_with_its_place() {
        let said = unknown(&path("messages/0/dat"));
        assert_eq!(
            said,
            "Invalid JSON payload received. Unknown name \"dat\" at 'messages[0]': Cannot find field."
        );
        assert!(unknown(&path("x")).contains("Unknown name \"x\": Cannot"));
        assert!(is_elsewhere(&path("bigqueryConfig/table")) && !is_elsewhere(&path("bigqueryConfig")));
    }
}
