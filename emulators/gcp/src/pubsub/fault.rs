//! What the vendor says when something is wrong: a gRPC status, or the document that REST has for it.
//!
//! Source: Cloud APIs, "Errors" (`google.rpc.Code` and its mapping to HTTP); Pub/Sub, "Reference: error codes".

use super::wire::messages;
use crate::functions::fault::json;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use mlemu_engine::queues;
use prost::Message;
use serde_json::json;
use std::collections::BTreeMap;
use tonic::{Code, Status};

#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub code: Code,
    pub message: String,
    /// Why single ack ids were refused: the id, and the vendor's word for why.
    refused: BTreeMap<String, String>,
}

messages! {
    /// `google.rpc.ErrorInfo`
    ErrorInfo {
        (string, tag = "1") reason: String,
        (string, tag = "2") domain: String,
        (btree_map = "string, string", tag = "3") metadata: BTreeMap<String, String>,
    }
    /// `google.protobuf.Any`
    Any {
        (string, tag = "1") type_url: String,
        #[serde(skip)]
        (bytes = "bytes", tag = "2") value: Bytes,
    }
    /// `google.rpc.Status`
    Detailed {
        (int32, tag = "1") code: i32,
        (string, tag = "2") message: String,
        (message, repeated, tag = "3") details: Vec<Any>,
    }
}

/// Each code: its name and its HTTP status.
const CODES: &[(Code, &str, StatusCode)] = &[
    (Code::InvalidArgument, "INVALID_ARGUMENT", StatusCode::BAD_REQUEST),
    (Code::FailedPrecondition, "FAILED_PRECONDITION", StatusCode::BAD_REQUEST),
    (Code::NotFound, "NOT_FOUND", StatusCode::NOT_FOUND),
    (Code::AlreadyExists, "ALREADY_EXISTS", StatusCode::CONFLICT),
    (Code::Unimplemented, "UNIMPLEMENTED", StatusCode::NOT_IMPLEMENTED),
    (Code::Unavailable, "UNAVAILABLE", StatusCode::SERVICE_UNAVAILABLE),
    (Code::ResourceExhausted, "RESOURCE_EXHAUSTED", StatusCode::TOO_MANY_REQUESTS),
];

impl Fault {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), refused: BTreeMap::new() }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    pub fn precondition(message: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, message)
    }

    /// `kind` in the singular, e.g. `topic`.
    pub fn missing(kind: &str, name: &str) -> Self {
        let id = name.rsplit('/').next().unwrap_or_default();
        Self::new(
            Code::NotFound,
            format!("Resource not found (resource={id}): {kind} {name} does not exist."),
        )
    }

    pub fn exists(kind: &str, name: &str) -> Self {
        let id = name.rsplit('/').next().unwrap_or_default();
        let message = format!("Resource already exists in the project (resource={id}): {kind} {name}.");
        Self::new(Code::AlreadyExists, message)
    }

    pub fn unimplemented(what: &str) -> Self {
        Self::new(Code::Unimplemented, format!("{what} is not implemented by mlemu"))
    }

    /// For exactly-once delivery: leases that are over.
    pub fn stale_ack_ids(ids: &[String]) -> Self {
        let message = "Some acknowledgement ids in the request were invalid. This could be because the acknowledgement ids have expired or the acknowledgement ids were malformed.";
        let refused = ids.iter().map(|id| (id.clone(), "PERMANENT_FAILURE_INVALID_ACK_ID".to_owned()));
        Self { refused: refused.collect(), ..Self::precondition(message) }
    }

    pub fn status(&self) -> Status {
        if self.refused.is_empty() {
            return Status::new(self.code, &self.message);
        }
        let info = ErrorInfo {
            reason: "EXACTLY_ONCE_ACKID_FAILURE".into(),
            domain: "pubsub.googleapis.com".into(),
            metadata: self.refused.clone(),
        };
        let type_url = "type.googleapis.com/google.rpc.ErrorInfo".into();
        let details = vec![Any { type_url, value: info.encode_to_vec().into() }];
        let detailed = Detailed { code: self.code as i32, message: self.message.clone(), details };
        Status::with_details(self.code, &self.message, detailed.encode_to_vec().into())
    }

    pub fn response(&self) -> Response {
        let known = CODES.iter().find(|(code, ..)| *code == self.code);
        let (name, status) = known
            .map_or(("INTERNAL", StatusCode::INTERNAL_SERVER_ERROR), |(_, name, status)| (*name, *status));
        let mut error = json!({ "code": status.as_u16(), "message": self.message, "status": name });
        if !self.refused.is_empty() {
            error["details"] = json!([{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "EXACTLY_ONCE_ACKID_FAILURE",
                "domain": "pubsub.googleapis.com",
                "metadata": self.refused,
            }]);
        }
        json(status, &json!({ "error": error }))
    }
}

/// Changes that came between two looks at the store, most likely.
impl From<queues::Fault> for Fault {
    fn from(fault: queues::Fault) -> Self {
        use queues::Fault as Core;
        match fault {
            Core::NoTopic { name } => Self::missing("topic", &name),
            Core::NoSubscription { name } => Self::missing("subscription", &name),
            Core::TopicExists { name } => Self::exists("topic", &name),
            Core::SubscriptionExists { name } => Self::exists("subscription", &name),
            Core::TooManyLeased { .. } => Self::new(Code::ResourceExhausted, fault.to_string()),
            Core::Stale => Self::new(Code::Unavailable, fault.to_string()),
        }
    }
}
