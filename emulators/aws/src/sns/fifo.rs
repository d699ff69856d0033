//! Topics that keep an order: what a message must say for them, its number, and what was said twice.
//!
//! Amazon SNS developer guide, "Message ordering and deduplication strategies using Amazon SNS FIFO topics".

use super::envelope::Message;
use super::fault::Fault;
use super::store::Topic;
use mlemu_core::Timestamp;
use mlemu_engine::objects::hex;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// In which a message of the same deduplication id is the same message.
const WINDOW: Duration = Duration::from_secs(300);
const LONGEST: usize = 128;

/// What a topic that keeps an order knows of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ordered {
    /// The deduplication id.
    pub dedupe: String,
    /// Twenty digits, greater than those before.
    pub number: String,
}

/// A message that was taken before.
#[derive(Clone)]
struct Taken {
    at: Timestamp,
    /// Its group, where each has its own, and its deduplication id.
    key: (String, String),
    id: String,
    number: String,
}

/// One topic's messages of the last minutes.
#[derive(Default)]
pub struct Line {
    taken: VecDeque<Taken>,
    last: i64,
}

/// Every topic's line. Whoever delivers holds it, so that messages arrive in the order of their numbers.
#[derive(Default)]
pub struct Lines(Mutex<HashMap<String, Arc<tokio::sync::Mutex<Line>>>>);

impl Lines {
    pub fn of(&self, topic: &str) -> Arc<tokio::sync::Mutex<Line>> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.entry(topic.to_owned()).or_default().clone()
    }

    /// Nothing was said before.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Line {
    /// Gives a message its number. `true`: it was said before, and has the id and the number that it had then.
    pub fn number(&mut self, topic: &Topic, message: &mut Message, now: Timestamp) -> bool {
        self.taken.retain(|taken| taken.at.plus(WINDOW) > now);
        let per_group = topic.says("FifoThroughputScope", "MessageGroup");
        let group = message.group.clone().filter(|_| per_group).unwrap_or_default();
        let Some(ordered) = &mut message.ordered else { return false };
        let key = (group, ordered.dedupe.clone());
        if let Some(taken) = self.taken.iter().find(|taken| taken.key == key) {
            ordered.number.clone_from(&taken.number);
            message.id.clone_from(&taken.id);
            return true;
        }
        // By the clock, so that they grow over the end of a daemon too.
        self.last = now.0.max(self.last + 1);
        ordered.number = format!("1{:019}", self.last);
        self.taken.push_back(Taken { at: now, key, id: message.id.clone(), number: ordered.number.clone() });
        false
    }
}

/// Checks what a message says of its order against its topic, and completes it.
pub fn check(topic: &Topic, message: &mut Message, said: Option<String>) -> Result<(), Fault> {
    let foreign = |name: &str| {
        let why = format!(
            "{name} Reason: The request includes {name} parameter that is not valid for this topic type"
        );
        Err(Fault::parameter(why))
    };
    if !topic.is_fifo() {
        return if said.is_some() { foreign("MessageDeduplicationId") } else { Ok(()) };
    }
    let good =
        |text: &str| (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    match &message.group {
        None => return Err(Fault::parameter("The MessageGroupId parameter is required for FIFO topics")),
        Some(group) if !good(group) => return Err(Fault::parameter("MessageGroupId")),
        Some(_) => {}
    }
    let dedupe = match said {
        Some(said) if !good(&said) => return Err(Fault::parameter("MessageDeduplicationId")),
        Some(said) => said,
        None if topic.says("ContentBasedDeduplication", "true") => {
            hex(&Sha256::digest(message.text.as_bytes()))
        }
        None => {
            return Err(Fault::parameter(
                "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
            ));
        }
    };
    message.ordered = Some(Ordered { dedupe, number: String::new() });
    Ok(())
}
