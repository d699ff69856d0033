//! Subscribe, ConfirmSubscription, Unsubscribe, and what is told of subscriptions.

use super::{page, want};
use crate::reach;
use crate::sns::call::Call;
use crate::sns::envelope;
use crate::sns::fault::{Code, Fault};
use crate::sns::filter::Filter;
use crate::sns::outgoing::Parcel;
use crate::sns::store::{Attributes, Protocol, Subscription, Topic};
use crate::sns::wire::{Confirm, Named, Subscribe};
use crate::sns::{Front, names};
use mlemu_core::Cause;
use serde_json::{Value, json};
use std::sync::Arc;

const KNOWN: [&str; 7] = [
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "ReplayPolicy",
    "SubscriptionRoleArn",
];

pub fn create(front: &Arc<Front>, call: &Call, request: Subscribe) -> Result<Value, Fault> {
    let topic = want(request.topic_arn, "TopicArn")?;
    let protocol = want(request.protocol, "Protocol")?;
    let endpoint = want(request.endpoint, "Endpoint")?;
    let told = put(front, &topic, &protocol, &endpoint, request.attributes, call.cause.clone())?;
    let arn = if told.token.is_some() && request.return_subscription_arn.as_deref() != Some("true") {
        "pending confirmation".to_owned()
    } else {
        told.arn
    };
    Ok(json!({ "SubscriptionArn": arn }))
}

pub fn declare(
    front: &Arc<Front>,
    topic: &str,
    protocol: &str,
    endpoint: &str,
    attributes: Attributes,
) -> Result<(), Fault> {
    let mut known = front.store().listeners(topic).into_iter();
    if let Some(known) = known.find(|one| one.endpoint == endpoint && one.declared) {
        front.store().subscriptions.remove(&known.arn);
    }
    let made = put(front, topic, protocol, endpoint, attributes, Cause::Mlemu)?;
    if let Some(subscription) = front.store().subscriptions.get_mut(&made.arn) {
        subscription.declared = true;
    }
    Ok(())
}

/// A subscription that is there from now on; an endpoint has one at a topic.
fn put(
    front: &Arc<Front>,
    topic: &str,
    protocol: &str,
    endpoint: &str,
    attributes: Attributes,
    cause: Cause,
) -> Result<Subscription, Fault> {
    let of_order = front.store().topics.get(topic).is_some_and(Topic::is_fifo);
    let protocol = checked(front, of_order, protocol, endpoint)?;
    let filter = check_attributes(&attributes)?;
    let mut store = front.store();
    let owner = store.topics.get(topic).ok_or_else(Fault::no_topic)?.account.clone();
    if let Some(known) = store.listeners(topic).into_iter().find(|one| one.endpoint == endpoint) {
        let same = attributes.iter().all(|(name, value)| known.attributes.get(name) == Some(value));
        if same {
            return Ok(known);
        }
        return Err(Fault::parameter(
            "Attributes Reason: Subscription already exists with different attributes",
        ));
    }
    let ids = &front.parts.ids;
    let id = ids.fresh("subscription").uuid();
    let token = (protocol == Protocol::Http)
        .then(|| format!("{}{}", ids.fresh("sns token").hex(), ids.fresh("sns token").hex()));
    let subscription = Subscription {
        arn: format!("{topic}:{id}"),
        topic: topic.to_owned(),
        protocol,
        endpoint: endpoint.to_owned(),
        owner,
        attributes,
        filter,
        token,
        declared: false,
        since: front.parts.clock.now(),
    };
    store.subscriptions.insert(subscription.arn.clone(), subscription.clone());
    drop(store);
    if let Some(token) = subscription.token.clone() {
        ask(front, &subscription, "SubscriptionConfirmation", &token, cause);
    }
    Ok(subscription)
}

