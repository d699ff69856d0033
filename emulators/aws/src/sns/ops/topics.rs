//! CreateTopic, DeleteTopic, ListTopics, Get and SetTopicAttributes.

use super::{page, want};
use crate::sns::call::Call;
use crate::sns::fault::{Code, Fault};
use crate::sns::store::{Attributes, Topic};
use crate::sns::wire::{CreateTopic, Named, Tags};
use crate::sns::{Front, names};
use serde_json::{Value, json};

const FIFO_TOPIC: &str = "FifoTopic";

/// Attributes that callers may set; the kind of a topic only when they make it.
const KNOWN: [&str; 25] = [
    "ApplicationFailureFeedbackRoleArn",
    "ApplicationSuccessFeedbackRoleArn",
    "ApplicationSuccessFeedbackSampleRate",
    "ArchivePolicy",
    "ContentBasedDeduplication",
    "DataProtectionPolicy",
    "DeliveryPolicy",
    "DisplayName",
    FIFO_TOPIC,
    "FifoThroughputScope",
    "FirehoseFailureFeedbackRoleArn",
    "FirehoseSuccessFeedbackRoleArn",
    "FirehoseSuccessFeedbackSampleRate",
    "HTTPFailureFeedbackRoleArn",
    "HTTPSuccessFeedbackRoleArn",
    "HTTPSuccessFeedbackSampleRate",
    "KmsMasterKeyId",
    "LambdaFailureFeedbackRoleArn",
    "LambdaSuccessFeedbackRoleArn",
    "LambdaSuccessFeedbackSampleRate",
    "Policy",
    "SQSFailureFeedbackRoleArn",
    "SQSSuccessFeedbackRoleArn",
    "SignatureVersion",
    "TracingConfig",
];

pub fn create(front: &Front, call: &Call, request: CreateTopic) -> Result<Value, Fault> {
    let name = want(request.name, "Name")?;
    let tags: Tags = request.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    let arn = put(front, &call.account, &name, request.attributes, Some(tags))?;
    Ok(json!({ "TopicArn": arn }))
}

/// The ARN of a topic that is there from now on.
fn put(
    front: &Front,
    account: &str,
    name: &str,
    mut attributes: Attributes,
    tags: Option<Tags>,
) -> Result<String, Fault> {
    let fifo = attributes.get(FIFO_TOPIC).is_some_and(|fifo| fifo == "true");
    names::check(name, fifo)?;
    if fifo {
        attributes.entry("ContentBasedDeduplication".to_owned()).or_insert_with(|| "false".to_owned());
    } else {
        attributes.remove(FIFO_TOPIC);
    }
    if let Some(unknown) = attributes.keys().find(|known| !KNOWN.contains(&&***known)) {
        return Err(Fault::parameter(format!("Attributes Reason: Unknown attribute {unknown}")));
    }
    let arn = names::arn(&front.parts.settings.region, account, name);
    let mut store = front.store();
    if let Some(topic) = store.topics.get(&arn) {
        let same = attributes.iter().all(|(name, value)| topic.attributes.get(name) == Some(value));
        let same_tags = tags.is_none_or(|tags| tags.is_empty() || tags == topic.tags);
        return match (same, same_tags) {
            (true, true) => Ok(arn),
            (false, _) => {
                Err(Fault::parameter("Attributes Reason: Topic already exists with different attributes"))
            }
            (_, false) => Err(Fault::parameter("Tags Reason: Topic already exists with different tags")),
        };
    }
    let topic = Topic {
        arn: arn.clone(),
        account: account.to_owned(),
        attributes,
        tags: tags.unwrap_or_default(),
        statements: Vec::new(),
    };
    store.topics.insert(arn.clone(), topic);
    Ok(arn)
}

/// A topic that is declared is as it is declared.
pub fn declare(front: &Front, name: &str, attributes: Attributes) -> Result<(), Fault> {
    let account = front.parts.settings.account.clone();
    let mut kind = attributes.clone();
    kind.retain(|name, _| name == FIFO_TOPIC);
    let arn = names::arn(&front.parts.settings.region, &account, name);
    if !front.store().topics.contains_key(&arn) {
        put(front, &account, name, kind, None)?;
    }
    if let Some(topic) = front.store().topics.get_mut(&arn) {
        topic.attributes.extend(attributes);
    }
    Ok(())
}

