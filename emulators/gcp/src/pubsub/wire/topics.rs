//! Topics and what is published to them.

use super::known::{FieldMask, Span, Time};
use super::{Words, json, messages};
use bytes::Bytes;

messages! {
    MessageStoragePolicy {
        (string, repeated, tag = "1") allowed_persistence_regions: Vec<String>,
        (bool, tag = "2") enforce_in_transit: bool,
    }
    SchemaSettings {
        (string, tag = "1") schema: String,
        #[serde(with = "json::encoding")]
        (int32, tag = "2") encoding: i32,
        (string, tag = "3") first_revision_id: String,
        (string, tag = "4") last_revision_id: String,
    }
    /// Where the vendor would fetch messages from by itself; only recognised.
    Ingestion {}
    Topic {
        (string, tag = "1") name: String,
        (btree_map = "string, string", tag = "2") labels: Words,
        (message, optional, tag = "3") message_storage_policy: Option<MessageStoragePolicy>,
        (string, tag = "5") kms_key_name: String,
        (message, optional, tag = "6") schema_settings: Option<SchemaSettings>,
        (message, optional, tag = "8") message_retention_duration: Option<Span>,
        #[serde(with = "json::resource_state")]
        (int32, tag = "9") state: i32,
        (message, optional, tag = "10") ingestion_data_source_settings: Option<Ingestion>,
        (btree_map = "string, string", tag = "14") tags: Words,
    }
    PubsubMessage {
        #[serde(with = "json::base64_bytes")]
        (bytes = "bytes", tag = "1") data: Bytes,
        (btree_map = "string, string", tag = "2") attributes: Words,
        (string, tag = "3") message_id: String,
        (message, optional, tag = "4") publish_time: Option<Time>,
        (string, tag = "5") ordering_key: String,
    }
    GetTopicRequest {
        (string, tag = "1") topic: String,
    }
    UpdateTopicRequest {
        (message, optional, tag = "1") topic: Option<Topic>,
        (message, optional, tag = "2") update_mask: Option<FieldMask>,
    }
    PublishRequest {
        (string, tag = "1") topic: String,
        (message, repeated, tag = "2") messages: Vec<PubsubMessage>,
    }
    PublishResponse {
        (string, repeated, tag = "1") message_ids: Vec<String>,
    }
    ListTopicsRequest {
        (string, tag = "1") project: String,
        (int32, tag = "2") page_size: i32,
        (string, tag = "3") page_token: String,
    }
    ListTopicsResponse {
        (message, repeated, tag = "1") topics: Vec<Topic>,
        (string, tag = "2") next_page_token: String,
    }
    /// Of the subscriptions and of the snapshots of a topic.
    ListOfTopicRequest {
        (string, tag = "1") topic: String,
        (int32, tag = "2") page_size: i32,
        (string, tag = "3") page_token: String,
    }
    ListTopicSubscriptionsResponse {
        (string, repeated, tag = "1") subscriptions: Vec<String>,
        (string, tag = "2") next_page_token: String,
    }
    ListTopicSnapshotsResponse {
        (string, repeated, tag = "1") snapshots: Vec<String>,
        (string, tag = "2") next_page_token: String,
    }
    DeleteTopicRequest {
        (string, tag = "1") topic: String,
    }
    DetachSubscriptionRequest {
        (string, tag = "1") subscription: String,
    }
}
