//! TagResource, UntagResource, ListTagsForResource: of rules and buses.

use super::want;
use crate::events::Front;
use crate::events::fault::{Code, Fault};
use crate::events::store::Tags;
use crate::events::wire::Named;
use serde_json::{Value, json};

pub fn add(front: &Front, request: Named) -> Result<Value, Fault> {
    let new: Tags = request.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    change(front, request.resource_arn.as_deref(), |tags| tags.extend(new))?;
    Ok(Value::Null)
}

pub fn remove(front: &Front, request: &Named) -> Result<Value, Fault> {
    change(front, request.resource_arn.as_deref(), |tags| {
        tags.retain(|key, _| !request.tag_keys.contains(key));
    })?;
    Ok(Value::Null)
}

pub fn list(front: &Front, request: &Named) -> Result<Value, Fault> {
    let mut told = Vec::new();
    change(front, request.resource_arn.as_deref(), |tags| {
        told.extend(tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })));
    })?;
    Ok(json!({ "Tags": told }))
}

fn change(front: &Front, arn: Option<&str>, change: impl FnOnce(&mut Tags)) -> Result<(), Fault> {
    let arn = want(arn, "resourceARN")?;
    let mut store = front.store();
    if let Some(rule) = store.rules.values_mut().find(|rule| rule.arn == arn) {
        change(&mut rule.tags);
        return Ok(());
    }
    let bus = store.buses.values_mut().find(|bus| bus.arn == arn);
    let bus = bus.ok_or_else(|| Fault::new(Code::NotFound, format!("Resource {arn} does not exist.")))?;
    change(&mut bus.tags);
    Ok(())
}