/// Tells an endpoint about its subscription, with a link for what it may want.
fn ask(front: &Arc<Front>, to: &Subscription, kind: &'static str, token: &str, cause: Cause) {
    let now = front.parts.clock.now();
    let (id, body) =
        envelope::confirmation(front.parts.ids.fresh("notification"), kind, to, token, &front.links(), now);
    front.dispatch(to.clone(), Parcel { kind, id, body, raw: false }, cause);
}

/// `of_order`: the topic keeps one.
fn checked(front: &Front, of_order: bool, protocol: &str, endpoint: &str) -> Result<Protocol, Fault> {
    let wrong = |why: &str| Fault::parameter(format!("Endpoint Reason: {why}"));
    match protocol {
        other if of_order && other != "sqs" => {
            Err(Fault::parameter(format!("Invalid protocol type: {other}")))
        }
        "lambda" if reach::service(endpoint) == "lambda" => Ok(Protocol::Function),
        "lambda" => Err(wrong("Please use a valid Lambda function ARN")),
        "sqs" if reach::service(endpoint) != "sqs" => Err(wrong("SQS endpoint ARN")),
        "sqs" if !of_order && endpoint.ends_with(names::FIFO) => {
            let why = "Please use FIFO SQS queues only with FIFO topics";
            Err(Fault::parameter(format!("Invalid parameter: Endpoint Reason: {why}")))
        }
        "sqs" => Ok(Protocol::Queue),
        "http" if mlemu_core::is_here(endpoint) => Ok(Protocol::Http),
        "http" | "https" => {
            front.warn(format!("{endpoint} is not told of topics: mlemu sends by HTTP to this machine only"));
            Err(wrong("mlemu sends by HTTP to this machine only"))
        }
        "email" | "email-json" | "sms" | "application" | "firehose" => {
            Err(Fault::not_implemented(&format!("Subscribe(Protocol={protocol})")))
        }
        other => Err(Fault::parameter(format!("Does not support this protocol string: {other}"))),
    }
}

/// What filters messages, if anything does.
fn check_attributes(attributes: &Attributes) -> Result<Option<Arc<Filter>>, Fault> {
    if let Some(unknown) = attributes.keys().find(|name| !KNOWN.contains(&&***name)) {
        return Err(Fault::parameter(format!("Attributes Reason: Unknown attribute {unknown}")));
    }
    let get = |name: &str| attributes.get(name).map(String::as_str).filter(|value| !value.is_empty());
    if let Some(raw) = get("RawMessageDelivery").filter(|raw| !matches!(*raw, "true" | "false")) {
        let why =
            format!("Attributes Reason: RawMessageDelivery: Invalid value [{raw}]. Must be true or false.");
        return Err(Fault::parameter(why));
    }
    if let Some(policy) = get("RedrivePolicy") {
        let target = serde_json::from_str::<Value>(policy).ok();
        let target = target.and_then(|policy| policy["deadLetterTargetArn"].as_str().map(str::to_owned));
        if target.is_none_or(|arn| reach::service(&arn) != "sqs") {
            return Err(Fault::parameter("RedrivePolicy: deadLetterTargetArn is an invalid arn"));
        }
    }
    Ok(Filter::read(get("FilterPolicy"), get("FilterPolicyScope"))?.map(Arc::new))
}

pub fn confirm(front: &Front, request: Confirm) -> Result<Value, Fault> {
    let topic = want(request.topic_arn, "TopicArn")?;
    let token = want(request.token, "Token")?;
    let mut store = front.store();
    if !store.topics.contains_key(&topic) {
        return Err(Fault::no_topic());
    }
    let meant = store
        .subscriptions
        .values_mut()
        .find(|one| one.topic == topic && one.token.as_deref() == Some(&*token));
    let subscription = meant.ok_or_else(|| Fault::parameter("Token"))?;
    subscription.token = None;
    Ok(json!({ "SubscriptionArn": subscription.arn }))
}

