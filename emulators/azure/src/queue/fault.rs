//! The errors of Queue Storage.
//!
//! Source: Azure Storage documentation, "Queue Storage error codes" and "Common REST API error codes".

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use mlemu_engine::queues::Fault as Core;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    InternalError,
    InvalidInput,
    InvalidResourceName,
    InvalidXmlDocument,
    MessageNotFound,
    MessageTooLarge,
    NotImplemented,
    OperationTimedOut,
    OutOfRangeQueryParameterValue,
    PopReceiptMismatch,
    QueueAlreadyExists,
    QueueNotFound,
    RequestBodyTooLarge,
    ResourceNotFound,
    ServerBusy,
}

impl Code {
    fn told(self) -> (u16, &'static str, &'static str) {
        match self {
            Code::InternalError => {
                (500, "InternalError", "The server encountered an internal error. Please retry the request.")
            }
            Code::InvalidInput => (400, "InvalidInput", "One of the request inputs is not valid."),
            Code::InvalidResourceName => {
                (400, "InvalidResourceName", "The specified resource name contains invalid characters.")
            }
            Code::InvalidXmlDocument => {
                (400, "InvalidXmlDocument", "XML specified is not syntactically valid.")
            }
            Code::MessageNotFound => (404, "MessageNotFound", "The specified message does not exist."),
            Code::MessageTooLarge => {
                (400, "MessageTooLarge", "The message exceeds the maximum allowed size.")
            }
            Code::NotImplemented => {
                (501, "NotImplemented", "mlemu does not have this operation of Queue Storage yet.")
            }
            Code::OperationTimedOut => {
                (500, "OperationTimedOut", "The operation could not be completed within the permitted time.")
            }
            Code::OutOfRangeQueryParameterValue => (
                400,
                "OutOfRangeQueryParameterValue",
                "One of the query parameters specified in the request URI is outside the permissible range.",
            ),
            Code::PopReceiptMismatch => (
                400,
                "PopReceiptMismatch",
                "The specified pop receipt did not match the pop receipt for a dequeued message.",
            ),
            Code::QueueAlreadyExists => (409, "QueueAlreadyExists", "The specified queue already exists."),
            Code::QueueNotFound => (404, "QueueNotFound", "The specified queue does not exist."),
            Code::RequestBodyTooLarge => (
                413,
                "RequestBodyTooLarge",
                "The request body is too large and exceeds the maximum permissible limit.",
            ),
            Code::ResourceNotFound => (404, "ResourceNotFound", "The specified resource does not exist."),
            Code::ServerBusy => (503, "ServerBusy", "The server is currently unable to receive requests."),
        }
    }
}

/// An error as it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault(pub(super) Code);

impl From<Code> for Fault {
    fn from(code: Code) -> Self {
        Self(code)
    }
}

impl From<Core> for Fault {
    fn from(fault: Core) -> Self {
        Self(match fault {
            Core::NoTopic { .. } | Core::NoSubscription { .. } => Code::QueueNotFound,
            Core::TopicExists { .. } | Core::SubscriptionExists { .. } => Code::QueueAlreadyExists,
            Core::TooManyLeased { .. } => Code::ServerBusy,
            Core::Stale => Code::MessageNotFound,
        })
    }
}

impl Fault {
    pub(super) fn response(&self) -> Response {
        let (status, code, message) = self.0.told();
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        );
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        headers.insert("x-ms-error-code", HeaderValue::from_static(code));
        response
    }
}