/// Its subscriptions go with it.
pub fn delete(front: &Front, request: &Named) -> Result<Value, Fault> {
    let arn = want(request.topic_arn.clone(), "TopicArn")?;
    front.store().forget(&arn);
    Ok(Value::Null)
}

pub fn list(front: &Front, call: &Call, request: &Named) -> Value {
    let store = front.store();
    let own = store.topics.values().filter(|topic| topic.account == call.account);
    let all: Vec<String> = own.map(|topic| topic.arn.clone()).collect();
    let (arns, next) = page(all, request.next_token.as_deref(), |arn| arn);
    let topics: Vec<Value> = arns.iter().map(|arn| json!({ "TopicArn": arn })).collect();
    json!({ "Topics": topics, "NextToken": next })
}

pub fn attributes(front: &Front, request: &Named) -> Result<Value, Fault> {
    let arn = want(request.topic_arn.clone(), "TopicArn")?;
    let store = front.store();
    let topic = store.topics.get(&arn).ok_or_else(Fault::no_topic)?;
    let listeners = store.listeners(&arn);
    let pending = listeners.iter().filter(|one| one.token.is_some()).count();
    let mut told = Attributes::from([
        ("TopicArn".to_owned(), arn.clone()),
        ("Owner".to_owned(), topic.account.clone()),
        ("DisplayName".to_owned(), String::new()),
        ("SubscriptionsConfirmed".to_owned(), (listeners.len() - pending).to_string()),
        ("SubscriptionsPending".to_owned(), pending.to_string()),
        ("SubscriptionsDeleted".to_owned(), "0".to_owned()),
        ("EffectiveDeliveryPolicy".to_owned(), effective_policy(topic)),
        ("Policy".to_owned(), policy(topic)),
    ]);
    told.extend(
        topic.attributes.iter().filter(|(name, _)| *name != "Policy").map(|(n, v)| (n.clone(), v.clone())),
    );
    Ok(json!({ "Attributes": told }))
}

fn effective_policy(topic: &Topic) -> String {
    let default = json!({ "http": {
        "defaultHealthyRetryPolicy": {
            "minDelayTarget": 20, "maxDelayTarget": 20, "numRetries": 3, "numMaxDelayRetries": 0,
            "numNoDelayRetries": 0, "numMinDelayRetries": 0, "backoffFunction": "linear",
        },
        "disableSubscriptionOverrides": false,
        "defaultRequestPolicy": { "headerContentType": "text/plain; charset=UTF-8" },
    } });
    topic.attributes.get("DeliveryPolicy").cloned().unwrap_or_else(|| default.to_string())
}

/// What was set, or else what every topic has; and what was added to it.
fn policy(topic: &Topic) -> String {
    let own = topic.attributes.get("Policy").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let mut policy = own.unwrap_or_else(|| {
        json!({
            "Version": "2008-10-17",
            "Id": "__default_policy_ID",
            "Statement": [{
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": { "AWS": "*" },
                "Action": [
                    "SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission",
                    "SNS:RemovePermission", "SNS:DeleteTopic", "SNS:Subscribe",
                    "SNS:ListSubscriptionsByTopic", "SNS:Publish",
                ],
                "Resource": topic.arn,
                "Condition": { "StringEquals": { "AWS:SourceOwner": topic.account } },
            }],
        })
    });
    if let Some(statements) = policy["Statement"].as_array_mut() {
        statements.extend(topic.statements.iter().cloned());
    }
    policy.to_string()
}

pub fn set(front: &Front, request: Named) -> Result<Value, Fault> {
    let arn = want(request.topic_arn, "TopicArn")?;
    let name = want(request.attribute_name, "AttributeName")?;
    let value = request.attribute_value.unwrap_or_default();
    if !KNOWN.contains(&&*name) || name == FIFO_TOPIC {
        return Err(Fault::parameter("AttributeName"));
    }
    if name == "Policy" && !value.is_empty() && serde_json::from_str::<Value>(&value).is_err() {
        return Err(Fault::new(Code::InvalidParameter, "Invalid parameter: Policy Error: null"));
    }
    let mut store = front.store();
    let topic = store.topics.get_mut(&arn).ok_or_else(Fault::no_topic)?;
    if name == "Policy" {
        topic.statements.clear();
    }
    topic.attributes.insert(name, value);
    Ok(Value::Null)
}
