//! Notification configurations: what a bucket tells to which function, checked as S3 checks it.
//!
//! Follows "Amazon S3 Event Notifications" of the Amazon S3 user guide.

use super::bridge;
use super::event::S3Event;
use super::fault::{Code, Fault};
use super::wire::{Filter, FilterRule, FunctionConfiguration, NotificationConfiguration};
use super::{Front, encode};
use crate::reach::Letter;
use crate::sqs::Sqs;
use mlemu_core::occurrence::{Created, Described, ObjectChange};
use mlemu_core::{Cause, FunctionId, Scope};
use mlemu_engine::objects::BucketId;
use mlemu_engine::triggers::{Deliver, Rule, Target};
use mlemu_engine::{Kept, Shelf};
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;

/// The configurations of all buckets that have one, as they are answered.
#[derive(Default)]
pub(super) struct Notifications {
    table: Kept<BTreeMap<BucketId, NotificationConfiguration>>,
}

impl Notifications {
    pub fn on(shelf: &Shelf) -> Self {
        Self { table: Kept::on(shelf.part("notifications")) }
    }

    pub fn get(&self, bucket: &BucketId) -> NotificationConfiguration {
        let table = self.table.lock();
        table.get(bucket).cloned().unwrap_or_default()
    }

    fn set(&self, bucket: &BucketId, configuration: NotificationConfiguration) {
        let mut table = self.table.lock();
        table.insert(bucket.clone(), configuration);
    }

    /// The buckets that tell something to a function, with all that they tell.
    fn telling(&self, function: &str) -> Vec<(BucketId, NotificationConfiguration)> {
        let table = self.table.lock();
        let tells = |configuration: &NotificationConfiguration| {
            configuration.functions.iter().any(|entry| entry.function == function)
        };
        let telling = table.iter().filter(|(_, configuration)| tells(configuration));
        telling.map(|(bucket, configuration)| (bucket.clone(), configuration.clone())).collect()
    }

    pub fn all(&self) -> Vec<(BucketId, NotificationConfiguration)> {
        let table = self.table.lock();
        table.iter().map(|(bucket, configuration)| (bucket.clone(), configuration.clone())).collect()
    }

    pub fn forget(&self, bucket: &BucketId) {
        self.table.lock().remove(bucket);
    }
}

/// A trigger as a project declares it.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Made up when absent.
    pub id: Option<String>,
    /// In S3's spelling, e.g. `s3:ObjectCreated:*`.
    pub events: Vec<String>,
    pub prefix: Option<String>,
    pub suffix: Option<String>,
    pub function: FunctionId,
}

/// What S3 would refuse in a declared trigger.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct SubscriptionFault {
    pub why: String,
}

pub(super) fn subscribe(
    front: &Front,
    bucket: &BucketId,
    subscription: Subscription,
) -> Result<(), SubscriptionFault> {
    let rule = |name: &str, value: Option<String>| Some(FilterRule { name: name.into(), value: value? });
    let rules: Vec<_> = [rule("Prefix", subscription.prefix), rule("Suffix", subscription.suffix)]
        .into_iter()
        .flatten()
        .collect();
    let mut configuration = front.notifications.get(bucket);
    configuration.functions.push(FunctionConfiguration {
        id: subscription.id.unwrap_or_default(),
        function: arn(&subscription.function),
        events: subscription.events,
        filter: (!rules.is_empty()).then_some(Filter { key: super::wire::KeyFilter { rules } }),
    });
    install(front, bucket, configuration, Destinations::Trusted)
        .map_err(|fault| SubscriptionFault { why: fault.message })
}

/// Takes back what a project declared for a function: entries with `ids`, in every bucket.
pub(super) fn unsubscribe(front: &Front, function: &FunctionId, ids: impl Fn(&str) -> bool) {
    let function = arn(function);
    for (bucket, mut configuration) in front.notifications.telling(&function) {
        configuration.functions.retain(|entry| entry.function != function || !ids(&entry.id));
        // Less of what was accepted is accepted; a bucket that is gone tells nothing any more.
        let _ = install(front, &bucket, configuration, Destinations::Trusted);
    }
}

