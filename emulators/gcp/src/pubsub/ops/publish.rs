//! Publishing.
//!
//! Limits: Pub/Sub, "Quotas and limits", "Resource limits".

use crate::pubsub::PubSub;
use crate::pubsub::fault::Fault;
use crate::pubsub::wire::{PublishRequest, PublishResponse, PubsubMessage};
use mlemu_core::Cause;
use mlemu_engine::queues::{Attribute, NewMessage};
use std::sync::Arc;

const MOST_MESSAGES: usize = 1000;
/// Of a whole request, and so of a message, in bytes.
pub(in crate::pubsub) const LARGEST: usize = 10 * 1000 * 1000;
const MOST_ATTRIBUTES: usize = 100;
const LONGEST_KEY: usize = 256;
const LONGEST_VALUE: usize = 1024;
const LONGEST_ORDERING_KEY: usize = 1024;

impl PubSub {
    pub(crate) fn publish(&self, ask: PublishRequest, cause: &Cause) -> Result<PublishResponse, Fault> {
        let id = self.topic_id(&ask.topic)?;
        let settings = self.registry().topic(&ask.topic)?.schema_settings.clone();
        check(&ask.messages)?;
        if let Some(settings) = settings {
            self.check_messages(&settings, &ask.messages)?;
        }
        let new = ask.messages.into_iter().map(|message| self.accepted(message, cause));
        let sent = self.queues().send_all(&id, new)?;
        Ok(PublishResponse { message_ids: sent.iter().map(|sent| sent.id.to_string()).collect() })
    }

    fn accepted(&self, message: PubsubMessage, cause: &Cause) -> NewMessage {
        let attribute = |(name, value): (String, String)| Attribute {
            name: name.into(),
            kind: "".into(),
            value: value.into(),
        };
        NewMessage {
            id: self.next_message_id().into(),
            body: message.data,
            attributes: message.attributes.into_iter().map(attribute).collect(),
            notes: Arc::new([]),
            group: (!message.ordering_key.is_empty()).then(|| message.ordering_key.into()),
            dedupe: None,
            once: None,
            delay: None,
            life: None,
            cause: cause.clone(),
        }
    }
}

fn check(messages: &[PubsubMessage]) -> Result<(), Fault> {
    if messages.is_empty() {
        return Err(Fault::invalid(
            "The value for message_count is too small. You passed 0 in the request, but the minimum value is 1.",
        ));
    }
    if messages.len() > MOST_MESSAGES {
        let count = messages.len();
        return Err(Fault::invalid(format!(
            "The value for message_count is too large. You passed {count} in the request, but the maximum value is {MOST_MESSAGES}."
        )));
    }
    let size: usize = messages.iter().map(size).sum();
    if size > LARGEST {
        return Err(Fault::invalid(format!(
            "The value for request_size is too large. You passed {size} in the request, but the maximum value is {LARGEST}."
        )));
    }
    messages.iter().try_for_each(check_one)
}

fn size(message: &PubsubMessage) -> usize {
    let attributes = message.attributes.iter().map(|(name, value)| name.len() + value.len());
    message.data.len() + message.ordering_key.len() + attributes.sum::<usize>()
}

fn check_one(message: &PubsubMessage) -> Result<(), Fault> {
    if message.data.is_empty() && message.attributes.is_empty() {
        return Err(Fault::invalid(
            "One or more messages in the publish request is empty. Each message must contain either non-empty data, or at least one attribute.",
        ));
    }
    let too_long = |name: &str, value: &str| {
        name.is_empty() || name.len() > LONGEST_KEY || value.len() > LONGEST_VALUE || name.starts_with("goog")
    };
    let wrong = message.attributes.iter().find(|(name, value)| too_long(name, value));
    if let Some((name, _)) = wrong {
        return Err(Fault::invalid(format!(
            "Invalid attribute `{name}`: keys have 1 to {LONGEST_KEY} bytes and do not begin with goog, values have up to {LONGEST_VALUE} bytes."
        )));
    }
    if message.attributes.len() > MOST_ATTRIBUTES {
        return Err(Fault::invalid(format!("A message has more than {MOST_ATTRIBUTES} attributes.")));
    }
    if message.ordering_key.len() > LONGEST_ORDERING_KEY {
        return Err(Fault::invalid(format!("An ordering key has more than {LONGEST_ORDERING_KEY} bytes.")));
    }
    Ok(())
}
