//! From a published message to everybody who listens.

use super::Front;
use super::envelope::{Links, Message};
use super::fault::Fault;
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
    publish(front, message, letter.cause).await.map(drop)
}

/// Gives a message to all who want it, and its id. Whatever comes of it is under way then.
pub async fn publish(front: &Arc<Front>, mut message: Message, cause: Cause) -> Result<String, Fault> {
    let listeners = {
        let store = front.store();
        if !store.topics.contains_key(&message.topic) {
            return Err(Fault::no_topic());
        }
        store.listeners(&message.topic)
    };
    message.id = front.parts.ids.fresh("notification").uuid();
    message.at = front.parts.clock.now();
    for to in listeners {
        let wants = to.filter.as_ref().is_none_or(|filter| filter.wants(&message));
        if to.token.is_none() && wants {
            hand_over(front, to, &message, cause.clone()).await;
        }
    }
    Ok(message.id)
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
    if to.is_raw() {
        let attributes = message.attributes.clone();
        return Letter { attributes, group, ..Letter::of(message.text_for("sqs").to_owned(), cause) };
    }
    Letter { group, ..Letter::of(message.envelope(to, links), cause) }
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