fn arn(FunctionId { scope, name }: &FunctionId) -> String {
    format!("arn:aws:lambda:{}:{}:function:{name}", scope.region, scope.account)
}

/// Whether the functions must exist when a configuration is saved.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Destinations {
    Checked,
    Trusted,
}

/// Makes `configuration` the bucket's own, whole, or refuses it and leaves the old one.
pub(super) fn install(
    front: &Front,
    bucket: &BucketId,
    mut configuration: NotificationConfiguration,
    destinations: Destinations,
) -> Result<(), Fault> {
    let mut rules = Vec::new();
    for entry in &mut configuration.functions {
        let target = function(front, &entry.function, destinations)?;
        rules.push(rule(front, &mut entry.id, &entry.events, entry.filter.as_mut(), target)?);
    }
    for entry in &mut configuration.queues {
        let target = queue(front, &entry.queue, destinations)?;
        rules.push(rule(front, &mut entry.id, &entry.events, entry.filter.as_mut(), target)?);
    }
    for entry in &mut configuration.topics {
        let target = topic(front, &entry.topic, destinations)?;
        rules.push(rule(front, &mut entry.id, &entry.events, entry.filter.as_mut(), target)?);
    }
    check_overlaps(&rules)?;
    rules.extend(configuration.event_bridge.is_some().then(|| bridge::rule(front)));
    front.objects().bucket(bucket)?;
    front.parts.triggers.set(bucket, rules);
    front.notifications.set(bucket, configuration);
    Ok(())
}

/// The function of an ARN.
fn function(front: &Front, text: &str, destinations: Destinations) -> Result<Target, Fault> {
    let arn = Arn::parse(text)
        .ok_or_else(|| Fault::argument("CloudFunction", text, "The ARN could not be parsed"))?;
    let id = match (front.parts.functions)(text) {
        Some(id) => id,
        None if destinations == Destinations::Trusted => arn.function(),
        None => {
            let value = format!("Not authorized to invoke function [{text}]");
            return Err(no_destination(text, &value));
        }
    };
    Ok(Target::Function { id, qualifier: arn.qualifier.map(str::to_owned) })
}

/// The queue of an ARN; it must be there to take the test event, and FIFO queues take none of these.
fn queue(front: &Front, text: &str, destinations: Destinations) -> Result<Target, Fault> {
    let Some(topic) = front.parts.sqs.place(text) else {
        return Err(Fault::argument("Queue", text, "The ARN could not be parsed"));
    };
    let is_there = front.parts.sqs.resolve(text).is_some() || destinations == Destinations::Trusted;
    if !is_there || Sqs::is_fifo(text) {
        return Err(no_destination(text, "The destination queue does not exist"));
    }
    Ok(Target::Queue { queues: front.parts.sqs.queues().clone(), topic })
}

/// The topic of an ARN; it must be there to take the test event.
fn topic(front: &Front, text: &str, destinations: Destinations) -> Result<Target, Fault> {
    if crate::reach::service(text) != "sns" {
        return Err(Fault::argument("Topic", text, "The ARN could not be parsed"));
    }
    let is_there = front.parts.reach.has(text) || destinations == Destinations::Trusted;
    if !is_there || Sqs::is_fifo(text) {
        return Err(no_destination(text, "The destination topic does not exist"));
    }
    let (reach, arn) = (front.parts.reach.clone(), text.to_owned());
    let deliver: Deliver = Arc::new(move |_, event, cause| {
        let (reach, arn) = (reach.clone(), arn.clone());
        let letter = Letter { subject: Some(SUBJECT.to_owned()), ..Letter::of(event, cause) };
        Box::pin(async move { reach.send(&arn, letter).await.map_err(|lost| lost.why) })
    });
    Ok(Target::Other { name: text.into(), deliver })
}

/// Of messages to topics.
const SUBJECT: &str = "Amazon S3 Notification";

