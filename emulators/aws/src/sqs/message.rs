//! A message between the wire and the queue core: what may be sent, and how it is told again.
//!
//! Follows SendMessage, ReceiveMessage and "Message metadata" of the Amazon SQS documentation.

use super::fault::{Code, Fault};
use super::wire::{self, AttributeValue};
use super::{Call, attributes, md5, names, receipt};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use mlemu_engine::objects::hex;
use mlemu_engine::queues::{Attribute, NewMessage, Received, Sent, TopicView};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Most attributes of one message.
const MOST_ATTRIBUTES: usize = 10;
/// Longest name of an attribute, and longest ids of groups and duplicates, in characters.
const LONGEST_NAME: usize = 256;
const LONGEST_ID: usize = 128;
const TRACE: &str = "AWSTraceHeader";

/// Checks a message for its queue. The second is its size in bytes.
pub fn new(call: &Call, queue: &TopicView, send: wire::Send) -> Result<(NewMessage, usize), Fault> {
    let body =
        send.message_body.filter(|body| !body.is_empty()).ok_or_else(|| Fault::missing("MessageBody"))?;
    if !body.chars().all(allowed) {
        return Err(contents());
    }
    let attributes = read_attributes(send.message_attributes)?;
    let trace = read_attributes(send.message_system_attributes)?;
    if let Some(other) = trace.iter().find(|attribute| &*attribute.name != TRACE) {
        let text = format!("Message system attribute name '{}' is invalid.", other.name);
        return Err(Fault::new(Code::InvalidParameterValue, text));
    }
    let said: usize = attributes.iter().map(|one| one.name.len() + one.kind.len() + one.value.len()).sum();
    let size = body.len() + said;
    let limit = attributes::number(&queue.notes, "MaximumMessageSize");
    if size as u64 > limit {
        let text = format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
        );
        return Err(Fault::new(Code::InvalidParameterValue, text));
    }
    let delay = delay(queue, send.delay_seconds)?;
    let group = send.message_group_id;
    if let Some(group) = &group {
        check_id(group, "MessageGroupId")?;
    }
    let dedupe = dedupe(queue, send.message_deduplication_id, group.as_deref(), &body)?;
    let once = dedupe.as_ref().map(|dedupe| match attributes::get(&queue.notes, "DeduplicationScope") {
        "messageGroup" => format!("{} {dedupe}", group.as_deref().unwrap_or_default()),
        _ => dedupe.clone(),
    });
    let mut notes = vec![("SenderId", call.scope.account.to_string())];
    notes.extend(trace.first().map(|trace| (TRACE, String::from_utf8_lossy(&trace.value).into_owned())));
    let message = NewMessage {
        attributes: attributes.into(),
        notes: notes.into(),
        group: group.map(Arc::from),
        dedupe: dedupe.map(Arc::from),
        once: once.map(Arc::from),
        delay,
        ..NewMessage::of(body, call.cause.clone())
    };
    Ok((message, size))
}

