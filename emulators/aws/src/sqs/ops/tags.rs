//! TagQueue, UntagQueue, ListQueueTags.

use super::queue_of;
use super::queues::check_tags;
use crate::sqs::fault::Fault;
use crate::sqs::{Front, wire};

pub fn add(front: &Front, request: wire::SetTags) -> Result<(), Fault> {
    let queue = queue_of(front, request.queue_url)?;
    if request.tags.is_empty() {
        return Err(Fault::missing("Tags"));
    }
    let mut all = queue.tags;
    all.extend(request.tags);
    check_tags(&all)?;
    Ok(front.queues().note(&queue.id, |_, tags| *tags = all)?)
}

pub fn remove(front: &Front, request: wire::RemoveTags) -> Result<(), Fault> {
    let queue = queue_of(front, request.queue_url)?;
    if request.tag_keys.is_empty() {
        return Err(Fault::missing("TagKeys"));
    }
    Ok(front.queues().note(&queue.id, |_, tags| tags.retain(|name, _| !request.tag_keys.contains(name)))?)
}

pub fn list(front: &Front, request: wire::OfQueue) -> Result<wire::Tags, Fault> {
    Ok(wire::Tags { tags: queue_of(front, request.queue_url)?.tags })
}
