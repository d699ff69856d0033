//! A queue's attributes: which there are, what they may be, and what they mean to the queue core.
//!
//! Follows SetQueueAttributes and GetQueueAttributes of the Amazon SQS API reference. What was set is kept in
//! the topic's notes, word for word; what was not has a default here.

use super::Front;
use super::fault::{Code, Fault};
use super::names::{self, arn_of};
use super::wire::{Map, RedriveAllowPolicy, RedrivePolicy};
use mlemu_engine::queues::{Counts, DeadLetter, Notes, Settings, TopicId, TopicView};
use std::time::Duration;

/// Largest message, in bytes, since August 2025.
pub const LARGEST: u64 = 1_048_576;
/// Most messages out at once.
const IN_FLIGHT: usize = 120_000;

/// What an attribute may be.
enum Rule {
    /// A whole number in this range.
    Number(u64, u64),
    Flag,
    OneOf(&'static [&'static str]),
    Text,
    Redrive,
    RedriveAllow,
}

/// Name, rule, and the default of queues that did not set it. FIFO's own have theirs only there.
const SETTABLE: [(&str, Rule, &str); 15] = [
    ("VisibilityTimeout", Rule::Number(0, 43_200), "30"),
    ("MaximumMessageSize", Rule::Number(1024, LARGEST), "1048576"),
    ("MessageRetentionPeriod", Rule::Number(60, 1_209_600), "345600"),
    ("DelaySeconds", Rule::Number(0, 900), "0"),
    ("ReceiveMessageWaitTimeSeconds", Rule::Number(0, 20), "0"),
    ("Policy", Rule::Text, ""),
    ("RedrivePolicy", Rule::Redrive, ""),
    ("RedriveAllowPolicy", Rule::RedriveAllow, ""),
    ("KmsMasterKeyId", Rule::Text, ""),
    ("KmsDataKeyReusePeriodSeconds", Rule::Number(60, 86_400), ""),
    ("SqsManagedSseEnabled", Rule::Flag, "true"),
    ("FifoQueue", Rule::Flag, ""),
    ("ContentBasedDeduplication", Rule::Flag, ""),
    ("DeduplicationScope", Rule::OneOf(&["queue", "messageGroup"]), ""),
    ("FifoThroughputLimit", Rule::OneOf(&["perQueue", "perMessageGroupId"]), ""),
];

const OF_FIFO: [(&str, &str); 4] = [
    ("FifoQueue", "true"),
    ("ContentBasedDeduplication", "false"),
    ("DeduplicationScope", "queue"),
    ("FifoThroughputLimit", "perQueue"),
];

/// Attributes that only count.
const COUNTED: [&str; 6] = [
    "QueueArn",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
];

/// What is said about a queue of these notes, set or not.
pub fn get<'a>(notes: &'a Notes, name: &str) -> &'a str {
    let of_fifo = is_fifo(notes).then(|| OF_FIFO.iter().find(|(known, _)| *known == name));
    let of_all = || SETTABLE.iter().find(|(known, ..)| *known == name).map_or("", |(_, _, default)| default);
    match notes.get(name) {
        Some(set) => set,
        None => of_fifo.flatten().map_or_else(of_all, |(_, default)| default),
    }
}

pub fn is_fifo(notes: &Notes) -> bool {
    notes.get("FifoQueue").is_some_and(|value| value == "true")
}

/// A number that was checked when it was set.
pub fn number(notes: &Notes, name: &str) -> u64 {
    get(notes, name).parse().unwrap_or(0)
}

/// Checks what shall be set on a queue, and puts it into `notes`; an empty value unsets.
pub fn set(front: &Front, id: &TopicId, notes: &mut Notes, wanted: &Map) -> Result<(), Fault> {
    for (name, value) in wanted {
        let Some((name, rule, _)) = SETTABLE.iter().find(|(known, ..)| known == name) else {
            return Err(Fault::new(Code::InvalidAttributeName, format!("Unknown Attribute {name}.")));
        };
        if value.is_empty() {
            notes.remove(*name);
            continue;
        }
        if OF_FIFO.iter().any(|(known, _)| known == name) && !is_fifo(notes) {
            return Err(Fault::new(Code::InvalidAttributeName, format!("Unknown Attribute {name}.")));
        }
        check(front, id, notes, (name, rule), value)?;
        notes.insert((*name).to_owned(), value.clone());
    }
    if get(notes, "FifoThroughputLimit") == "perMessageGroupId"
        && get(notes, "DeduplicationScope") != "messageGroup"
    {
        let text = "The perMessageGroupId value for the FifoThroughputLimit attribute is allowed only when the value of the DeduplicationScope attribute is messageGroup.";
        return Err(Fault::new(Code::InvalidAttributeValue, text));
    }
    Ok(())
}

fn check(
    front: &Front,
    id: &TopicId,
    notes: &Notes,
    (name, rule): (&str, &Rule),
    value: &str,
) -> Result<(), Fault> {
    let invalid =
        || Fault::new(Code::InvalidAttributeValue, format!("Invalid value for the parameter {name}."));
    let good = match rule {
        Rule::Number(least, most) => {
            value.parse::<u64>().is_ok_and(|number| (*least..=*most).contains(&number))
        }
        Rule::Flag => matches!(value, "true" | "false"),
        Rule::OneOf(all) => all.contains(&value),
        Rule::Text => true,
        Rule::Redrive => return dead_letter(front, id, is_fifo(notes), value).map(|_| ()),
        Rule::RedriveAllow => allow_policy(value).is_some(),
    };
    if good { Ok(()) } else { Err(invalid()) }
}