/// The message by which S3 tries queues and topics when a configuration is saved.
pub(super) async fn greet(front: &Front, bucket: &BucketId) {
    let configuration = front.notifications.get(bucket);
    let queues = configuration.queues.iter().map(|entry| &entry.queue);
    for arn in queues.chain(configuration.topics.iter().map(|entry| &entry.topic)) {
        let letter = test_event(front, bucket);
        // It was there a moment ago; who deletes it now wants no message.
        let _ = front.parts.reach.send(arn, letter).await;
    }
}

fn test_event(front: &Front, bucket: &BucketId) -> Letter {
    let request_id = encode::new_request_id(front.objects().ids());
    let event = serde_json::json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": super::dates::iso(front.parts.clock.now()),
        "Bucket": &**bucket.name(),
        "RequestId": request_id,
        "HostId": encode::host_id(&request_id),
    });
    Letter { subject: Some(SUBJECT.to_owned()), ..Letter::of(event.to_string(), Cause::Mlemu) }
}

fn rule(
    front: &Front,
    id: &mut String,
    events: &[String],
    filter: Option<&mut Filter>,
    target: Target,
) -> Result<Rule, Fault> {
    if id.is_empty() {
        *id = encode::new_request_id(front.objects().ids());
    }
    let mut changes = Vec::new();
    for event in events {
        changes.extend_from_slice(changes_of(event).ok_or_else(|| unknown_event(event))?);
    }
    if events.is_empty() {
        return Err(Code::MalformedXML.into());
    }
    let (prefix, suffix) = filters(filter)?;
    let shape = S3Event { version: front.parts.settings.event_version.clone() };
    Ok(Rule { id: id.clone(), changes, prefix, suffix, target, shape: Arc::new(shape) })
}

fn no_destination(arn: &str, value: &str) -> Fault {
    Fault::argument(arn, value, "Unable to validate the following destination configurations")
}

fn unknown_event(event: &str) -> Fault {
    Fault::argument("Event", event, "A specified event is not supported for notifications.")
}

/// The prefix and the suffix of an entry, as keys have them; their names are put in S3's own case.
fn filters(filter: Option<&mut Filter>) -> Result<(String, String), Fault> {
    let (mut prefix, mut suffix) = (None, None);
    for rule in filter.into_iter().flat_map(|filter| &mut filter.key.rules) {
        let (slot, name) = match rule.name.to_ascii_lowercase().as_str() {
            "prefix" => (&mut prefix, "Prefix"),
            "suffix" => (&mut suffix, "Suffix"),
            _ => {
                let message = "filter rule name must be either prefix or suffix";
                return Err(Fault::argument("FilterRule.Name", &rule.name, message));
            }
        };
        if slot.replace(decoded(&rule.value)).is_some() {
            let message = format!("Cannot specify more than one {} rule in a filter.", name.to_lowercase());
            return Err(Fault::argument("FilterRule.Name", &rule.name, message));
        }
        name.clone_into(&mut rule.name);
    }
    Ok((prefix.unwrap_or_default(), suffix.unwrap_or_default()))
}

