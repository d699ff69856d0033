//! Other spellings of bytes and texts.

use super::args::{Args, Trouble};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

pub(super) const TABLE: super::Table = &[
    ("base64", base64),
    ("json-string", json_string),
    ("query-string", query_string),
    ("s3-key", s3_key),
    ("url-encode", url_encode),
];

/// What RFC 3986 calls unreserved.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What an object key in an event keeps: as in a form, and `/`. The space becomes `+` afterwards.
const OBJECT_KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b'/').remove(b' ');

/// An object key as S3 spells it in an event: form encoding, with `/` left alone.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
pub fn encode_object_key(key: &str) -> String {
    utf8_percent_encode(key, OBJECT_KEY).to_string().replace(' ', "+")
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

fn s3_key(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    Ok(encode_object_key(&args.text(0)?).into())
}

fn base64(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    Ok(STANDARD.encode(args.text(0)?.as_bytes()).into())
}

fn url_encode(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    Ok(encoded(&args.text(0)?).into())
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// A value as text for the place between two quotes: text as it is, an object as its JSON. Null stays null.
fn json_string(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    match args.value(0)? {
        Value::Null => Ok(Value::Null),
        _ => Ok(args.text(0)?.into()),
    }
}

/// `a=1&b=2&b=3` of a map.
fn query_string(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    let pairs: Vec<String> = super::names::pairs(args.value(0)?)?
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(&value)))
        .collect();
    Ok(pairs.join("&").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden keys: every place that tells of an object must spell them so.
    #[test]
    fn object_keys() {
        for (key, spelled) in [
            ("red flower.jpg", "red+flower.jpg"),
            ("in/out/a.txt", "in/out/a.txt"),
            ("a+b", "a%2Bb"),
            ("100%", "100%25"),
            ("é", "%C3%A9"),
            ("test_file(3).png", "test_file%283%29.png"),
            ("k=v", "k%3Dv"),
            ("12:30", "12%3A30"),
            ("🌼", "%F0%9F%8C%BC"),
            ("/lead//double/", "/lead//double/"),
            ("a&b?c#d", "a%26b%3Fc%23d"),
            ("a*b~c", "a*b%7Ec"),
            ("tab\there", "tab%09here"),
            ("", ""),
        ] {
            assert_eq!(encode_object_key(key), spelled, "{key:?}");
        }
    }

    #[test]
    fn hex_digits() {
        assert_eq!(hex(&[0, 0x9f, 0xff]), "009fff");
    }
}
