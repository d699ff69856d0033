//! The policy of an upload form: until when it holds, and what the form's fields may be.
//!
//! Follows "Creating an HTML form" and "POST policy" of the Amazon S3 API reference. Field names are compared
//! in lower case.

use super::dates;
use super::fault::{Code, Fault};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mlemu_core::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// Fields that need no condition.
const FREE: [&str; 5] = ["x-amz-signature", "signature", "awsaccesskeyid", "policy", "file"];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Equal { field: String, value: String, text: String },
    Begins { field: String, with: String, text: String },
    Length { least: u64, most: u64 },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    expires: Timestamp,
    conditions: Vec<Condition>,
}

impl Policy {
    /// Of the form's `policy` field.
    pub fn parse(field: &str) -> Result<Self, Fault> {
        let packed: String = field.split_ascii_whitespace().collect();
        let bytes =
            STANDARD.decode(packed).map_err(|_| invalid("Invalid Policy: Invalid base64 encoding."))?;
        let document: Value =
            serde_json::from_slice(&bytes).map_err(|_| invalid("Invalid Policy: Invalid JSON."))?;
        let expires = document.get("expiration").and_then(Value::as_str);
        let expires = expires.ok_or_else(|| invalid("Invalid Policy: Policy missing expiration."))?;
        let expires =
            dates::of_iso(expires).ok_or_else(|| invalid("Invalid Policy: Invalid 'expiration' value"))?;
        let conditions = document.get("conditions").and_then(Value::as_array);
        let conditions = conditions.ok_or_else(|| invalid("Invalid Policy: Policy missing conditions."))?;
        let mut all = Vec::new();
        for condition in conditions {
            all.extend(read(condition)?);
        }
        Ok(Self { expires, conditions: all })
    }

    /// Checks the time and every field of the form. Names of `fields` are in lower case.
    pub fn check(&self, fields: &BTreeMap<String, String>, now: Timestamp) -> Result<(), Fault> {
        if now > self.expires {
            return Err(denied("Policy expired."));
        }
        let value = |field: &str| fields.get(field).map(String::as_str).unwrap_or_default();
        for condition in &self.conditions {
            let (holds, text) = match condition {
                Condition::Equal { field, value: wanted, text } => (value(field) == wanted, text),
                Condition::Begins { field, with, text } => (begins(field, value(field), with), text),
                Condition::Length { .. } => continue,
            };
            if !holds {
                return Err(denied(&format!("Policy Condition failed: {text}")));
            }
        }
        let stray = fields.keys().find(|name| !self.covers(name));
        stray.map_or(Ok(()), |name| Err(denied(&format!("Extra input fields: {name}"))))
    }

    fn covers(&self, name: &str) -> bool {
        FREE.contains(&name)
            || name.starts_with("x-ignore-")
            || self.conditions.iter().any(|condition| match condition {
                Condition::Equal { field, .. } | Condition::Begins { field, .. } => field == name,
                Condition::Length { .. } => false,
            })
    }

    /// The narrowest length that every condition allows, in bytes.
    pub fn length(&self) -> Option<(u64, u64)> {
        self.conditions.iter().fold(None, |narrowest, condition| match (condition, narrowest) {
            (Condition::Length { least, most }, None) => Some((*least, *most)),
            (Condition::Length { least, most }, Some((from, to))) => Some((from.max(*least), to.min(*most))),
            (_, narrowest) => narrowest,
        })
    }
}

/// A `Content-Type` may be a list, all of which must begin so.
fn begins(field: &str, value: &str, with: &str) -> bool {
    if field == "content-type" {
        return value.split(',').all(|one| one.trim().starts_with(with));
    }
    value.starts_with(with)
}