fn allowed(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn contents() -> Fault {
    let text = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";
    Fault::new(Code::InvalidMessageContents, text)
}

fn delay(queue: &TopicView, seconds: Option<i64>) -> Result<Option<Duration>, Fault> {
    let Some(seconds) = seconds else { return Ok(None) };
    if !(0..=900).contains(&seconds) {
        return Err(Fault::value(seconds, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900."));
    }
    if seconds > 0 && attributes::is_fifo(&queue.notes) {
        let reason = "The request include parameter that is not valid for this queue type.";
        return Err(Fault::value(seconds, "DelaySeconds", reason));
    }
    // A FIFO queue's own delay holds even against a zero.
    Ok((!attributes::is_fifo(&queue.notes)).then(|| Duration::from_secs(seconds.unsigned_abs())))
}

fn check_id(id: &str, parameter: &str) -> Result<(), Fault> {
    let good = (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    if good {
        return Ok(());
    }
    let reason =
        format!("{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length.");
    Err(Fault::value(id, parameter, &reason))
}

fn dedupe(
    queue: &TopicView,
    given: Option<String>,
    group: Option<&str>,
    body: &str,
) -> Result<Option<String>, Fault> {
    if !attributes::is_fifo(&queue.notes) {
        return match given {
            None => Ok(None),
            Some(id) => {
                let reason = "The request include parameter that is not valid for this queue type.";
                Err(Fault::value(id, "MessageDeduplicationId", reason))
            }
        };
    }
    if group.is_none() {
        return Err(Fault::missing("MessageGroupId"));
    }
    if let Some(id) = given {
        check_id(&id, "MessageDeduplicationId")?;
        return Ok(Some(id));
    }
    if attributes::get(&queue.notes, "ContentBasedDeduplication") == "true" {
        return Ok(Some(hex(&Sha256::digest(body))));
    }
    let text = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly";
    Err(Fault::new(Code::InvalidParameterValue, text))
}

fn read_attributes(said: BTreeMap<String, AttributeValue>) -> Result<Vec<Attribute>, Fault> {
    if said.len() > MOST_ATTRIBUTES {
        let text = format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{MOST_ATTRIBUTES}].",
            said.len()
        );
        return Err(Fault::new(Code::InvalidParameterValue, text));
    }
    said.into_iter().map(|(name, value)| read_attribute(&name, value)).collect()
}

fn read_attribute(name: &str, said: AttributeValue) -> Result<Attribute, Fault> {
    let wrong = |text: String| Fault::new(Code::InvalidParameterValue, text);
    check_attribute_name(name)?;
    let kind = said.data_type;
    let base = kind.split('.').next().unwrap_or_default();
    if !matches!(base, "String" | "Number" | "Binary") || kind.len() > LONGEST_NAME {
        return Err(wrong(format!(
            "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."
        )));
    }
    let value = if base == "Binary" {
        let bytes = said.binary_value.map(|text| BASE64.decode(text)).transpose();
        bytes.map_err(|_| wrong(format!("The message attribute '{name}' is not Base64.")))?.map(Bytes::from)
    } else {
        if said.string_value.as_deref().is_some_and(|text| !text.chars().all(allowed)) {
            return Err(contents());
        }
        said.string_value.map(Bytes::from)
    };
    let value = value.filter(|value| !value.is_empty()).ok_or_else(|| {
        wrong(format!("Message (user) attribute '{name}' must contain a non-empty value of type '{base}'."))
    })?;
    if base == "Number" && std::str::from_utf8(&value).is_ok_and(|text| text.parse::<f64>().is_err()) {
        return Err(wrong(format!("Can't cast the value of message (user) attribute '{name}' to a number.")));
    }
    Ok(Attribute { name: name.into(), kind: kind.into(), value })
}

fn check_attribute_name(name: &str) -> Result<(), Fault> {
    let lower = name.to_ascii_lowercase();
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    let dots = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    let length = (1..=LONGEST_NAME).contains(&name.len());
    let reserved = (lower.starts_with("aws.") || lower.starts_with("amazon.")) && name != TRACE;
    if letters && length && !dots && !reserved {
        return Ok(());
    }
    let text = format!("Message (user) attribute name '{name}' is invalid.");
    Err(Fault::new(Code::InvalidParameterValue, text))
}

/// What the sender is told, from what was sent and what became of it.
pub fn sent(queue: &TopicView, new: &NewMessage, sent: &Sent, id: Option<String>) -> wire::Sent {
    let trace = new.notes.iter().find(|(name, _)| *name == TRACE).map(|(_, value)| Attribute {
        name: TRACE.into(),
        kind: "String".into(),
        value: value.clone().into(),
    });
    wire::Sent {
        id,
        md5_of_body: md5::of_body(&new.body),
        md5_of_attributes: md5::of_attributes(new.attributes.iter()),
        md5_of_system_attributes: md5::of_attributes(trace.iter()),
        message_id: sent.id.to_string(),
        sequence_number: attributes::is_fifo(&queue.notes).then(|| sequence_number(sent.sequence)),
    }
}

/// Twenty digits that grow.
pub fn sequence_number(sequence: u64) -> String {
    format!("{:020}", 18_870_000_000_000_000_000 + u128::from(sequence) * 256)
}

/// SQS's own attributes of a message that was received.
pub fn system_attributes(one: &Received, fifo: bool) -> Vec<(&'static str, String)> {
    let message = &one.message;
    let text = |value: &Option<Arc<str>>| value.as_ref().map(ToString::to_string);
    let origin = message.origin.as_ref().map(|origin| names::arn_of(&origin.topic));
    let all = [
        ("SenderId", message.note("SenderId").map(str::to_owned)),
        ("SentTimestamp", Some(message.enqueued.millis().to_string())),
        ("ApproximateReceiveCount", Some(one.count.to_string())),
        ("ApproximateFirstReceiveTimestamp", Some(one.first.millis().to_string())),
        ("SequenceNumber", fifo.then(|| sequence_number(message.sequence))),
        ("MessageDeduplicationId", text(&message.dedupe)),
        ("MessageGroupId", text(&message.group)),
        (TRACE, message.note(TRACE).map(str::to_owned)),
        ("DeadLetterQueueSourceArn", origin),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Which attributes a receiver wants to see.
pub struct Wanted<'a> {
    pub system: Vec<&'a str>,
    pub user: &'a [String],
}

impl Wanted<'_> {
    fn system(&self, name: &str) -> bool {
        self.system.iter().any(|asked| *asked == "All" || *asked == name)
    }

    fn user(&self, name: &str) -> bool {
        self.user.iter().any(|asked| match asked.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => asked == "All" || asked == name,
        })
    }
}

/// A message as its receiver sees it.
pub fn received(queue: &TopicView, one: &Received, wanted: &Wanted<'_>) -> wire::Message {
    let message = &one.message;
    let shown = || message.attributes.iter().filter(|attribute| wanted.user(&attribute.name));
    let system = system_attributes(one, attributes::is_fifo(&queue.notes));
    wire::Message {
        message_id: message.id.to_string(),
        receipt_handle: receipt::handle(&queue.id.name, &one.receipt),
        md5_of_body: md5::of_body(&message.body),
        body: String::from_utf8_lossy(&message.body).into_owned(),
        attributes: system
            .into_iter()
            .filter(|(name, _)| wanted.system(name))
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        md5_of_attributes: md5::of_attributes(shown()),
        message_attributes: shown()
            .map(|one| (one.name.to_string(), AttributeValue::of(&one.kind, &one.value)))
            .collect(),
    }
}