pub fn delete(front: &Arc<Front>, call: &Call, request: &Named) -> Result<Value, Fault> {
    let arn = want(request.subscription_arn.clone(), "SubscriptionArn")?;
    if names::topic_of(&arn).is_empty() {
        return Err(Fault::parameter("SubscriptionArn Reason: An ARN must have at least 6 elements"));
    }
    let gone = front.store().subscriptions.remove(&arn);
    if let Some(gone) = gone.filter(|gone| gone.protocol == Protocol::Http && gone.token.is_none()) {
        let token = front.parts.ids.fresh("sns token").hex();
        ask(front, &gone, "UnsubscribeConfirmation", &token, call.cause.clone());
    }
    Ok(Value::Null)
}

fn told(all: Vec<Subscription>, token: Option<&str>) -> Value {
    let (all, next) = page(all, token, |one| &one.arn);
    let each = all.iter().map(|one| {
        let arn = if one.token.is_some() { "PendingConfirmation" } else { &one.arn };
        json!({
            "SubscriptionArn": arn,
            "Owner": one.owner,
            "Protocol": one.protocol.word(),
            "Endpoint": one.endpoint,
            "TopicArn": one.topic,
        })
    });
    json!({ "Subscriptions": each.collect::<Vec<_>>(), "NextToken": next })
}

pub fn list(front: &Front, call: &Call, request: &Named) -> Value {
    let store = front.store();
    let own = store.subscriptions.values().filter(|one| one.owner == call.account);
    told(own.cloned().collect(), request.next_token.as_deref())
}

pub fn list_of_topic(front: &Front, request: &Named) -> Result<Value, Fault> {
    let topic = want(request.topic_arn.clone(), "TopicArn")?;
    let store = front.store();
    if !store.topics.contains_key(&topic) {
        return Err(Fault::no_topic());
    }
    let of_topic = store.subscriptions.values().filter(|one| one.topic == topic);
    Ok(told(of_topic.cloned().collect(), request.next_token.as_deref()))
}

pub fn attributes(front: &Front, request: &Named) -> Result<Value, Fault> {
    let arn = want(request.subscription_arn.clone(), "SubscriptionArn")?;
    let store = front.store();
    let one = store.subscriptions.get(&arn).ok_or_else(Fault::no_subscription)?;
    let word = |yes: bool| yes.to_string();
    let mut told = Attributes::from([
        ("SubscriptionArn".to_owned(), one.arn.clone()),
        ("TopicArn".to_owned(), one.topic.clone()),
        ("Protocol".to_owned(), one.protocol.word().to_owned()),
        ("Endpoint".to_owned(), one.endpoint.clone()),
        ("Owner".to_owned(), one.owner.clone()),
        ("ConfirmationWasAuthenticated".to_owned(), word(one.token.is_none())),
        ("PendingConfirmation".to_owned(), word(one.token.is_some())),
        ("RawMessageDelivery".to_owned(), word(one.is_raw())),
        ("SubscriptionPrincipal".to_owned(), format!("arn:aws:iam::{}:root", one.owner)),
    ]);
    let own = one.attributes.iter().filter(|(_, value)| !value.is_empty());
    told.extend(own.map(|(name, value)| (name.clone(), value.clone())));
    if one.filter.is_some() {
        told.entry("FilterPolicyScope".to_owned()).or_insert_with(|| "MessageAttributes".to_owned());
    }
    Ok(json!({ "Attributes": told }))
}

pub fn set(front: &Front, request: Named) -> Result<Value, Fault> {
    let arn = want(request.subscription_arn, "SubscriptionArn")?;
    let name = want(request.attribute_name, "AttributeName")?;
    if !KNOWN.contains(&&*name) {
        return Err(Fault::new(Code::InvalidParameter, "Invalid parameter: AttributeName"));
    }
    let mut store = front.store();
    let one = store.subscriptions.get_mut(&arn).ok_or_else(Fault::no_subscription)?;
    let mut attributes = one.attributes.clone();
    attributes.insert(name, request.attribute_value.unwrap_or_default());
    one.filter = check_attributes(&attributes)?;
    one.attributes = attributes;
    Ok(Value::Null)
}
