//! The forms in which a message reaches its receivers.
//!
//! Amazon SNS developer guide, "Parsing Amazon SNS message formats"; Lambda developer guide, "Invoking Lambda
//! functions with Amazon SNS notifications". Nothing is signed here: the signature has the form of one.

use super::fifo::Ordered;
use super::store::Subscription;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mlemu_core::Timestamp;
use mlemu_engine::ids::Id;
use mlemu_engine::objects::hex;
use mlemu_engine::queues::Attribute;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// A message that was published.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub id: String,
    pub topic: String,
    pub subject: Option<String>,
    pub text: String,
    /// Texts for single protocols, where the publisher gave them.
    pub by_protocol: Map<String, Value>,
    pub attributes: Vec<Attribute>,
    pub group: Option<String>,
    /// Of topics that keep an order.
    pub ordered: Option<Ordered>,
    pub at: Timestamp,
}

/// Where links of messages lead: region and the address of this SNS.
#[derive(Clone, Debug)]
pub struct Links {
    pub region: String,
    /// Scheme, host and port.
    pub origin: String,
}

impl Links {
    fn certificate(&self) -> String {
        let name = &hex(&Sha256::digest(self.region.as_bytes()))[..32];
        format!("https://sns.{}.amazonaws.com/SimpleNotificationService-{name}.pem", self.region)
    }

    fn unsubscribe(&self, subscription: &str) -> String {
        format!("{}/?Action=Unsubscribe&SubscriptionArn={subscription}", self.origin)
    }

    pub fn confirm(&self, topic: &str, token: &str) -> String {
        format!("{}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}", self.origin)
    }
}

impl Message {
    pub fn text_for(&self, protocol: &str) -> &str {
        self.by_protocol.get(protocol).and_then(Value::as_str).unwrap_or(&self.text)
    }

    /// As long as a signature, and the same for the same message.
    fn signature(&self) -> String {
        let digest = Sha256::digest(format!("{}\n{}", self.id, self.text));
        BASE64.encode(digest.repeat(8))
    }

    fn told_attributes(&self) -> Value {
        let told = self.attributes.iter().map(|one| {
            let value = if one.kind.starts_with("Binary") {
                BASE64.encode(&one.value)
            } else {
                String::from_utf8_lossy(&one.value).into_owned()
            };
            (one.name.to_string(), json!({ "Type": &*one.kind, "Value": value }))
        });
        Value::Object(told.collect())
    }

    /// What queues and HTTP endpoints get, in the vendor's own layout.
    pub fn envelope(&self, to: &Subscription, links: &Links) -> String {
        let mut members: Vec<(&str, Value)> =
            vec![("Type", "Notification".into()), ("MessageId", self.id.as_str().into())];
        let number = self.ordered.as_ref().map(|ordered| ("SequenceNumber", ordered.number.as_str().into()));
        members.extend(number);
        members.push(("TopicArn", self.topic.as_str().into()));
        members.extend(self.subject.as_deref().map(|subject| ("Subject", subject.into())));
        members.extend([
            ("Message", self.text_for(to.protocol.word()).into()),
            ("Timestamp", iso(self.at).into()),
            ("SignatureVersion", "1".into()),
            ("Signature", self.signature().into()),
            ("SigningCertURL", links.certificate().into()),
            ("UnsubscribeURL", links.unsubscribe(&to.arn).into()),
        ]);
        if !self.attributes.is_empty() {
            members.push(("MessageAttributes", self.told_attributes()));
        }
        laid_out(&members)
    }

    /// What a function gets.
    pub fn event(&self, to: &Subscription, links: &Links) -> String {
        json!({ "Records": [{
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": to.arn,
            "Sns": {
                "Type": "Notification",
                "MessageId": self.id,
                "TopicArn": self.topic,
                "Subject": self.subject,
                "Message": self.text_for(to.protocol.word()),
                "Timestamp": iso(self.at),
                "SignatureVersion": "1",
                "Signature": self.signature(),
                "SigningCertUrl": links.certificate(),
                "UnsubscribeUrl": links.unsubscribe(&to.arn),
                "MessageAttributes": self.told_attributes(),
            },
        }] })
        .to_string()
    }
}

/// What an endpoint gets that is to confirm its subscription, or that is not subscribed any more.
pub fn confirmation(
    id: Id,
    kind: &str,
    to: &Subscription,
    token: &str,
    links: &Links,
    at: Timestamp,
) -> (String, String) {
    let id = id.uuid();
    let word = if kind == "SubscriptionConfirmation" { "subscribe to" } else { "deactivate subscription" };
    let text = format!(
        "You have chosen to {word} the topic {}.\nTo confirm the subscription, visit the SubscribeURL included in this message.",
        to.topic
    );
    let message = Message { id: id.clone(), text: text.clone(), ..Message::default() };
    let members: Vec<(&str, Value)> = vec![
        ("Type", kind.into()),
        ("MessageId", id.as_str().into()),
        ("Token", token.into()),
        ("TopicArn", to.topic.as_str().into()),
        ("Message", text.into()),
        ("SubscribeURL", links.confirm(&to.topic, token).into()),
        ("Timestamp", iso(at).into()),
        ("SignatureVersion", "1".into()),
        ("Signature", message.signature().into()),
        ("SigningCertURL", links.certificate().into()),
    ];
    (id, laid_out(&members))
}

/// One member a line, spaces around its colon.
fn laid_out(members: &[(&str, Value)]) -> String {
    let lines: Vec<String> = members.iter().map(|(name, value)| format!("  \"{name}\" : {value}")).collect();
    format!("{{\n{}\n}}", lines.join(",\n"))
}

fn iso(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
