//! The event that a function receives for a batch of messages.
//!
//! Follows "Using Lambda with Amazon SQS" of the AWS Lambda developer guide.

use super::message::system_attributes;
use super::{md5, names, receipt};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mlemu_engine::queues::Received;
use serde_json::{Map, Value, json};

/// One record of the event.
pub fn record(one: &Received, queue: &mlemu_engine::queues::TopicId) -> Value {
    let message = &one.message;
    let fifo = queue.name.ends_with(names::FIFO);
    let system: Map<String, Value> = system_attributes(one, fifo)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let attributes: Map<String, Value> = message
        .attributes
        .iter()
        .map(|attribute| {
            let is_binary = attribute.kind.starts_with("Binary");
            let (member, value) = if is_binary {
                ("binaryValue", BASE64.encode(&attribute.value))
            } else {
                ("stringValue", String::from_utf8_lossy(&attribute.value).into_owned())
            };
            let mut told =
                json!({ "stringListValues": [], "binaryListValues": [], "dataType": &*attribute.kind });
            told[member] = value.into();
            (attribute.name.to_string(), told)
        })
        .collect();
    let mut record = json!({
        "messageId": &*message.id,
        "receiptHandle": receipt::handle(&queue.name, &one.receipt),
        "body": String::from_utf8_lossy(&message.body),
        "attributes": system,
        "messageAttributes": attributes,
        "md5OfBody": md5::of_body(&message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": names::arn_of(queue),
        "awsRegion": &*queue.scope.region,
    });
    if let Some(digest) = md5::of_attributes(message.attributes.iter()) {
        record["md5OfMessageAttributes"] = digest.into();
    }
    record
}
