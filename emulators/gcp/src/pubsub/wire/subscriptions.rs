//! Subscriptions, and how messages are taken from them.

use super::known::{FieldMask, Span};
use super::topics::PubsubMessage;
use super::{Words, json, messages};

messages! {
    OidcToken {
        (string, tag = "1") service_account_email: String,
        (string, tag = "2") audience: String,
    }
    PubsubWrapper {}
    NoWrapper {
        (bool, tag = "1") write_metadata: bool,
    }
    PushConfig {
        (string, tag = "1") push_endpoint: String,
        (btree_map = "string, string", tag = "2") attributes: Words,
        (message, optional, tag = "3") oidc_token: Option<OidcToken>,
        (message, optional, tag = "4") pubsub_wrapper: Option<PubsubWrapper>,
        (message, optional, tag = "5") no_wrapper: Option<NoWrapper>,
    }
    /// Another service of the vendor that would get the messages; only recognised.
    Export {}
    ExpirationPolicy {
        (message, optional, tag = "1") ttl: Option<Span>,
    }
    DeadLetterPolicy {
        (string, tag = "1") dead_letter_topic: String,
        (int32, tag = "2") max_delivery_attempts: i32,
    }
    RetryPolicy {
        (message, optional, tag = "1") minimum_backoff: Option<Span>,
        (message, optional, tag = "2") maximum_backoff: Option<Span>,
    }
    Subscription {
        (string, tag = "1") name: String,
        (string, tag = "2") topic: String,
        (message, optional, tag = "4") push_config: Option<PushConfig>,
        (message, optional, tag = "18") bigquery_config: Option<Export>,
        (message, optional, tag = "22") cloud_storage_config: Option<Export>,
        (message, optional, tag = "27") bigtable_config: Option<Export>,
        (int32, tag = "5") ack_deadline_seconds: i32,
        (bool, tag = "7") retain_acked_messages: bool,
        (message, optional, tag = "8") message_retention_duration: Option<Span>,
        (btree_map = "string, string", tag = "9") labels: Words,
        (bool, tag = "10") enable_message_ordering: bool,
        (message, optional, tag = "11") expiration_policy: Option<ExpirationPolicy>,
        (string, tag = "12") filter: String,
        (message, optional, tag = "13") dead_letter_policy: Option<DeadLetterPolicy>,
        (message, optional, tag = "14") retry_policy: Option<RetryPolicy>,
        (bool, tag = "15") detached: bool,
        (bool, tag = "16") enable_exactly_once_delivery: bool,
        (message, optional, tag = "17") topic_message_retention_duration: Option<Span>,
        #[serde(with = "json::resource_state")]
        (int32, tag = "19") state: i32,
        (btree_map = "string, string", tag = "26") tags: Words,
    }
    /// Of one subscription: to show it, and to delete it.
    NamedSubscription {
        (string, tag = "1") subscription: String,
    }
    UpdateSubscriptionRequest {
        (message, optional, tag = "1") subscription: Option<Subscription>,
        (message, optional, tag = "2") update_mask: Option<FieldMask>,
    }
    ListSubscriptionsRequest {
        (string, tag = "1") project: String,
        (int32, tag = "2") page_size: i32,
        (string, tag = "3") page_token: String,
    }
    ListSubscriptionsResponse {
        (message, repeated, tag = "1") subscriptions: Vec<Subscription>,
        (string, tag = "2") next_page_token: String,
    }
    ModifyPushConfigRequest {
        (string, tag = "1") subscription: String,
        (message, optional, tag = "2") push_config: Option<PushConfig>,
    }
    ReceivedMessage {
        (string, tag = "1") ack_id: String,
        (message, optional, tag = "2") message: Option<PubsubMessage>,
        (int32, tag = "3") delivery_attempt: i32,
    }
    PullRequest {
        (string, tag = "1") subscription: String,
        (bool, tag = "2") return_immediately: bool,
        (int32, tag = "3") max_messages: i32,
    }
    PullResponse {
        (message, repeated, tag = "1") received_messages: Vec<ReceivedMessage>,
    }
    ModifyAckDeadlineRequest {
        (string, tag = "1") subscription: String,
        (string, repeated, tag = "4") ack_ids: Vec<String>,
        (int32, tag = "3") ack_deadline_seconds: i32,
    }
    AcknowledgeRequest {
        (string, tag = "1") subscription: String,
        (string, repeated, tag = "2") ack_ids: Vec<String>,
    }
    StreamingPullRequest {
        (string, tag = "1") subscription: String,
        (string, repeated, tag = "2") ack_ids: Vec<String>,
        (int32, repeated, tag = "3") modify_deadline_seconds: Vec<i32>,
        (string, repeated, tag = "4") modify_deadline_ack_ids: Vec<String>,
        (int32, tag = "5") stream_ack_deadline_seconds: i32,
        (string, tag = "6") client_id: String,
        #[serde(with = "json::long")]
        (int64, tag = "7") max_outstanding_messages: i64,
        #[serde(with = "json::long")]
        (int64, tag = "8") max_outstanding_bytes: i64,
    }
    #[expect(clippy::struct_field_names, reason = "the vendor's names")]
    AcknowledgeConfirmation {
        (string, repeated, tag = "1") ack_ids: Vec<String>,
        (string, repeated, tag = "2") invalid_ack_ids: Vec<String>,
        (string, repeated, tag = "3") unordered_ack_ids: Vec<String>,
        (string, repeated, tag = "4") temporary_failed_ack_ids: Vec<String>,
    }
    #[expect(clippy::struct_field_names, reason = "the vendor's names")]
    ModifyAckDeadlineConfirmation {
        (string, repeated, tag = "1") ack_ids: Vec<String>,
        (string, repeated, tag = "2") invalid_ack_ids: Vec<String>,
        (string, repeated, tag = "3") temporary_failed_ack_ids: Vec<String>,
    }
    SubscriptionProperties {
        (bool, tag = "1") exactly_once_delivery_enabled: bool,
        (bool, tag = "2") message_ordering_enabled: bool,
    }
    StreamingPullResponse {
        (message, repeated, tag = "1") received_messages: Vec<ReceivedMessage>,
        (message, optional, tag = "5") acknowledge_confirmation: Option<AcknowledgeConfirmation>,
        (message, optional, tag = "3") modify_ack_deadline_confirmation: Option<ModifyAckDeadlineConfirmation>,
        (message, optional, tag = "4") subscription_properties: Option<SubscriptionProperties>,
    }
}
