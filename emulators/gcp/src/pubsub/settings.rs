//! What a subscription's description means to the queue core.

use super::attempts;
use super::fault::Fault;
use super::filter;
use super::wire::{RetryPolicy, Span, Subscription};
use super::{PubSub, names};
use mlemu_engine::queues::{BackOff, DeadLetter, Settings};
use std::time::Duration;

const DEFAULT_DEADLINE: i32 = 10;
const DEADLINES: std::ops::RangeInclusive<i32> = 10..=600;
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);
const DEFAULT_RETENTION: Duration = Duration::from_secs(7 * 24 * 3600);
const ATTEMPTS: std::ops::RangeInclusive<i32> = 5..=100;
const DEFAULT_ATTEMPTS: i32 = 5;
const DEFAULT_BACK_OFF: BackOff =
    BackOff { first: Duration::from_secs(10), longest: Duration::from_secs(600) };
/// Of push endpoints where no retry policy says otherwise.
const PUSH_BACK_OFF: BackOff = BackOff { first: Duration::from_millis(100), longest: MINUTE };

/// Fills in what was left open, as the vendor does. Fails where the vendor would refuse.
pub(super) fn complete(said: &mut Subscription) -> Result<(), Fault> {
    if said.ack_deadline_seconds == 0 {
        said.ack_deadline_seconds = DEFAULT_DEADLINE;
    }
    if !DEADLINES.contains(&said.ack_deadline_seconds) {
        return Err(Fault::invalid(format!(
            "Invalid ack deadline given: (ack_deadline_seconds={}). It must be between 10 and 600 seconds.",
            said.ack_deadline_seconds
        )));
    }
    let retention = said.message_retention_duration.get_or_insert(DEFAULT_RETENTION.into());
    span("message_retention_duration", *retention, 10 * MINUTE, 31 * DAY)?;
    if let Some(policy) = &mut said.dead_letter_policy {
        if policy.max_delivery_attempts == 0 {
            policy.max_delivery_attempts = DEFAULT_ATTEMPTS;
        }
        if !ATTEMPTS.contains(&policy.max_delivery_attempts) {
            return Err(Fault::invalid(format!(
                "Invalid max_delivery_attempts: {}. It must be between 5 and 100.",
                policy.max_delivery_attempts
            )));
        }
        names::Name::of(names::Kind::Topic, &policy.dead_letter_topic)?;
    }
    if let Some(policy) = &said.retry_policy {
        back_off(policy)?;
    }
    filter::read(&said.filter)?;
    Ok(())
}

/// A length of time within its bounds.
pub(super) fn span(field: &str, said: Span, least: Duration, most: Duration) -> Result<Duration, Fault> {
    let length = said.duration().filter(|length| (least..=most).contains(length));
    length.ok_or_else(|| {
        let (least, most) = (least.as_secs(), most.as_secs());
        Fault::invalid(format!("Invalid {field}: it must be between {least} and {most} seconds."))
    })
}

fn back_off(policy: &RetryPolicy) -> Result<BackOff, Fault> {
    let most = DEFAULT_BACK_OFF.longest;
    let read = |field, said: Option<Span>, otherwise| match said {
        Some(said) => span(field, said, Duration::ZERO, most),
        None => Ok(otherwise),
    };
    let first = read("minimum_backoff", policy.minimum_backoff, DEFAULT_BACK_OFF.first)?;
    let longest = read("maximum_backoff", policy.maximum_backoff, DEFAULT_BACK_OFF.longest)?;
    if first > longest {
        return Err(Fault::invalid("Invalid retry policy: minimum_backoff is more than maximum_backoff."));
    }
    Ok(BackOff { first, longest })
}

impl PubSub {
    /// Of a description that is complete.
    pub(super) fn settings(&self, said: &Subscription) -> Result<Settings, Fault> {
        let push = said.push_config.as_ref().is_some_and(|push| !push.push_endpoint.is_empty());
        let dead_letter = match &said.dead_letter_policy {
            Some(policy) => Some(DeadLetter {
                to: self.topic_id(&policy.dead_letter_topic)?,
                after: policy.max_delivery_attempts.unsigned_abs(),
                restamps: true,
            }),
            None => None,
        };
        let retry = said.retry_policy.as_ref().map(back_off).transpose()?;
        Ok(Settings {
            ordered: said.enable_message_ordering,
            rewinds: said.enable_message_ordering,
            lease: Duration::from_secs(said.ack_deadline_seconds.unsigned_abs().into()),
            retention: said.message_retention_duration.and_then(Span::duration),
            mark: dead_letter.is_some().then(|| attempts::mark(&said.name)),
            dead_letter,
            filter: filter::read(&said.filter)?,
            back_off: retry.or(push.then_some(PUSH_BACK_OFF)),
            keeps_done: said.retain_acked_messages,
            ..Settings::default()
        })
    }
}
