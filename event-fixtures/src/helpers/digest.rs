//! Digests of texts, in lower-case hex.

use super::args::{Args, Trouble, text_of};
use super::encode::hex;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value};
use sha2::Sha256;

pub(super) const TABLE: super::Table =
    &[("md5", md5), ("sha256", sha256), ("sqs-attributes-md5", sqs_attributes_md5)];

pub(super) fn md5_hex(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

fn md5(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    Ok(md5_hex(args.text(0)?.as_bytes()).into())
}

fn sha256(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    Ok(hex(&Sha256::digest(args.text(0)?.as_bytes())).into())
}

/// The MD5 by which SQS clients check message attributes, here all of type String:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>
fn sqs_attributes_md5(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    match args.value(0)? {
        Value::Object(attributes) => Ok(md5_hex(&attribute_bytes(attributes)).into()),
        _ => Err(Trouble::new("`sqs-attributes-md5` needs an object")),
    }
}

fn attribute_bytes(attributes: &Map<String, Value>) -> Vec<u8> {
    const STRING: u8 = 1;
    let mut sorted: Vec<_> = attributes.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    let mut bytes = Vec::new();
    let put = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    };
    for (name, value) in sorted {
        put(&mut bytes, name);
        put(&mut bytes, "String");
        bytes.push(STRING);
        put(&mut bytes, &text_of(value));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn attributes_are_laid_out_as_documented() {
        let attributes = json!({"b": "x", "a": "yz"});
        let bytes = attribute_bytes(attributes.as_object().unwrap());
        let expected =
            b"\0\0\0\x01a\0\0\0\x06String\x01\0\0\0\x02yz\0\0\0\x01b\0\0\0\x06String\x01\0\0\0\x01x";
        assert_eq!(bytes, expected);
    }
}
