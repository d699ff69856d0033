//! What a template says that a bucket tells to others than functions.

use super::S3;
use super::notifications::{self, Destinations, SubscriptionFault};
use super::wire::{
    EventBridgeConfiguration, Filter, FilterRule, KeyFilter, QueueConfiguration, TopicConfiguration,
};
use mlemu_engine::objects::BucketId;
use serde_json::Value;

impl S3 {
    /// Lets a declared bucket tell exactly these queues, topics and buses; functions stay as they are. `said` is a
    /// `NotificationConfiguration` of CloudFormation.
    pub fn declare_notifications(&self, bucket: &str, said: &Value) -> Result<(), SubscriptionFault> {
        let bucket = BucketId::new(&self.front.scope, bucket);
        let mut configuration = self.front.notifications.get(&bucket);
        let entries = |name: &str| said[name].as_array().cloned().unwrap_or_default();
        configuration.queues = entries("QueueConfigurations").iter().map(queue).collect();
        configuration.topics = entries("TopicConfigurations").iter().map(topic).collect();
        let to_bus =
            said.get("EventBridgeConfiguration").is_some_and(|bus| bus["EventBridgeEnabled"] != false);
        configuration.event_bridge = to_bus.then(EventBridgeConfiguration::default);
        let installed = notifications::install(&self.front, &bucket, configuration, Destinations::Trusted);
        installed.map_err(|fault| SubscriptionFault { why: fault.to_string() })
    }
}

fn queue(said: &Value) -> QueueConfiguration {
    QueueConfiguration {
        id: String::new(),
        queue: text(said, "Queue"),
        events: events(said),
        filter: filter(said),
    }
}

fn topic(said: &Value) -> TopicConfiguration {
    TopicConfiguration {
        id: String::new(),
        topic: text(said, "Topic"),
        events: events(said),
        filter: filter(said),
    }
}

fn events(said: &Value) -> Vec<String> {
    match &said["Event"] {
        Value::Array(all) => all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
        one => one.as_str().map(str::to_owned).into_iter().collect(),
    }
}

fn filter(said: &Value) -> Option<Filter> {
    let rules = said["Filter"]["S3Key"]["Rules"].as_array()?;
    let rule = |said: &Value| FilterRule { name: text(said, "Name"), value: text(said, "Value") };
    Some(Filter { key: KeyFilter { rules: rules.iter().map(rule).collect() } })
}

fn text(said: &Value, name: &str) -> String {
    said[name].as_str().unwrap_or_default().to_owned()
}
