//! Queue Storage's documents.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mlemu_core::Epoch;
use mlemu_engine::queues::Receipt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is sent with a message.
#[derive(Debug, Deserialize)]
#[serde(rename = "QueueMessage", rename_all = "PascalCase")]
pub(super) struct NewText {
    #[serde(default)]
    pub message_text: String,
}

#[derive(Debug, Serialize)]
#[serde(rename = "QueueMessagesList")]
pub(super) struct Messages {
    #[serde(rename = "QueueMessage")]
    pub all: Vec<OneMessage>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneMessage {
    pub message_id: String,
    pub insertion_time: String,
    pub expiration_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pop_receipt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_next_visible: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dequeue_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_text: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename = "EnumerationResults", rename_all = "PascalCase")]
pub(super) struct Listing {
    #[serde(rename = "@ServiceEndpoint")]
    pub service_endpoint: String,
    pub prefix: String,
    pub max_results: usize,
    pub queues: Queues,
    pub next_marker: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Queues {
    #[serde(rename = "Queue")]
    pub all: Vec<OneQueue>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneQueue {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
}

/// A lease as clients carry it.
pub(super) fn pop_receipt(receipt: &Receipt) -> String {
    STANDARD.encode(format!("{}:{}:{}", receipt.epoch.0, receipt.sequence, receipt.token))
}

pub(super) fn lease(text: &str) -> Option<Receipt> {
    let text = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
    let mut parts = text.splitn(3, ':');
    let mut number = || parts.next()?.parse().ok();
    Some(Receipt { epoch: Epoch(number()?), sequence: number()?, token: number()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_come_back_and_others_do_not() {
        let receipt = Receipt { epoch: Epoch(1), sequence: 22, token: 333 };
        assert_eq!(lease(&pop_receipt(&receipt)), Some(receipt));
        for wrong in ["", "x", "%%%", "MTox"] {
            assert_eq!(lease(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn documents_are_spelled_as_the_vendor_does() {
        let one =
            OneMessage { message_id: "1".into(), message_text: Some("a<b".into()), ..OneMessage::default() };
        let text = quick_xml::se::to_string(&Messages { all: vec![one] }).unwrap();
        assert!(text.starts_with("<QueueMessagesList><QueueMessage><MessageId>1</MessageId>"), "{text}");
        assert!(text.contains("<MessageText>a&lt;b</MessageText>"), "{text}");
        let new: NewText =
            quick_xml::de::from_str("<QueueMessage><MessageText>a&lt;b &amp; c</MessageText></QueueMessage>")
                .unwrap();
        assert_eq!(new.message_text, "a<b & c");
    }
}
