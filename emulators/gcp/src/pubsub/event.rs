//! A message as those get it who do not pull: wrapped for an endpoint, as a CloudEvent, or as an event of the
//! first generation.
//!
//! Source: Pub/Sub, "Create push subscriptions", "Receive push messages"; Eventarc, "Pub/Sub events"; Cloud
//! Functions, "Pub/Sub triggers (1st gen)".

use super::ops::spelled;
use super::wire::known::rfc3339;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mlemu_engine::queues::Message;
use serde_json::{Value, json};

const MESSAGE: &str = "type.googleapis.com/google.pubsub.v1.PubsubMessage";

/// The vendor sends both spellings of some names.
fn message(message: &Message) -> Value {
    let time = rfc3339(message.enqueued);
    let mut document = json!({
        "data": BASE64_STANDARD.encode(&message.body),
        "messageId": &*message.id,
        "message_id": &*message.id,
        "publishTime": time,
        "publish_time": time,
    });
    if !message.attributes.is_empty() {
        document["attributes"] = json!(spelled(message).attributes);
    }
    if let Some(key) = &message.group {
        document["orderingKey"] = (&**key).into();
    }
    document
}

/// What a push endpoint and a CloudEvent carry. `attempt`: how often it was delivered, where that is told.
pub(super) fn wrapped(of: &Message, subscription: &str, attempt: Option<u32>) -> Value {
    let mut document = json!({ "message": message(of), "subscription": subscription });
    if let Some(attempt) = attempt {
        document["deliveryAttempt"] = attempt.into();
    }
    document
}

/// `topic` by its whole name.
pub(super) fn cloud_event(of: &Message, topic: &str, subscription: &str) -> Value {
    json!({
        "specversion": "1.0",
        "id": &*of.id,
        "type": "google.cloud.pubsub.topic.v1.messagePublished",
        "source": format!("//pubsub.googleapis.com/{topic}"),
        "time": rfc3339(of.enqueued),
        "datacontenttype": "application/json",
        "data": wrapped(of, subscription, None),
    })
}

/// `(data, context)` of the first generation.
pub(super) fn background(of: &Message, topic: &str) -> Value {
    let mut data = json!({ "@type": MESSAGE, "data": BASE64_STANDARD.encode(&of.body) });
    if !of.attributes.is_empty() {
        data["attributes"] = json!(spelled(of).attributes);
    }
    json!({
        "context": {
            "eventId": &*of.id,
            "timestamp": rfc3339(of.enqueued),
            "eventType": "google.pubsub.topic.publish",
            "resource": { "service": "pubsub.googleapis.com", "name": topic, "type": MESSAGE },
        },
        "data": data,
    })
}
