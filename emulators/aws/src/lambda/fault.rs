//! The errors that the Lambda API documents, as a table, and their form on the wire.
//!
//! Codes and statuses: Lambda API reference, "Errors" of each action and "Common Error Types".

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use mlemu_core::{PackageFault, Refusal, Throttle};
use serde_json::json;
use thiserror::Error;

/// Which documented error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    AccessDenied,
    InvalidParameterValue,
    InvalidRequestContent,
    NotImplemented,
    PreconditionFailed,
    RequestEntityTooLarge,
    RequestTooLarge,
    ResourceConflict,
    ResourceNotFound,
    Service,
    TooManyRequests,
    UnknownOperation,
    Validation,
}

/// One row of the table.
struct Row {
    code: Code,
    name: &'static str,
    status: u16,
    /// The body's member that holds the text: the model is of two minds.
    text: &'static str,
    /// Who is to blame; some errors do not say.
    blame: Option<&'static str>,
}

const TABLE: &[Row] = &[
    row(Code::AccessDenied, "AccessDeniedException", 403, "Message", None),
    row(Code::InvalidParameterValue, "InvalidParameterValueException", 400, "message", Some("User")),
    row(Code::InvalidRequestContent, "InvalidRequestContentException", 400, "message", Some("User")),
    row(Code::NotImplemented, "NotImplementedException", 501, "Message", Some("User")),
    row(Code::PreconditionFailed, "PreconditionFailedException", 412, "message", Some("User")),
    row(Code::RequestEntityTooLarge, "RequestEntityTooLargeException", 413, "Message", None),
    row(Code::RequestTooLarge, "RequestTooLargeException", 413, "message", Some("User")),
    row(Code::ResourceConflict, "ResourceConflictException", 409, "message", Some("User")),
    row(Code::ResourceNotFound, "ResourceNotFoundException", 404, "Message", Some("User")),
    row(Code::Service, "ServiceException", 500, "Message", Some("Service")),
    row(Code::TooManyRequests, "TooManyRequestsException", 429, "message", Some("User")),
    row(Code::UnknownOperation, "UnknownOperationException", 404, "Message", None),
    row(Code::Validation, "ValidationException", 400, "message", None),
];

const fn row(
    code: Code,
    name: &'static str,
    status: u16,
    text: &'static str,
    blame: Option<&'static str>,
) -> Row {
    Row { code, name, status, text, blame }
}

impl Code {
    fn row(self) -> &'static Row {
        TABLE.iter().find(|row| row.code == self).unwrap_or(&TABLE[0])
    }

    /// As the vendor spells it.
    pub fn name(self) -> &'static str {
        self.row().name
    }
}

/// One error on its way to the caller.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: {text}", code.name())]
pub struct Fault {
    pub code: Code,
    pub text: String,
    /// The throttle's own word for why.
    pub reason: Option<&'static str>,
}

impl Fault {
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), reason: None }
    }

    pub fn parameter(text: impl Into<String>) -> Self {
        Self::new(Code::InvalidParameterValue, text)
    }

    /// A member outside its documented range, in the words that the vendor's front door uses.
    pub fn constraint(value: &str, member: &str, constraint: &str) -> Self {
        let text = format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
        );
        Self::new(Code::Validation, text)
    }

    pub fn no_function(arn: &str) -> Self {
        Self::new(Code::ResourceNotFound, format!("Function not found: {arn}"))
    }

    /// A request over the size that its operation takes, in bytes.
    pub fn too_large(limit: u64, operation: &str) -> Self {
        let code =
            if operation == "InvokeFunction" { Code::RequestTooLarge } else { Code::RequestEntityTooLarge };
        Self::new(code, format!("Request must be smaller than {limit} bytes for the {operation} operation"))
    }

    /// The engine's refusal in Lambda's words; `arn` as the caller named the function.
    pub fn refused(refusal: &Refusal, arn: &str) -> Self {
        match refusal {
            Refusal::NoFunction { .. } | Refusal::NoRevision { .. } => Self::no_function(arn),
            Refusal::TooLarge { limit, .. } => Self::too_large(*limit, "InvokeFunction"),
            Refusal::Throttled(throttle) => Self {
                reason: Some(match throttle {
                    Throttle::Reserved => "ReservedFunctionConcurrentInvocationLimitExceeded",
                    Throttle::Account => "ConcurrentInvocationLimitExceeded",
                }),
                ..Self::new(Code::TooManyRequests, "Rate Exceeded.")
            },
            Refusal::Stopping => Self::new(Code::Service, "The emulator is stopping."),
        }
    }

    pub fn package(fault: &PackageFault) -> Self {
        match fault {
            PackageFault::NotAnArchive { .. } => Self::parameter(
                "Could not unzip uploaded file. Please check your file, then try to upload again.",
            ),
            PackageFault::TooLarge { limit } => {
                Self::parameter(format!("Unzipped size must be smaller than {limit} bytes"))
            }
            PackageFault::Unsafe { .. } | PackageFault::TooManyEntries { .. } => {
                Self::parameter(format!("Could not unzip uploaded file: {fault}"))
            }
            PackageFault::Disk { .. } => Self::new(Code::Service, fault.to_string()),
        }
    }

    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.row().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The document that the caller reads.
    pub fn body(&self) -> Vec<u8> {
        let row = self.code.row();
        let mut document = serde_json::Map::new();
        if let Some(blame) = row.blame {
            document.insert("Type".into(), json!(blame));
        }
        if let Some(reason) = self.reason {
            document.insert("Reason".into(), json!(reason));
        }
        document.insert(row.text.into(), json!(self.text));
        serde_json::Value::Object(document).to_string().into_bytes()
    }

    pub fn response(&self) -> Response {
        let mut response = Response::new(Body::from(self.body()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-amzn-errortype", HeaderValue::from_static(self.code.name()));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(fault: &Fault) -> String {
        String::from_utf8(fault.body()).unwrap()
    }

    #[test]
    fn each_code_has_a_row() {
        for row in TABLE {
            assert_eq!(row.code.name(), row.name);
            assert!(StatusCode::from_u16(row.status).is_ok());
        }
        assert_eq!(Code::Validation.row().code, Code::Validation);
    }

    #[test]
    fn bodies_are_lambdas() {
        assert_eq!(
            text(&Fault::no_function("arn:aws:lambda:us-east-1:000000000000:function:f")),
            r#"{"Type":"User","Message":"Function not found: arn:aws:lambda:us-east-1:000000000000:function:f"}"#
        );
        let throttled = Fault::refused(&Refusal::Throttled(Throttle::Reserved), "f");
        assert_eq!(throttled.status(), 429);
        assert_eq!(
            text(&throttled),
            r#"{"Type":"User","Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","message":"Rate Exceeded."}"#
        );
        let large = Fault::refused(&Refusal::TooLarge { size: 7, limit: 6_291_456 }, "f");
        assert_eq!(
            text(&large),
            r#"{"Type":"User","message":"Request must be smaller than 6291456 bytes for the InvokeFunction operation"}"#
        );
    }

    #[test]
    fn the_header_names_the_error() {
        let response = Fault::parameter("no").response();
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()["x-amzn-errortype"], "InvalidParameterValueException");
    }
}
