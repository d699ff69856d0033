//! What a queue keeps: a body, what is said about it, and where it belongs.

use super::SubscriptionId;
use bytes::Bytes;
use mlemu_core::{Cause, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// One thing that the sender says about a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    pub name: Arc<str>,
    /// The dialect's word for what the value is; empty where it has only one kind.
    pub kind: Arc<str>,
    pub value: Bytes,
}

/// A message as it was accepted; immutable.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// The commit that accepted it: messages of a group are lent out in this order.
    pub sequence: u64,
    /// As the dialect spells it; kept when the message moves.
    pub id: Arc<str>,
    pub body: Bytes,
    pub attributes: Arc<[Attribute]>,
    /// The dialect's own facts, e.g. who sent it.
    #[serde(deserialize_with = "crate::store::names::list")]
    pub notes: Arc<[(&'static str, String)]>,
    pub group: Option<Arc<str>>,
    pub dedupe: Option<Arc<str>>,
    /// Retention counts from here.
    pub enqueued: Timestamp,
    /// When it is dropped, whatever the retention; as far away as can be: never.
    #[serde(default)]
    pub expires: Option<Timestamp>,
    /// Where it was lent out too often, if that is why it is here.
    pub origin: Option<SubscriptionId>,
    pub cause: Cause,
}

impl Message {
    pub fn note(&self, name: &str) -> Option<&str> {
        self.notes.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// Bytes of the body and of everything in the attributes.
    pub fn size(&self) -> usize {
        let attribute = |one: &Attribute| one.name.len() + one.kind.len() + one.value.len();
        self.body.len() + self.attributes.iter().map(attribute).sum::<usize>()
    }
}

/// A message on its way in.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Empty: it gets one of its own.
    pub id: Arc<str>,
    pub body: Bytes,
    pub attributes: Arc<[Attribute]>,
    pub notes: Arc<[(&'static str, String)]>,
    pub group: Option<Arc<str>>,
    /// What the sender calls this message, to be known again.
    pub dedupe: Option<Arc<str>>,
    /// Within which a message of the same key is a duplicate, if at all. Usually the dedupe word, with
    /// whatever narrows its scope.
    pub once: Option<Arc<str>>,
    /// How long it stays hidden; `None`: as the subscription says.
    pub delay: Option<Duration>,
    /// How long it lives; `None`: as the subscription says, and the longest that there is: for ever.
    pub life: Option<Duration>,
    pub cause: Cause,
}

impl NewMessage {
    /// With an id of its own and nothing said about it.
    pub fn of(body: impl Into<Bytes>, cause: Cause) -> Self {
        Self {
            id: "".into(),
            body: body.into(),
            attributes: Arc::new([]),
            notes: Arc::new([]),
            group: None,
            dedupe: None,
            once: None,
            delay: None,
            life: None,
            cause,
        }
    }
}
