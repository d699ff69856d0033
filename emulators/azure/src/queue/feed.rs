//! From a queue to a function, and from a function to a queue.
//!
//! Source: Azure Functions documentation, "Azure Queue storage trigger and bindings" (poison messages, encoding).

use super::ensure;
use crate::functions::fault::reason;
use crate::worker::values::{Data, TypedData};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use mlemu_core::{Answer, Cause, FunctionFailure, FunctionId, Sink, Subject, Timestamp, What};
use mlemu_engine::queues::{BackOff, Fault, NewMessage, Queues, Received, TopicId};
use mlemu_engine::sources::{BatchShape, Mapping, Verdict};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Largest event, in bytes.
const EVENT: usize = 1024 * 1024;
const POISON: &str = "-poison";

/// What `host.json` says of queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Messages are base64 on their way; otherwise they are text as it is.
    pub base64: bool,
    /// How often a message is tried before it is put aside.
    pub most_dequeues: u32,
    /// How long a message that failed stays hidden.
    pub visibility: Duration,
    /// Most messages that a function works on at once.
    pub at_once: usize,
}

impl Default for Manner {
    fn default() -> Self {
        Self { base64: true, most_dequeues: 5, visibility: Duration::ZERO, at_once: 24 }
    }
}

/// Makes a queue feed a function.
pub(crate) fn mapping(
    queues: &Queues,
    sink: Arc<dyn Sink>,
    function: &FunctionId,
    topic: TopicId,
    manner: Manner,
) -> Result<Mapping, Fault> {
    ensure(queues, &topic)?;
    let back_off = BackOff { first: manner.visibility, longest: manner.visibility };
    queues.configure(&topic.only(), |settings| settings.back_off = Some(back_off))?;
    Ok(Mapping {
        id: id_of(function).into(),
        from: topic.only(),
        target: function.clone(),
        qualifier: None,
        batch: 1,
        window: Duration::ZERO,
        event_limit: EVENT,
        concurrency: Some(manner.at_once),
        shape: Arc::new(Fed { queues: queues.clone(), sink, function: function.clone(), topic, manner }),
    })
}

pub(crate) fn id_of(function: &FunctionId) -> String {
    format!("queue-{}", function.name)
}

struct Fed {
    queues: Queues,
    sink: Arc<dyn Sink>,
    function: FunctionId,
    topic: TopicId,
    manner: Manner,
}

impl Fed {
    fn say(&self, text: String) {
        let subject = Subject { function: Some(self.function.clone()), ..Subject::default() };
        self.sink.send(self.queues.clock().now(), subject, What::Warning { text });
    }

    fn moving(&self) -> String {
        let (most, name) = (self.manner.most_dequeues, &self.topic.name);
        format!("Message has reached MaxDequeueCount of {most}. Moving message to queue '{name}{POISON}'.")
    }

    /// The text that the function gets. `Err` says why there is none.
    fn text(&self, one: &Received) -> Result<String, String> {
        let said = String::from_utf8_lossy(&one.message.body).into_owned();
        if !self.manner.base64 {
            return Ok(said);
        }
        let decoded = STANDARD.decode(said.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        decoded.ok_or_else(|| {
            let shown: String = said.chars().take(60).collect();
            format!(
                "message {} is plain text (`{shown}`), and the host takes base64: send it encoded (in the SDKs, a \
                 message_encode_policy or messageEncoding), or say extensions.queues.messageEncoding = \"none\" in host.json",
                one.message.id
            )
        })
    }

    fn put_aside(&self, one: &Received) {
        let name = format!("{}{POISON}", self.topic.name);
        let to = TopicId::new(&self.topic.scope, &name);
        let new = NewMessage {
            id: one.message.id.clone(),
            ..NewMessage::of(one.message.body.clone(), one.message.cause.clone())
        };
        if let Err(fault) = ensure(&self.queues, &to).and_then(|()| self.queues.send(&to, new).map(drop)) {
            self.say(format!("the message could not be moved: {fault}"));
        }
    }
}

impl BatchShape for Fed {
    /// What cannot be decoded is never tried: it is put aside at once, with the reason.
    fn wants(&self, one: &Received) -> bool {
        let text = self.text(one);
        if let Err(why) = &text {
            self.say(why.clone());
            self.say(self.moving());
            self.put_aside(one);
        }
        text.is_ok()
    }

    fn event(&self, batch: &[Received]) -> Bytes {
        let Some(one) = batch.first() else { return Bytes::new() };
        let stamp = |at: Timestamp| jiff::Timestamp::from_microsecond(at.0).unwrap_or_default().to_string();
        let document = json!({
            "QueueTrigger": self.text(one).unwrap_or_default(),
            "Id": &*one.message.id,
            "DequeueCount": one.count,
            "InsertionTime": stamp(one.message.enqueued),
            "ExpirationTime": stamp(super::expires(&one.message)),
            "NextVisibleTime": stamp(one.until),
            "PopReceipt": format!("{}", one.receipt.token),
        });
        document.to_string().into()
    }

    fn verdict(&self, _batch: &[Received], _answer: &Answer) -> Verdict {
        Verdict::Done
    }

    fn failed(&self, batch: &[Received], failure: &FunctionFailure) -> Verdict {
        match batch.first() {
            Some(one) if one.count >= self.manner.most_dequeues => {
                self.say(format!("{} {}", self.moving(), last_try(failure)));
                self.put_aside(one);
                Verdict::Done
            }
            _ => Verdict::Failed,
        }
    }
}

/// Why a message is put aside.
pub(crate) fn last_try(failure: &FunctionFailure) -> String {
    format!("Its last try: {}", reason(failure))
}

/// A text as the host puts it into a queue of its own.
pub(crate) fn encoded(text: &[u8]) -> Vec<u8> {
    STANDARD.encode(text).into_bytes()
}

/// Sends what a function gave to an output binding.
pub(crate) fn send(
    queues: &Queues,
    topic: &TopicId,
    data: &TypedData,
    manner: Manner,
    cause: &Cause,
) -> Result<(), Fault> {
    ensure(queues, topic)?;
    for text in texts(data) {
        let body = if manner.base64 { STANDARD.encode(&text).into_bytes() } else { text };
        queues.send(topic, NewMessage::of(body, cause.clone()))?;
    }
    Ok(())
}

/// A list is several messages.
fn texts(data: &TypedData) -> Vec<Vec<u8>> {
    match &data.data {
        None | Some(Data::Http(_)) => Vec::new(),
        Some(Data::String(text)) => vec![text.clone().into_bytes()],
        Some(Data::Json(text)) => match serde_json::from_str(text) {
            Ok(Value::Array(all)) => all
                .into_iter()
                .map(|one| match one {
                    Value::String(text) => text.into_bytes(),
                    other => other.to_string().into_bytes(),
                })
                .collect(),
            _ => vec![text.clone().into_bytes()],
        },
        Some(Data::Bytes(bytes) | Data::Stream(bytes)) => vec![bytes.to_vec()],
        Some(Data::Int(number)) => vec![number.to_string().into_bytes()],
        Some(Data::Double(number)) => vec![number.to_string().into_bytes()],
        Some(Data::CollectionString(all)) => {
            all.string.iter().map(|text| text.clone().into_bytes()).collect()
        }
        Some(Data::CollectionBytes(all)) => all.bytes.iter().map(|bytes| bytes.to_vec()).collect(),
        Some(Data::CollectionDouble(all)) => {
            all.double.iter().map(|one| one.to_string().into_bytes()).collect()
        }
        Some(Data::CollectionInt(all)) => all.sint64.iter().map(|one| one.to_string().into_bytes()).collect(),
    }
}
