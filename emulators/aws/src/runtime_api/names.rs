//! Header names of the Runtime API.
//!
//! Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes".

use http::HeaderName;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
/// Milliseconds since 1970, on the function's own clock.
pub const DEADLINE: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
pub const ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
pub const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");
pub const CLIENT_CONTEXT: &str = "lambda-runtime-client-context";
pub const COGNITO_IDENTITY: &str = "lambda-runtime-cognito-identity";
pub const RESPONSE_MODE: &str = "lambda-runtime-function-response-mode";
pub const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
/// A trailer, base64.
pub const ERROR_BODY: &str = "lambda-runtime-function-error-body";