/// Filters are given as keys stand in events: a plus is a space.
fn decoded(value: &str) -> String {
    percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// One object may concern only one rule.
fn check_overlaps(rules: &[Rule]) -> Result<(), Fault> {
    let message = "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type.";
    for (at, first) in rules.iter().enumerate() {
        for second in &rules[at + 1..] {
            let same_event = first.changes.iter().any(|change| second.changes.contains(change));
            let starts = |a: &str, b: &str| a.starts_with(b) || b.starts_with(a);
            let ends = |a: &str, b: &str| a.ends_with(b) || b.ends_with(a);
            if same_event && starts(&first.prefix, &second.prefix) && ends(&first.suffix, &second.suffix) {
                return Err(Fault::because(Code::InvalidArgument, message));
            }
        }
    }
    Ok(())
}

/// Events that S3 knows and that never happen here.
const OTHERS: [&str; 17] = [
    "s3:IntelligentTiering",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleExpiration:Delete",
    "s3:LifecycleExpiration:DeleteMarkerCreated",
    "s3:LifecycleTransition",
    "s3:ObjectAnnotation:*",
    "s3:ObjectAnnotation:Delete",
    "s3:ObjectAnnotation:Put",
    "s3:ObjectRestore:*",
    "s3:ObjectRestore:Completed",
    "s3:ObjectRestore:Delete",
    "s3:ObjectRestore:Post",
    "s3:ReducedRedundancyLostObject",
    "s3:Replication:*",
    "s3:Replication:OperationFailedReplication",
    "s3:Replication:OperationMissedThreshold",
    "s3:Replication:OperationReplicatedAfterThreshold",
];

const CREATED: &[ObjectChange] = &[
    ObjectChange::Created(Created::Put),
    ObjectChange::Created(Created::Post),
    ObjectChange::Created(Created::Copy),
    ObjectChange::Created(Created::Multipart),
];
const REMOVED: &[ObjectChange] = &[ObjectChange::Deleted, ObjectChange::Marked];
const TAGGING: &[ObjectChange] =
    &[ObjectChange::Described(Described::Tagged), ObjectChange::Described(Described::Untagged)];
const DESCRIBED: &[ObjectChange] =
    &[ObjectChange::Described(Described::Permitted), ObjectChange::Described(Described::Retained)];

/// What an event's name of a configuration stands for; `None`: S3 has no such event.
fn changes_of(event: &str) -> Option<&'static [ObjectChange]> {
    match event {
        "s3:ObjectCreated:*" => Some(CREATED),
        "s3:ObjectRemoved:*" => Some(REMOVED),
        "s3:ObjectTagging:*" => Some(TAGGING),
        _ if OTHERS.contains(&event) => Some(&[]),
        _ => {
            let name = event.strip_prefix("s3:")?;
            let one =
                |all: &'static [ObjectChange]| all.iter().position(|one| super::event::name(*one) == name);
            let groups = [CREATED, REMOVED, TAGGING, DESCRIBED];
            groups.into_iter().find_map(|group| one(group).map(|at| &group[at..=at]))
        }
    }
}

/// The parts of a function's ARN.
struct Arn<'a> {
    region: &'a str,
    account: &'a str,
    name: &'a str,
    qualifier: Option<&'a str>,
}

impl<'a> Arn<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let (["arn", _, "lambda", region, account, "function", name], rest) = parts.split_at_checked(7)?
        else {
            return None;
        };
        let qualifier = match rest {
            [] => None,
            [qualifier] => Some(*qualifier),
            _ => return None,
        };
        (!name.is_empty()).then_some(Self { region, account, name, qualifier })
    }

    fn function(&self) -> FunctionId {
        FunctionId::new(Arc::new(Scope::new("aws", self.account, self.region)), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_events() {
        assert_eq!(changes_of("s3:ObjectCreated:*").unwrap().len(), 4);
        assert_eq!(changes_of("s3:ObjectCreated:Post").unwrap(), [ObjectChange::Created(Created::Post)]);
        assert_eq!(changes_of("s3:ObjectRemoved:Delete").unwrap(), [ObjectChange::Deleted]);
        assert_eq!(changes_of("s3:ObjectTagging:Put").unwrap(), [ObjectChange::Described(Described::Tagged)]);
        assert_eq!(changes_of("s3:LifecycleTransition").unwrap(), []);
        assert!(changes_of("ObjectCreated:Put").is_none());
        assert!(changes_of("s3:ObjectCreated:Burn").is_none());
    }

    #[test]
    fn arns() {
        let arn = Arn::parse("arn:aws:lambda:us-east-1:000000000000:function:f:live").unwrap();
        assert_eq!((&*arn.function().name, arn.qualifier), ("f", Some("live")));
        for wrong in
            ["f", "arn:aws:sqs:us-east-1:000000000000:q", "arn:aws:lambda:r:a:function:", "", "::::::"]
        {
            assert!(Arn::parse(wrong).is_none(), "{wrong}");
        }
    }
}
