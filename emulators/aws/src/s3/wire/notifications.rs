//! What a bucket tells to whom.

use super::Ns;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::s3) struct NotificationConfiguration {
    #[serde(rename = "@xmlns", skip_deserializing)]
    pub xmlns: Ns,
    #[serde(rename = "CloudFunctionConfiguration", default)]
    pub functions: Vec<FunctionConfiguration>,
    #[serde(rename = "QueueConfiguration", default)]
    pub queues: Vec<QueueConfiguration>,
    #[serde(rename = "TopicConfiguration", default)]
    pub topics: Vec<TopicConfiguration>,
    #[serde(rename = "EventBridgeConfiguration", skip_serializing_if = "Option::is_none")]
    pub event_bridge: Option<EventBridgeConfiguration>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::s3) struct FunctionConfiguration {
    #[serde(rename = "Id", default)]
    pub id: String,
    #[serde(rename = "CloudFunction")]
    pub function: String,
    #[serde(rename = "Event", default)]
    pub events: Vec<String>,
    #[serde(rename = "Filter", skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
}

/// It is there, or it is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::s3) struct EventBridgeConfiguration {}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::s3) struct TopicConfiguration {
    #[serde(rename = "Id", default)]
    pub id: String,
    #[serde(rename = "Topic")]
    pub topic: String,
    #[serde(rename = "Event", default)]
    pub events: Vec<String>,
    #[serde(rename = "Filter", skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::s3) struct QueueConfiguration {
    #[serde(rename = "Id", default)]
    pub id: String,
    #[serde(rename = "Queue")]
    pub queue: String,
    #[serde(rename = "Event", default)]
    pub events: Vec<String>,
    #[serde(rename = "Filter", skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::s3) struct Filter {
    #[serde(rename = "S3Key", default)]
    pub key: KeyFilter,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::s3) struct KeyFilter {
    #[serde(rename = "FilterRule", default)]
    pub rules: Vec<FilterRule>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct FilterRule {
    pub name: String,
    #[serde(default)]
    pub value: String,
}
