//! TagResource, UntagResource and ListTagsForResource.

use super::want;
use crate::sns::Front;
use crate::sns::fault::{Code, Fault};
use crate::sns::wire::{Named, Tags};
use serde_json::{Value, json};

pub fn add(front: &Front, request: Named) -> Result<Value, Fault> {
    let new: Tags = request.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    change(front, request.resource_arn, |tags| tags.extend(new))?;
    Ok(json!({}))
}

pub fn remove(front: &Front, request: &Named) -> Result<Value, Fault> {
    change(front, request.resource_arn.clone(), |tags| {
        tags.retain(|key, _| !request.tag_keys.contains(key));
    })?;
    Ok(json!({}))
}

pub fn list(front: &Front, request: &Named) -> Result<Value, Fault> {
    let mut told = Vec::new();
    change(front, request.resource_arn.clone(), |tags| {
        told.extend(tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })));
    })?;
    Ok(json!({ "Tags": told }))
}

fn change(front: &Front, arn: Option<String>, change: impl FnOnce(&mut Tags)) -> Result<(), Fault> {
    let arn = want(arn, "ResourceArn")?;
    let mut store = front.store();
    let absent = || Fault::new(Code::ResourceNotFound, "Resource does not exist");
    let topic = store.topics.get_mut(&arn).ok_or_else(absent)?;
    change(&mut topic.tags);
    Ok(())
}