fn read(condition: &Value) -> Result<Vec<Condition>, Fault> {
    let bad = || invalid("Invalid Policy: Invalid condition.");
    if let Value::Object(pairs) = condition {
        let equal = |(field, value): (&String, &Value)| {
            let value = value.as_str().ok_or_else(bad)?;
            Ok(Condition::Equal {
                field: field.to_ascii_lowercase(),
                value: value.to_owned(),
                text: format!("[\"eq\", \"${field}\", \"{value}\"]"),
            })
        };
        return pairs.iter().map(equal).collect();
    }
    let [kind, first, second] = condition.as_array().map(Vec::as_slice).ok_or_else(bad)? else {
        return Err(bad());
    };
    let kind = kind.as_str().ok_or_else(bad)?.to_ascii_lowercase();
    if kind == "content-length-range" {
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok()).ok_or_else(bad);
        return Ok(vec![Condition::Length { least: number(first)?, most: number(second)? }]);
    }
    let (name, value) = (first.as_str().ok_or_else(bad)?, second.as_str().ok_or_else(bad)?);
    let field = name.strip_prefix('$').ok_or_else(bad)?.to_ascii_lowercase();
    let text = format!("[\"{kind}\", \"{name}\", \"{value}\"]");
    let value = value.to_owned();
    match kind.as_str() {
        "eq" => Ok(vec![Condition::Equal { field, value, text }]),
        "starts-with" => Ok(vec![Condition::Begins { field, with: value, text }]),
        _ => Err(bad()),
    }
}

fn invalid(message: &str) -> Fault {
    Fault::because(Code::InvalidPolicyDocument, message)
}

fn denied(message: &str) -> Fault {
    Fault::because(Code::AccessDenied, format!("Invalid according to Policy: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(document: &str) -> Result<Policy, Fault> {
        Policy::parse(&STANDARD.encode(document))
    }

    fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    const DOCUMENT: &str = r#"{"expiration": "2030-01-01T00:00:00.000Z", "conditions": [
        {"bucket": "b"}, ["starts-with", "$key", "up/"], ["eq", "$Content-Type", "image/png"],
        ["content-length-range", 1, "100"], ["content-length-range", 0, 50]]}"#;

    #[test]
    fn conditions_hold_or_are_named() {
        let policy = policy(DOCUMENT).unwrap();
        let now = dates::of_iso("2029-12-31T00:00:00Z").unwrap();
        let good =
            [("bucket", "b"), ("key", "up/x"), ("content-type", "image/png"), ("x-amz-signature", "s")];
        assert_eq!(policy.check(&fields(&good), now), Ok(()));
        assert_eq!(policy.length(), Some((1, 50)));
        let failing = |at: usize, value| {
            let mut pairs = good;
            pairs[at].1 = value;
            policy.check(&fields(&pairs), now).unwrap_err().message
        };
        let start = "Invalid according to Policy: Policy Condition failed: ";
        assert_eq!(failing(0, "c"), format!("{start}[\"eq\", \"$bucket\", \"b\"]"));
        assert_eq!(failing(1, "down/x"), format!("{start}[\"starts-with\", \"$key\", \"up/\"]"));
        assert_eq!(failing(2, ""), format!("{start}[\"eq\", \"$Content-Type\", \"image/png\"]"));
        let extra = [good.as_slice(), &[("acl", "public-read"), ("x-ignore-me", "1")]].concat();
        let refused = policy.check(&fields(&extra), now).unwrap_err();
        assert_eq!(refused.message, "Invalid according to Policy: Extra input fields: acl");
        let late = dates::of_iso("2030-01-01T00:00:01Z").unwrap();
        let refused = policy.check(&fields(&good), late).unwrap_err();
        assert_eq!((refused.code, refused.message.ends_with("Policy expired.")), (Code::AccessDenied, true));
    }

    #[test]
    fn policies_that_are_none() {
        let wrong = [
            "",
            "[]",
            "{}",
            r#"{"expiration": "2030-01-01T00:00:00Z"}"#,
            r#"{"expiration": "soon", "conditions": []}"#,
            r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [1]}"#,
            r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [["eq", "key", "x"]]}"#,
            r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [["like", "$key", "x"]]}"#,
            r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [["content-length-range", -1, 5]]}"#,
            r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [{"key": 5}]}"#,
        ];
        for document in wrong {
            assert_eq!(policy(document).unwrap_err().code, Code::InvalidPolicyDocument, "{document}");
        }
        assert!(Policy::parse("%%%").is_err());
    }
}
