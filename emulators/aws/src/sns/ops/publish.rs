//! Publish and PublishBatch.

use super::want;
use crate::sns::Front;
use crate::sns::call::Call;
use crate::sns::deliver::{self, Receipt};
use crate::sns::envelope::Message;
use crate::sns::fault::{Code, Fault};
use crate::sns::wire::{AttributeValue, Publish, PublishBatch};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use mlemu_engine::queues::Attribute;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Largest message with its attributes, and largest batch, in bytes.
const LARGEST: usize = 256 * 1024;
const MOST_ENTRIES: usize = 10;
const LONGEST_SUBJECT: usize = 100;
const LONGEST_ID: usize = 80;

pub async fn one(front: &Arc<Front>, call: &Call, mut request: Publish) -> Result<Value, Fault> {
    if request.phone_number.is_some() {
        return Err(Fault::not_implemented("Publish(PhoneNumber)"));
    }
    let topic = request.topic_arn.take().or_else(|| request.target_arn.take());
    let topic = want(topic, "TopicArn or TargetArn")?;
    let said = request.message_deduplication_id.take();
    let message = message(&topic, request)?;
    let receipt = deliver::publish(front, message, said, call.cause.clone()).await?;
    Ok(Value::Object(told(receipt)))
}

pub async fn batch(front: &Arc<Front>, call: &Call, request: PublishBatch) -> Result<Value, Fault> {
    let topic = want(request.topic_arn, "TopicArn")?;
    let entries = request.publish_batch_request_entries;
    check_entries(&entries)?;
    if !front.store().topics.contains_key(&topic) {
        return Err(Fault::no_topic());
    }
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for mut entry in entries {
        let id = entry.id.clone().unwrap_or_default();
        let said = entry.message_deduplication_id.take();
        let sent = match message(&topic, entry) {
            Ok(message) => deliver::publish(front, message, said, call.cause.clone()).await,
            Err(fault) => Err(fault),
        };
        match sent {
            Ok(receipt) => {
                let mut entry = Map::from_iter([("Id".to_owned(), id.into())]);
                entry.extend(told(receipt));
                successful.push(Value::Object(entry));
            }
            Err(fault) => failed.push(json!({
                "Id": id, "Code": fault.code.word(), "Message": fault.text, "SenderFault": true,
            })),
        }
    }
    Ok(json!({ "Successful": successful, "Failed": failed }))
}

fn told(receipt: Receipt) -> Map<String, Value> {
    let number = receipt.number.map(|number| ("SequenceNumber".to_owned(), number.into()));
    [("MessageId".to_owned(), receipt.id.into())].into_iter().chain(number).collect()
}

fn check_entries(entries: &[Publish]) -> Result<(), Fault> {
    if entries.is_empty() {
        return Err(Fault::new(Code::EmptyBatchRequest, "The batch request doesn't contain any entries."));
    }
    if entries.len() > MOST_ENTRIES {
        let text = "The batch request contains more entries than permissible.";
        return Err(Fault::new(Code::TooManyEntriesInBatchRequest, text));
    }
    let mut seen = HashSet::new();
    for entry in entries {
        let id = entry.id.as_deref().unwrap_or_default();
        let letters = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !letters || !(1..=LONGEST_ID).contains(&id.len()) {
            let text = "The Id of a batch entry in a batch request doesn't abide by the specification.";
            return Err(Fault::new(Code::InvalidBatchEntryId, text));
        }
        if !seen.insert(id) {
            let text = "Two or more batch entries in the request have the same Id.";
            return Err(Fault::new(Code::BatchEntryIdsNotDistinct, text));
        }
    }
    let bytes: usize = entries.iter().map(|entry| entry.message.as_ref().map_or(0, String::len)).sum();
    if bytes > LARGEST {
        let text = "The length of all the batch messages put together is more than the limit.";
        return Err(Fault::new(Code::BatchRequestTooLong, text));
    }
    Ok(())
}

/// A message as it may be published.
fn message(topic: &str, request: Publish) -> Result<Message, Fault> {
    let text =
        request.message.filter(|text| !text.is_empty()).ok_or_else(|| Fault::parameter("Empty message"))?;
    if let Some(subject) = &request.subject {
        let good = subject.is_ascii() && !subject.bytes().any(|byte| byte.is_ascii_control());
        if !good || !(1..=LONGEST_SUBJECT).contains(&subject.len()) {
            return Err(Fault::parameter("Subject"));
        }
    }
    let attributes = attributes(request.message_attributes)?;
    let said = |one: &Attribute| one.name.len() + one.kind.len() + one.value.len();
    if text.len() + attributes.iter().map(said).sum::<usize>() > LARGEST {
        return Err(Fault::parameter("Message too long"));
    }
    let (text, by_protocol) = match request.message_structure.as_deref() {
        None | Some("") => (text, Map::new()),
        Some("json") => texts(&text)?,
        Some(_) => return Err(Fault::parameter("MessageStructure")),
    };
    Ok(Message {
        topic: topic.to_owned(),
        subject: request.subject,
        text,
        by_protocol,
        attributes,
        group: request.message_group_id,
        ..Message::default()
    })
}

/// The default text of a message, and all of them by their protocols.
fn texts(text: &str) -> Result<(String, Map<String, Value>), Fault> {
    let wrong = |why: &str| Fault::parameter(format!("Message Structure - {why}"));
    let texts: Map<String, Value> =
        serde_json::from_str(text).map_err(|_| wrong("JSON message body failed to parse"))?;
    let default = texts.get("default").and_then(Value::as_str);
    let default = default.ok_or_else(|| wrong("No default entry in JSON message body"))?.to_owned();
    Ok((default, texts))
}

fn attributes(said: BTreeMap<String, AttributeValue>) -> Result<Vec<Attribute>, Fault> {
    said.into_iter().map(|(name, value)| attribute(name, value)).collect()
}

fn attribute(name: String, said: AttributeValue) -> Result<Attribute, Fault> {
    let wrong = |why: String| Fault::new(Code::InvalidParameter, why);
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if !letters || name.is_empty() || name.starts_with('.') || name.ends_with('.') {
        return Err(wrong(format!(
            "Invalid parameter: MessageAttributes Reason: the attribute name '{name}' is invalid"
        )));
    }
    let base = said.data_type.split('.').next().unwrap_or_default();
    if !matches!(base, "String" | "Number" | "Binary") {
        return Err(wrong(format!(
            "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."
        )));
    }
    let value = if base == "Binary" {
        said.binary_value.and_then(|text| BASE64.decode(text).ok()).map(Bytes::from)
    } else {
        said.string_value.map(Bytes::from)
    };
    let value = value.filter(|value| !value.is_empty()).ok_or_else(|| {
        wrong(format!("The message attribute '{name}' must contain non-empty message attribute value for message attribute type '{base}'."))
    })?;
    Ok(Attribute { name: name.into(), kind: said.data_type.into(), value })
}
