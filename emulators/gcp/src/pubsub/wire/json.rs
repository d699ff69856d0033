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

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

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
