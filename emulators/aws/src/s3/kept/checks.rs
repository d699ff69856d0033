//! What S3 checks in configurations beyond their shape.

use crate::s3::fault::{Code, Fault};
use crate::s3::tree::Element;
use crate::s3::{dates, decode};
use mlemu_engine::objects::hex;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];
/// Most rules of a lifecycle, most of cross-origin requests, most tags of a bucket.
const RULES: usize = 1000;
const ORIGIN_RULES: usize = 100;
const TAGS: usize = 50;
const LONGEST_ID: usize = 255;

fn malformed() -> Fault {
    Code::MalformedXML.into()
}

pub(super) fn cors(document: &mut Element) -> Result<(), Fault> {
    if document.children.len() > ORIGIN_RULES {
        return Err(malformed());
    }
    for rule in &document.children {
        let mut methods = rule.all("AllowedMethod");
        if let Some(method) = methods.find(|method| !METHODS.contains(&&*method.text)) {
            let message = format!(
                "Found unsupported HTTP method in CORS config. Unsupported method is {}",
                method.text
            );
            return Err(Fault::because(Code::InvalidRequest, message));
        }
        let mut patterns = rule.all("AllowedOrigin").chain(rule.all("AllowedHeader"));
        if let Some(pattern) = patterns.find(|pattern| pattern.text.matches('*').count() > 1) {
            let Element { name, text, .. } = pattern;
            let message = format!("{name} \"{text}\" can not have more than one wildcard.");
            return Err(Fault::because(Code::InvalidRequest, message));
        }
    }
    Ok(())
}

pub(super) fn object_lock(document: &mut Element) -> Result<(), Fault> {
    let Some(retention) = document.child("Rule").and_then(|rule| rule.child("DefaultRetention")) else {
        return Ok(());
    };
    let period = match (retention.text_of("Days"), retention.text_of("Years")) {
        (Some(days), None) => days,
        (None, Some(years)) => years,
        _ => return Err(malformed()),
    };
    // The shape has it as a number.
    if period.trim().parse::<i64>().is_ok_and(|period| period > 0) {
        return Ok(());
    }
    let message = "Default retention period must be a positive integer value";
    Err(Fault::because(Code::InvalidRetentionPeriod, message))
}

pub(super) fn tags(document: &mut Element) -> Result<(), Fault> {
    let tags = document.child("TagSet").into_iter().flat_map(|set| &set.children);
    let text = |tag: &Element, name| tag.text_of(name).unwrap_or_default().to_owned();
    decode::checked_tags(tags.map(|tag| (text(tag, "Key"), text(tag, "Value"))), TAGS).map(drop)
}

pub(super) fn website(document: &mut Element) -> Result<(), Fault> {
    let redirects = document.child("RedirectAllRequestsTo").is_some();
    if redirects && document.children.len() > 1 {
        return Err(malformed());
    }
    match document.child("IndexDocument").and_then(|index| index.text_of("Suffix")) {
        Some(suffix) if suffix.is_empty() || suffix.contains('/') => {
            let message = "The IndexDocument Suffix is not well formed";
            Err(Fault::argument("IndexDocument", suffix, message))
        }
        None if !redirects => {
            let message =
                "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty";
            Err(Fault::argument("IndexDocument", "null", message))
        }
        _ => Ok(()),
    }
}

/// Rules get ids; each must do something, and something possible.
pub(super) fn lifecycle(document: &mut Element) -> Result<(), Fault> {
    let invalid = |message: &str| Err(Fault::because(Code::InvalidArgument, message));
    let mut ids = BTreeSet::new();
    let rules = document.children.iter_mut().filter(|child| child.name == "Rule");
    for (place, rule) in rules.enumerate() {
        let id = rule.text_of("ID").filter(|id| !id.is_empty()).map(str::to_owned);
        let id = id.unwrap_or_else(|| {
            // The vendor throws dice; whoever asks twice gets the same here.
            let id = hex(&Sha256::digest(format!("rule {place}")))[..32].to_owned();
            rule.children.retain(|child| child.name != "ID");
            rule.children.insert(0, Element::leaf("ID", &*id));
            id
        });
        if id.chars().count() > LONGEST_ID {
            return invalid("ID length should not exceed allowed limit of 255");
        }
        if !ids.insert(id) {
            return invalid("Rule ID must be unique. Found same ID for more than one rule");
        }
        lifecycle_rule(rule)?;
    }
    if ids.len() > RULES { Err(malformed()) } else { Ok(()) }
}

fn lifecycle_rule(rule: &Element) -> Result<(), Fault> {
    const ACTIONS: [&str; 5] = [
        "Expiration",
        "Transition",
        "NoncurrentVersionExpiration",
        "NoncurrentVersionTransition",
        "AbortIncompleteMultipartUpload",
    ];
    let invalid = |message: &str| Err(Fault::because(Code::InvalidArgument, message));
    if rule.child("Prefix").is_some() == rule.child("Filter").is_some() {
        return Err(malformed());
    }
    if !ACTIONS.iter().any(|action| rule.child(action).is_some()) {
        return Err(Fault::because(
            Code::InvalidRequest,
            "At least one action needs to be specified in a rule",
        ));
    }
    for action in rule.children.iter().filter(|child| ACTIONS.contains(&&*child.name)) {
        for number in ["Days", "NoncurrentDays", "DaysAfterInitiation"] {
            let days = action.text_of(number).map(|text| text.trim().parse::<i64>().unwrap_or(-1));
            let least = i64::from(!action.name.ends_with("Transition"));
            if days.is_some_and(|days| days < least) {
                return invalid(&format!("'{number}' for {} action must be a positive integer", action.name));
            }
        }
        if let Some(date) = action.text_of("Date") {
            let at = dates::of_iso(date).or_else(|| dates::of_iso(&format!("{date}T00:00:00Z")));
            if at.is_none_or(|at| at.0.rem_euclid(86_400_000_000) != 0) {
                return invalid("'Date' must be at midnight GMT");
            }
        }
    }
    Ok(())
}
