//! Taking messages and being done with them.

use crate::pubsub::fault::Fault;
use crate::pubsub::ops::publish::LARGEST;
use crate::pubsub::wire::{
    AcknowledgeRequest, Empty, ModifyAckDeadlineRequest, PubsubMessage, PullRequest, PullResponse,
    ReceivedMessage,
};
use crate::pubsub::{PubSub, receipt};
use mlemu_engine::queues::{
    Extended, Extension, Message, Queues, Receipt, Received, Standing, SubscriptionId, Want,
};
use std::time::Duration;

/// How long a pull waits for a message: shorter than the deadlines of the vendor's clients.
const PATIENCE: Duration = Duration::from_secs(20);
const MOST_PULLED: usize = 1000;
const LONGEST_LEASE: i32 = 600;

/// The ids of a request, by whether their leases were held.
#[derive(Debug, Default)]
pub(in crate::pubsub) struct Confirmed {
    pub good: Vec<String>,
    pub invalid: Vec<String>,
}

impl PubSub {
    pub(crate) async fn pull(&self, ask: PullRequest) -> Result<PullResponse, Fault> {
        let most = usize::try_from(ask.max_messages).ok().filter(|most| *most > 0).ok_or_else(|| {
            Fault::invalid(format!(
                "The value for max_messages is too small. You passed {} in the request, but the minimum value is 1.",
                ask.max_messages
            ))
        })?;
        let (from, attempts) = self.source(&ask.subscription)?;
        if self.registry().subscription(&ask.subscription)?.is_pushed() {
            return Err(Fault::precondition("This method is not supported for this subscription type."));
        }
        let wait = if ask.return_immediately { Duration::ZERO } else { PATIENCE };
        let most = most.min(MOST_PULLED);
        let want = Want { bytes: LARGEST, wait: Some(wait), ..Want::now(most) };
        let taken = self.queues().receive(&from, want).await?;
        Ok(PullResponse { received_messages: taken.iter().map(|one| received(one, attempts)).collect() })
    }

    /// Where a subscription's messages are taken from, and whether their attempts are told.
    pub(in crate::pubsub) fn source(&self, name: &str) -> Result<(SubscriptionId, bool), Fault> {
        let registry = self.registry();
        let from = registry.place(name)?;
        Ok((from, registry.subscription(name)?.said.dead_letter_policy.is_some()))
    }

    pub(in crate::pubsub) fn acknowledge(&self, ask: AcknowledgeRequest) -> Result<Empty, Fault> {
        let (from, exactly) = self.leases(&ask.subscription, &ask.ack_ids)?;
        let confirmed = acknowledge(self.queues(), &from, &ask.ack_ids, exactly)?;
        answer(&confirmed, exactly)
    }

    pub(in crate::pubsub) fn modify_ack_deadline(
        &self,
        ask: ModifyAckDeadlineRequest,
    ) -> Result<Empty, Fault> {
        let (from, exactly) = self.leases(&ask.subscription, &ask.ack_ids)?;
        let deadlines = ask.ack_ids.iter().map(|id| (id, ask.ack_deadline_seconds));
        let confirmed = modify(self.queues(), &from, deadlines)?;
        answer(&confirmed, exactly)
    }

    /// Where the leases of a subscription are, and whether it delivers exactly once.
    fn leases(&self, name: &str, ids: &[String]) -> Result<(SubscriptionId, bool), Fault> {
        if ids.is_empty() {
            return Err(Fault::invalid("No ack ids specified."));
        }
        let registry = self.registry();
        let exactly = registry.subscription(name)?.said.enable_exactly_once_delivery;
        Ok((registry.place(name)?, exactly))
    }
}

/// Leases that are over matter to those alone who want each message exactly once.
fn answer(confirmed: &Confirmed, exactly: bool) -> Result<Empty, Fault> {
    if exactly && !confirmed.invalid.is_empty() {
        return Err(Fault::stale_ack_ids(&confirmed.invalid));
    }
    Ok(Empty {})
}

fn receipts(ids: &[String]) -> Result<Vec<Receipt>, Fault> {
    let read = |id: &String| receipt::read(id).ok_or_else(|| invalid_id(id));
    ids.iter().map(read).collect()
}

fn invalid_id(id: &str) -> Fault {
    Fault::invalid(format!("You have passed an invalid ack ID to the service (ack_id={id})."))
}

/// Without `held`, what came late counts too while nobody has the message again.
pub(in crate::pubsub) fn acknowledge(
    queues: &Queues,
    from: &SubscriptionId,
    ids: &[String],
    held: bool,
) -> Result<Confirmed, Fault> {
    if ids.is_empty() {
        return Ok(Confirmed::default());
    }
    let standings = queues.acknowledge_all(from, &receipts(ids)?, held)?;
    let mut confirmed = Confirmed::default();
    for (id, standing) in ids.iter().zip(standings) {
        let list = if standing == Standing::Held { &mut confirmed.good } else { &mut confirmed.invalid };
        list.push(id.clone());
    }
    Ok(confirmed)
}

/// Each with the seconds from now on; zero gives the message back.
pub(in crate::pubsub) fn modify<'a>(
    queues: &Queues,
    from: &SubscriptionId,
    deadlines: impl Iterator<Item = (&'a String, i32)>,
) -> Result<Confirmed, Fault> {
    let mut confirmed = Confirmed::default();
    for (id, seconds) in deadlines {
        let receipt = receipt::read(id).ok_or_else(|| invalid_id(id))?;
        if !(0..=LONGEST_LEASE).contains(&seconds) {
            return Err(Fault::invalid(format!(
                "Invalid ack deadline given: (ack_deadline_seconds={seconds}). It must be between 0 and 600 seconds."
            )));
        }
        let lease = Extension::of(Duration::from_secs(seconds.unsigned_abs().into()));
        let list = match queues.extend(from, &receipt, lease)? {
            Extended::Done(..) => &mut confirmed.good,
            Extended::NotHeld(_) | Extended::TooLong => &mut confirmed.invalid,
        };
        list.push(id.clone());
    }
    Ok(confirmed)
}

/// `attempts`: say how often it was delivered.
pub(in crate::pubsub) fn received(one: &Received, attempts: bool) -> ReceivedMessage {
    ReceivedMessage {
        ack_id: receipt::written(&one.receipt),
        message: Some(spelled(&one.message)),
        delivery_attempt: if attempts { i32::try_from(one.count).unwrap_or(i32::MAX) } else { 0 },
    }
}

/// A message as the vendor spells it.
pub(in crate::pubsub) fn spelled(message: &Message) -> PubsubMessage {
    let attribute = |one: &mlemu_engine::queues::Attribute| {
        (one.name.to_string(), String::from_utf8_lossy(&one.value).into_owned())
    };
    PubsubMessage {
        data: message.body.clone(),
        attributes: message.attributes.iter().map(attribute).collect(),
        message_id: message.id.to_string(),
        publish_time: Some(message.enqueued.into()),
        ordering_key: message.group.as_deref().unwrap_or_default().to_owned(),
    }
}
