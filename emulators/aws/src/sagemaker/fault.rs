//! SageMaker Runtime's errors, as its API reference documents them. HTTP statuses appear nowhere else.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use mlemu_core::FunctionFailure;
use mlemu_engine::endpoints::Unanswered;
use serde_json::{Value, json};
use thiserror::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Validation,
    Model,
    NotReady,
    Unavailable,
    Internal,
    UnknownOperation,
}

impl Code {
    pub fn word(self) -> &'static str {
        match self {
            Code::Validation => "ValidationError",
            Code::Model => "ModelError",
            Code::NotReady => "ModelNotReadyException",
            Code::Unavailable => "ServiceUnavailable",
            Code::Internal => "InternalFailure",
            Code::UnknownOperation => "UnknownOperationException",
        }
    }

    pub fn status(self) -> u16 {
        match self {
            Code::Validation => 400,
            Code::UnknownOperation => 404,
            Code::Model => 424,
            Code::NotReady => 429,
            Code::Internal => 500,
            Code::Unavailable => 503,
        }
    }
}

/// One error on its way to the caller.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{}: {text}", code.word())]
pub struct Fault {
    pub code: Code,
    pub text: String,
    /// What the model itself said: its status and its words.
    pub original: Option<(u16, String)>,
}

impl Fault {
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), original: None }
    }

    pub fn validation(text: impl Into<String>) -> Self {
        Self::new(Code::Validation, text)
    }

    /// What the container answered, as the vendor tells it.
    pub fn of_model(status: u16, said: String, account: &str, endpoint: &str, region: &str) -> Self {
        let whose = if status < 500 { "client" } else { "server" };
        let log = "console.aws.amazon.com/cloudwatch/home";
        let text = format!(
            "Received {whose} error ({status}) from primary with message \"{said}\". See https://{region}.{log}?region={region}#logEventViewer:group=/aws/sagemaker/Endpoints/{endpoint} in account {account} for more information."
        );
        Self { code: Code::Model, text, original: Some((status, said)) }
    }

    pub fn of(unanswered: Unanswered, account: &str, endpoint: &str, region: &str) -> Self {
        let model = |status, said| Self::of_model(status, said, account, endpoint, region);
        match unanswered {
            Unanswered::NoEndpoint(name) => {
                Self::validation(format!("Endpoint {name} of account {account} not found."))
            }
            Unanswered::NoVariant { variant, .. } => {
                Self::validation(format!("Variant {variant} not found for Endpoint {endpoint}"))
            }
            Unanswered::NoModel { model, .. } => {
                Self::validation(format!("Model {model} not found for Endpoint {endpoint}"))
            }
            Unanswered::WhichModel(_) => Self::validation(
                "Target model header, x-amzn-sagemaker-target-model, must be provided for a multi-model endpoint",
            ),
            Unanswered::Refused { refusal: mlemu_core::Refusal::Throttled(_), .. } => {
                Self::new(Code::NotReady, "the model's function is at its limit of concurrent calls")
            }
            Unanswered::Refused { variant, refusal } => {
                Self::new(Code::Internal, format!("variant {variant}: {refusal}"))
            }
            Unanswered::Failed { failure, .. } => {
                let (status, said) = said(&failure);
                model(status, said)
            }
            Unanswered::Struck { variant } => model(500, format!("variant {variant} fails: its `errors` say so")),
            Unanswered::Unreachable { variant, why } => model(503, format!("variant {variant}: {why}")),
            Unanswered::Late { .. } => model(
                0,
                "Your invocation timed out while waiting for a response from container primary. Review the latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again.".into(),
            ),
        }
    }

    pub fn document(&self) -> Value {
        let mut document = json!({ "Message": self.text });
        if let Some((status, said)) = &self.original {
            document["OriginalStatusCode"] = json!(status);
            document["OriginalMessage"] = json!(said);
            document["LogStreamArn"] = json!("");
        }
        document
    }

    pub fn response(&self) -> Response {
        let mut response = Response::new(Body::from(self.document().to_string()));
        *response.status_mut() = StatusCode::from_u16(self.code.status()).unwrap_or_default();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-amzn-errortype", HeaderValue::from_static(self.code.word()));
        response
    }
}

/// A failed function as a container's answer: what its input was is the client's fault.
fn said(failure: &FunctionFailure) -> (u16, String) {
    match failure {
        FunctionFailure::Reported { body, .. } => {
            let told: Value = serde_json::from_slice(body).unwrap_or_default();
            let is_callers = told["errorType"] == "Model.InputError";
            let words = told["errorMessage"].as_str().map(str::to_owned);
            let words = words.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
            (if is_callers { 400 } else { 500 }, words)
        }
        FunctionFailure::TimedOut { after } => (500, format!("the function timed out after {after:?}")),
        FunctionFailure::Exited { code, signal, .. } => {
            let how = match (code, signal) {
                (_, Some(signal)) => format!("by signal {signal}"),
                (code, None) => format!("with status {}", code.unwrap_or_default()),
            };
            (500, format!("Worker died: its process ended {how}"))
        }
        FunctionFailure::OutOfMemory { limit } => {
            (500, format!("Worker died: it used more than its {} MB of memory", limit >> 20))
        }
        FunctionFailure::ResponseTooLarge { size, limit } => {
            (500, format!("the answer has {size} bytes, more than the {limit} allowed"))
        }
        FunctionFailure::NotStartable { why } => (500, why.clone()),
        FunctionFailure::Stopped => (503, "the daemon is stopping".into()),
    }
}
