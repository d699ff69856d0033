//! The policy document of a form: what may be uploaded with it, until when, and whose signature it has.
//!
//! Source: Cloud Storage, "Policy document"; XML API, "POST Object".

use super::{Claim, Keys, credential, expired, invalid, moment, unhex};
use crate::storage::fault::Fault;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use mlemu_core::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// Fields before the file, by their names in lower case.
pub(in crate::storage) type Fields = BTreeMap<String, String>;

/// Checks the policy, if the form has one. Gives the least and the most bytes of the file. `fields` has the bucket, too.
pub(in crate::storage) fn check(
    fields: &Fields,
    now: Timestamp,
    keys: &Keys<'_>,
) -> Result<Option<(u64, u64)>, Fault> {
    let Some(encoded) = fields.get("policy") else { return Ok(None) };
    let malformed = |why: &str| invalid(format!("The policy document cannot be read: {why}"));
    let text = STANDARD.decode(encoded).map_err(|error| malformed(&error.to_string()))?;
    let policy: Value = serde_json::from_slice(&text).map_err(|error| malformed(&error.to_string()))?;
    verify(fields, encoded, keys)?;
    let ends = policy["expiration"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let ends =
        ends.map(|at| Timestamp(at.as_microsecond())).ok_or_else(|| malformed("it has no expiration"))?;
    if now >= ends {
        return Err(expired(ends));
    }
    let conditions = policy["conditions"].as_array().ok_or_else(|| malformed("it has no conditions"))?;
    let mut length = None;
    let mut named = vec!["policy", "x-goog-signature", "file"];
    for condition in conditions {
        named.extend(name(condition));
        if !holds(condition, fields, &mut length) {
            return Err(refused(format!(
                "Policy did not reference these fields or does not allow them: {condition}"
            )));
        }
    }
    let stranger = fields.keys().find(|field| {
        !field.starts_with("x-ignore-")
            && *field != "bucket"
            && !named.iter().any(|name| name.eq_ignore_ascii_case(field))
    });
    match stranger {
        Some(field) => Err(refused(format!("Policy did not reference these fields: {field}"))),
        None => Ok(length),
    }
}

fn refused(details: String) -> Fault {
    let message = "Invalid according to Policy.";
    Fault::coded(StatusCode::FORBIDDEN, "AccessDenied", message).because(details)
}

fn verify(fields: &Fields, policy: &str, keys: &Keys<'_>) -> Result<(), Fault> {
    let needs = |name: &str| fields.get(name).ok_or_else(|| invalid(format!("The form lacks {name}.")));
    let date = needs("x-goog-date")?;
    moment(date).ok_or_else(|| invalid(format!("{date} is no date like 20260102T030405Z.")))?;
    let (signer, scope) = credential(needs("x-goog-credential")?, date)?;
    let signature = unhex(needs("x-goog-signature")?);
    let signature = signature.ok_or_else(|| invalid("x-goog-signature is not in hexadecimal digits."))?;
    Claim { signer, scope, signature: &signature }.verify(keys, &[policy.to_owned()])
}

/// The field that a condition is about.
fn name(condition: &Value) -> Option<&str> {
    match condition {
        Value::Object(pairs) => pairs.keys().next().map(String::as_str),
        Value::Array(parts) => parts.get(1).and_then(Value::as_str).map(|name| name.trim_start_matches('$')),
        _ => None,
    }
}

fn holds(condition: &Value, fields: &Fields, length: &mut Option<(u64, u64)>) -> bool {
    let field =
        |name: &str| fields.get(&name.trim_start_matches('$').to_ascii_lowercase()).map(String::as_str);
    match condition {
        Value::Object(pairs) => pairs
            .iter()
            .all(|(name, wanted)| wanted.as_str().is_some_and(|wanted| field(name) == Some(wanted))),
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(kind), least, most] if kind == "content-length-range" => {
                let number = crate::storage::settings::number;
                *length = number(least).zip(number(most));
                length.is_some()
            }
            [Value::String(kind), Value::String(name), Value::String(wanted)] => match kind.as_str() {
                "eq" => field(name) == Some(wanted),
                "starts-with" => field(name).is_some_and(|found| found.starts_with(wanted.as_str())),
                _ => false,
            },
            _ => false,
        },
        _ => false,
    }
}
