//! From a published message to everybody who listens.

use super::Front;
use super::envelope::{Links, Message};
use super::fault::Fault;
use super::fifo;
use super::outgoing::Parcel;
use super::store::{Protocol, Subscription};
use crate::reach::Letter;
use mlemu_core::Cause;
use mlemu_engine::queues::Attribute;
use std::sync::Arc;

/// Publishes what another service writes.
pub async fn letter(front: &Arc<Front>, topic: &str, letter: Letter) -> Result<(), Fault> {
    let message = Message {
        topic: topic.to_owned(),
        subject: letter.subject.clone(),
        text: letter.text(),
        attributes: letter.attributes,
        ..Message::default()
    };
    publish(front, Message { group: letter.group, ..message }, letter.once, letter.cause).await.map(drop)
}

/// What a publisher is told of a message that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub id: String,
    /// Of topics that keep an order.
    pub number: Option<String>,
}

/// Gives a message to all who want it. Whatever comes of it is under way then. `said`: its deduplication id.
pub async fn publish(
    front: &Arc<Front>,
    mut message: Message,
    said: Option<String>,
    cause: Cause,
) -> Result<Receipt, Fault> {
    let (topic, listeners) = {
        let store = front.store();
        let topic = store.topics.get(&message.topic).ok_or_else(Fault::no_topic)?.clone();
        (topic, store.listeners(&message.topic))
    };
    fifo::check(&topic, &mut message, said)?;
    message.id = front.parts.ids.fresh("notification").uuid();
    message.at = front.parts.clock.now();
    if message.ordered.is_none() {
        tell(front, listeners, &message, cause).await;
        return Ok(Receipt { id: message.id, number: None });
    }
    let line = front.lines.of(&message.topic);
    let mut line = line.lock().await;
    let at = message.at;
    let is_told = line.number(&topic, &mut message, at);
    if !is_told {
        tell(front, listeners, &message, cause).await;
    }
    Ok(Receipt { id: message.id, number: message.ordered.map(|ordered| ordered.number) })
}

async fn tell(front: &Arc<Front>, listeners: Vec<Subscription>, message: &Message, cause: Cause) {
    for to in listeners {
        let wants = to.filter.as_ref().is_none_or(|filter| filter.wants(message));
        if to.token.is_none() && wants {
            hand_over(front, to, message, cause.clone()).await;
        }
    }
}

async fn hand_over(front: &Arc<Front>, to: Subscription, message: &Message, cause: Cause) {
    let links = front.links();
    match to.protocol {
        Protocol::Function => {
            let letter = Letter::of(message.event(&to, &links), cause.clone());
            send(front, &to, letter, message.envelope(&to, &links), cause).await;
        }
        Protocol::Queue => {
            let letter = for_queue(&to, message, &links, cause.clone());
            let body = letter.text();
            send(front, &to, letter, body, cause).await;
        }
        Protocol::Http => {
            let raw = to.is_raw();
            let body = if raw { message.text_for("http").to_owned() } else { message.envelope(&to, &links) };
            let parcel = Parcel { kind: "Notification", id: message.id.clone(), body, raw };
            front.dispatch(to, parcel, cause);
        }
    }
}

/// Raw, the message is the body and its attributes are the message's; else both are in an envelope.
fn for_queue(to: &Subscription, message: &Message, links: &Links, cause: Cause) -> Letter {
    let group = message.group.clone();
    let once = message.ordered.as_ref().map(|ordered| ordered.dedupe.clone());
    if to.is_raw() {
        let attributes = message.attributes.clone();
        return Letter { attributes, group, once, ..Letter::of(message.text_for("sqs").to_owned(), cause) };
    }
    Letter { group, once, ..Letter::of(message.envelope(to, links), cause) }
}

/// `body` is what becomes a dead letter if nobody is there.
async fn send(front: &Arc<Front>, to: &Subscription, letter: Letter, body: String, cause: Cause) {
    if let Err(lost) = front.parts.reach.send(&to.endpoint, letter).await {
        front.bury(to, body, &lost.why, cause).await;
    }
}

impl Front {
    pub(super) fn links(&self) -> Links {
        let settings = &self.parts.settings;
        Links { region: settings.region.clone(), origin: format!("http://127.0.0.1:{}", settings.port()) }
    }

    /// What cannot be delivered goes to the subscription's dead letters, or is said aloud.
    pub(super) async fn bury(&self, to: &Subscription, body: String, why: &str, cause: Cause) {
        let lost = match to.dead_letters() {
            Some(queue) => {
                let attribute = |name: &str, value: &str| Attribute {
                    name: name.into(),
                    kind: "String".into(),
                    value: value.to_owned().into(),
                };
                let attributes = vec![
                    attribute("ErrorCode", "ClientError"),
                    attribute("ErrorMessage", why),
                    attribute("RequestID", &self.parts.ids.fresh("sns request").uuid()),
                ];
                let letter = Letter { attributes, ..Letter::of(body, cause) };
                self.parts.reach.send(&queue, letter).await.err()
            }
            None => Some(crate::reach::Lost::because(why)),
        };
        if let Some(lost) = lost {
            self.warn(format!("a message of {} did not reach {}: {lost}", to.topic, to.endpoint));
        }
    }
}
