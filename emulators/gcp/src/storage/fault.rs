//! Cloud Storage's errors: status, reason and words.
//!
//! Source: Cloud Storage, "HTTP status and error codes for JSON".

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use mlemu_engine::objects;
use serde_json::{Value, json};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub status: StatusCode,
    pub reason: &'static str,
    pub message: String,
    /// What else the XML API says.
    details: Option<String>,
}

impl Fault {
    fn new(status: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into(), details: None }
    }

    /// With a code of the XML API.
    pub fn coded(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(status, code, message)
    }

    pub fn because(self, details: impl Into<String>) -> Self {
        Self { details: Some(details.into()), ..self }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", message)
    }

    pub fn required(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "required", message)
    }

    pub fn no_bucket() -> Self {
        Self::new(StatusCode::NOT_FOUND, "notFound", "The specified bucket does not exist.")
    }

    pub fn no_object(bucket: &str, object: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "notFound", format!("No such object: {bucket}/{object}"))
    }

    pub fn no_session() -> Self {
        Self::new(StatusCode::NOT_FOUND, "notFound", "No such upload session.")
    }

    pub fn condition() -> Self {
        let message = "At least one of the pre-conditions you specified did not hold.";
        Self::new(StatusCode::PRECONDITION_FAILED, "conditionNotMet", message)
    }

    pub fn not_uniform() -> Self {
        let message = "Managed folders need uniform bucket-level access, which this bucket does not have.";
        Self::new(StatusCode::PRECONDITION_FAILED, "conditionNotMet", message)
    }

    pub fn not_modified() -> Self {
        Self::new(StatusCode::NOT_MODIFIED, "notModified", "")
    }

    pub fn range() -> Self {
        let message = "Request range not satisfiable";
        Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "requestedRangeNotSatisfiable", message)
    }

    /// The trouble that a test asked for.
    pub fn asked_for(status: StatusCode) -> Self {
        let message = "Retry Test: Caused a failure, as instructed.";
        Self::new(status, "backendError", message)
    }

    /// Kept from happening by something that was said. `reason`: the vendor's word for it.
    pub fn forbidden(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, reason, message)
    }

    pub fn uniform() -> Self {
        Self::invalid(
            "Cannot use ACL API to update or read policies when uniform bucket-level access is enabled.",
        )
    }

    pub fn no_grant(entity: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "notFound",
            format!("The specified ACL entry does not exist: {entity}"),
        )
    }

    pub fn no_key(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "notFound", format!("Access ID not found: {id}"))
    }

    pub fn no_retry_test() -> Self {
        Self::new(StatusCode::NOT_FOUND, "notFound", "Not found: retry test")
    }

    pub fn no_notification(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "notFound", format!("Not found: notification {id}"))
    }

    pub fn not_implemented(operation: &str) -> Self {
        let message = format!("{operation} is not implemented by mlemu");
        Self::new(StatusCode::NOT_IMPLEMENTED, "notImplemented", message)
    }

    /// `query`: a reader of bytes gets words and no document.
    pub fn response(&self, query: &str) -> Response {
        if self.status == StatusCode::NOT_MODIFIED {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = self.status;
            return response;
        }
        if query.split('&').any(|pair| pair == "alt=media") {
            let mut response = Response::new(Body::from(self.message.clone()));
            *response.status_mut() = self.status;
            let plain = HeaderValue::from_static("text/html; charset=UTF-8");
            response.headers_mut().insert(header::CONTENT_TYPE, plain);
            return response;
        }
        let one = json!({ "message": self.message, "domain": "global", "reason": self.reason });
        let error = json!({ "code": self.status.as_u16(), "message": self.message, "errors": [one] });
        json(self.status, &json!({ "error": error }))
    }
}

impl Fault {
    /// What the XML API calls it.
    fn code(&self) -> &'static str {
        match (self.status.as_u16(), self.reason) {
            (_, code) if code.starts_with(|first: char| first.is_ascii_uppercase()) => code,
            (404, _) if self.message.starts_with("The specified bucket") => "NoSuchBucket",
            (404, _) if self.message.contains("upload") => "NoSuchUpload",
            (404, _) => "NoSuchKey",
            (403, _) => "AccessDenied",
            (409, _) if self.message.contains("not empty") => "BucketNotEmpty",
            (409, _) => "BucketAlreadyOwnedByYou",
            (412, _) => "PreconditionFailed",
            (413, _) => "EntityTooLarge",
            (416, _) => "InvalidRange",
            (501, _) => "NotImplemented",
            (500.., _) => "ServiceUnavailable",
            _ => "InvalidArgument",
        }
    }

    /// As the XML API answers it.
    pub fn xml(&self) -> Response {
        if self.status == StatusCode::NOT_MODIFIED {
            return self.response("");
        }
        let details = self.details.as_ref().map(|text| format!("<Details>{}</Details>", escape(text)));
        let document = format!(
            "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{}</Code><Message>{}</Message>{}</Error>",
            self.code(),
            escape(&self.message),
            details.unwrap_or_default()
        );
        xml(self.status, document)
    }
}

pub(super) fn xml(status: StatusCode, document: String) -> Response {
    let mut response = Response::new(Body::from(document));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/xml; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // No document may have these, in whatever spelling.
            '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                escaped.push('\u{fffd}');
            }
            one => escaped.push(one),
        }
    }
    escaped
}

impl From<objects::Fault> for Fault {
    fn from(fault: objects::Fault) -> Self {
        use objects::Fault as Core;
        match fault {
            Core::NoBucket { .. } => Self::no_bucket(),
            Core::BucketExists { .. } => {
                let message =
                    "Your previous request to create the named bucket succeeded and you already own it.";
                Self::new(StatusCode::CONFLICT, "conflict", message)
            }
            Core::BucketNotEmpty { .. } => {
                let message = "The bucket you tried to delete is not empty.";
                Self::new(StatusCode::CONFLICT, "conflict", message)
            }
            Core::NoObject { key } | Core::NoVersion { key } => {
                Self::new(StatusCode::NOT_FOUND, "notFound", format!("No such object: {key}"))
            }
            Core::NoUpload { .. } => Self::no_session(),
            Core::TooLarge { limit } => {
                let message = format!("The object exceeds the maximum size of {limit} bytes.");
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "uploadTooLarge", message)
            }
            Core::Stale | Core::Disk { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "backendError", fault.to_string())
            }
        }
    }
}

/// Done, and there is nothing to say.
pub(super) fn nothing() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

pub(super) fn json(status: StatusCode, document: &Value) -> Response {
    let mut response = Response::new(Body::from(document.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
