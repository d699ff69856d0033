//! What the vendor says on messages that it sent on after too many attempts.
//!
//! Source: Pub/Sub, "Handle message failures", "Track delivery attempts" and "Forwarded messages".

use super::wire::known::rfc3339;
use mlemu_engine::queues::{Attribute, Mark};

const PREFIX: &str = "CloudPubSubDeadLetterSource";

/// For the messages of this subscription.
pub(super) fn mark(subscription: &str) -> Mark {
    let id = subscription.rsplit('/').next().unwrap_or_default().to_owned();
    let project = subscription.split('/').nth(1).unwrap_or_default().to_owned();
    Mark::new(move |message, count| {
        let said = [
            ("DeliveryCount", count.to_string()),
            ("Subscription", id.clone()),
            ("SubscriptionProject", project.clone()),
            ("TopicPublishTime", rfc3339(message.enqueued)),
        ];
        let attribute = |(name, value): (&str, String)| Attribute {
            name: format!("{PREFIX}{name}").into(),
            kind: "".into(),
            value: value.into(),
        };
        said.into_iter().map(attribute).collect()
    })
}
