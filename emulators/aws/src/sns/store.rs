//! What SNS keeps: topics and who listens to them.

use super::filter::Filter;
use super::wire::Tags;
use mlemu_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names and values as callers gave them.
pub type Attributes = BTreeMap<String, String>;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Topic {
    pub arn: String,
    pub account: String,
    pub attributes: Attributes,
    pub tags: Tags,
    /// Statements that were added to the policy.
    pub statements: Vec<Value>,
}

/// Who listens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subscription {
    pub arn: String,
    pub topic: String,
    pub protocol: Protocol,
    pub endpoint: String,
    pub owner: String,
    pub attributes: Attributes,
    /// Compiled out of the attributes.
    #[serde(skip)]
    pub filter: Option<Arc<Filter>>,
    /// What the endpoint must say before it is told anything; `None`: it has said it.
    pub token: Option<String>,
    /// A project declares it.
    pub declared: bool,
    pub since: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    Function,
    Queue,
    Http,
}

impl Protocol {
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Function => "lambda",
            Protocol::Queue => "sqs",
            Protocol::Http => "http",
        }
    }
}

impl Topic {
    /// Whether it keeps the order of its messages.
    pub fn is_fifo(&self) -> bool {
        self.says("FifoTopic", "true")
    }

    pub fn says(&self, name: &str, value: &str) -> bool {
        self.attributes.get(name).is_some_and(|said| said == value)
    }
}

impl Subscription {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn is_raw(&self) -> bool {
        self.attribute("RawMessageDelivery") == Some("true")
    }

    /// Where what cannot be delivered goes.
    pub fn dead_letters(&self) -> Option<String> {
        let policy: Value = serde_json::from_str(self.attribute("RedrivePolicy")?).ok()?;
        policy["deadLetterTargetArn"].as_str().map(str::to_owned)
    }
}

/// All of it, by ARN.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Store {
    pub topics: BTreeMap<String, Topic>,
    pub subscriptions: BTreeMap<String, Subscription>,
}

/// What there was at one moment.
#[derive(Clone)]
pub struct Saved(Store);

impl Store {
    /// Completes what was kept when the daemon ended: what a project declares it declares anew.
    pub fn awaken(&mut self) {
        self.subscriptions.retain(|_, one| !one.declared);
        for one in self.subscriptions.values_mut() {
            // It was read once before.
            let filter = Filter::read(one.attribute("FilterPolicy"), one.attribute("FilterPolicyScope"));
            one.filter = filter.ok().flatten().map(Arc::new);
        }
    }

    pub fn saved(&self) -> Saved {
        Saved(self.clone())
    }

    pub fn restore(&mut self, saved: &Saved) {
        *self = saved.0.clone();
    }

    /// Its subscriptions go with a topic.
    pub fn forget(&mut self, topic: &str) {
        self.topics.remove(topic);
        self.subscriptions.retain(|_, subscription| subscription.topic != topic);
    }

    /// Who listens to a topic, in the order in which they came.
    pub fn listeners(&self, topic: &str) -> Vec<Subscription> {
        let of_topic = self.subscriptions.values().filter(|subscription| subscription.topic == topic);
        let mut all: Vec<_> = of_topic.cloned().collect();
        all.sort_by_key(|subscription| subscription.since);
        all
    }
}