/// Reads a redrive policy and checks it against the queue that it names.
fn dead_letter(front: &Front, id: &TopicId, fifo: bool, value: &str) -> Result<DeadLetter, Fault> {
    let wrong = |reason: &str| Fault::value(value, "RedrivePolicy", reason);
    let policy: RedrivePolicy =
        serde_json::from_str(value).map_err(|_| wrong("Amazon SQS can't create the redrive policy."))?;
    let arn = policy
        .dead_letter_target_arn
        .ok_or_else(|| wrong("Redrive policy does not contain mandatory attribute: deadLetterTargetArn."))?;
    let count = policy
        .max_receive_count
        .ok_or_else(|| wrong("Redrive policy does not contain mandatory attribute: maxReceiveCount."))?;
    if !(1..=1000).contains(&count) {
        return Err(wrong("Invalid value for maxReceiveCount: must be between 1 and 1000."));
    }
    let to =
        names::from_arn(&arn, &front.scope).ok_or_else(|| wrong("Invalid value for deadLetterTargetArn."))?;
    let target = front.queues().topic(&to).map_err(|_| wrong("Dead letter target does not exist."))?;
    if is_fifo(&target.notes) != fifo {
        return Err(wrong("Dead-letter queue must be same type of queue as the source."));
    }
    if !allows(&target.notes, &arn_of(id)) {
        return Err(wrong("Dead letter target does not allow this queue as a source."));
    }
    Ok(DeadLetter { to, after: count as u32, restamps: fifo })
}

fn allow_policy(value: &str) -> Option<RedriveAllowPolicy> {
    let policy: RedriveAllowPolicy = serde_json::from_str(value).ok()?;
    let by_queue = policy.redrive_permission == "byQueue";
    let known = by_queue || matches!(&*policy.redrive_permission, "allowAll" | "denyAll");
    let counted = if by_queue {
        (1..=10).contains(&policy.source_queue_arns.len())
    } else {
        policy.source_queue_arns.is_empty()
    };
    (known && counted).then_some(policy)
}

/// Whether a dead-letter queue takes from this source.
fn allows(notes: &Notes, source: &str) -> bool {
    match allow_policy(get(notes, "RedriveAllowPolicy")) {
        None => true,
        Some(policy) => match &*policy.redrive_permission {
            "denyAll" => false,
            "byQueue" => policy.source_queue_arns.iter().any(|arn| arn == source),
            _ => true,
        },
    }
}

/// Where a queue's dead letters go, by ARN.
pub fn dead_letter_arn(notes: &Notes) -> Option<String> {
    let policy: RedrivePolicy = serde_json::from_str(notes.get("RedrivePolicy")?).ok()?;
    policy.dead_letter_target_arn
}

/// What these notes mean to the queue core.
pub fn settings(front: &Front, id: &TopicId, notes: &Notes) -> Settings {
    let seconds = |name| Duration::from_secs(number(notes, name));
    let policy = notes.get("RedrivePolicy");
    Settings {
        ordered: is_fifo(notes),
        lease: seconds("VisibilityTimeout"),
        delay: seconds("DelaySeconds"),
        wait: seconds("ReceiveMessageWaitTimeSeconds"),
        retention: Some(seconds("MessageRetentionPeriod")),
        dead_letter: policy.and_then(|policy| dead_letter(front, id, is_fifo(notes), policy).ok()),
        most_leased: Some(IN_FLIGHT),
        ..Settings::default()
    }
}

/// The attributes that were asked for, each as it is now.
pub fn told(queue: &TopicView, counts: &Counts, names: &[String]) -> Result<Map, Fault> {
    let known = |name: &String| {
        name == "All" || COUNTED.contains(&&**name) || SETTABLE.iter().any(|(known, ..)| known == name)
    };
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        return Err(Fault::new(Code::InvalidAttributeName, format!("Unknown Attribute {unknown}.")));
    }
    let wanted = |name: &str| names.iter().any(|asked| asked == "All" || asked == name);
    let settable = SETTABLE.iter().map(|(name, ..)| (*name, get(&queue.notes, name).to_owned()));
    let counted = COUNTED.iter().map(|name| (*name, count(queue, counts, name)));
    Ok(settable
        .chain(counted)
        .filter(|(name, value)| wanted(name) && !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value))
        .collect())
}

fn count(queue: &TopicView, counts: &Counts, name: &str) -> String {
    match name {
        "ApproximateNumberOfMessages" => counts.visible.to_string(),
        "ApproximateNumberOfMessagesNotVisible" => counts.leased.to_string(),
        "ApproximateNumberOfMessagesDelayed" => counts.delayed.to_string(),
        "CreatedTimestamp" => (queue.created.millis() / 1000).to_string(),
        "LastModifiedTimestamp" => (queue.modified.millis() / 1000).to_string(),
        _ => arn_of(&queue.id),
    }
}
