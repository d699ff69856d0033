//! What online endpoints answer when they do not score. HTTP statuses appear nowhere else in this service.
//!
//! Source: Azure Machine Learning documentation, "Troubleshoot online endpoint deployment and scoring", section "HTTPS
//! status codes".

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use mlemu_core::{FunctionFailure, Refusal};
use mlemu_engine::endpoints::Unanswered;
use thiserror::Error;

/// The container's own status, where it is none of success.
const MODEL_STATUS: HeaderName = HeaderName::from_static("ms-azureml-model-error-statuscode");
const MODEL_REASON: HeaderName = HeaderName::from_static("ms-azureml-model-error-reason");
/// What a header can hold of a reason.
const LONGEST_REASON: usize = 200;

#[derive(Clone, Debug, PartialEq, Error)]
pub(super) enum Fault {
    #[error("the request must show the endpoint's key: Authorization: Bearer KEY")]
    Unauthorized,
    #[error("{0}")]
    NotFound(String),
    #[error("scoring is asked by POST")]
    Method,
    #[error("the request is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the request broke off")]
    BrokenOff,
    #[error("the model of deployment {deployment} answered {status}")]
    Model { status: u16, deployment: String, said: Bytes },
    #[error("{0}")]
    Late(String),
    #[error("Too many pending requests: {0}")]
    Crowded(String),
    #[error("{0}")]
    Unavailable(String),
}

impl Fault {
    pub fn no_endpoint(name: &str) -> Self {
        Self::NotFound(format!("there is no [endpoints.{name}] with `provider = \"azure\"`"))
    }

    pub fn of(why: &Unanswered) -> Self {
        let failed =
            |status, variant: &str, said: Bytes| Self::Model { status, deployment: variant.into(), said };
        match why {
            Unanswered::NoEndpoint(name) => Self::no_endpoint(name),
            Unanswered::NoVariant { .. } | Unanswered::NoModel { .. } | Unanswered::WhichModel(_) => {
                Self::NotFound(why.to_string())
            }
            Unanswered::Late { .. } => Self::Late(why.to_string()),
            Unanswered::Refused { refusal: Refusal::Throttled(_), .. } => Self::Crowded(why.to_string()),
            Unanswered::Refused { .. } => Self::Unavailable(why.to_string()),
            Unanswered::Failed { variant, failure, .. } => failed(500, variant, words(failure)),
            Unanswered::Struck { variant } => failed(500, variant, why.to_string().into()),
            Unanswered::Unreachable { variant, .. } => failed(502, variant, why.to_string().into()),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Fault::Unauthorized => StatusCode::UNAUTHORIZED,
            Fault::NotFound(_) => StatusCode::NOT_FOUND,
            Fault::Method => StatusCode::METHOD_NOT_ALLOWED,
            Fault::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Fault::BrokenOff => StatusCode::BAD_REQUEST,
            Fault::Model { .. } => StatusCode::FAILED_DEPENDENCY,
            Fault::Late(_) => StatusCode::REQUEST_TIMEOUT,
            Fault::Crowded(_) => StatusCode::TOO_MANY_REQUESTS,
            Fault::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What a model said is handed on as it is.
    pub fn response(&self) -> Response {
        let body = match self {
            Fault::Model { said, .. } if !said.is_empty() => said.clone(),
            _ => self.to_string().into(),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if let Fault::Model { status, deployment, said } = self {
            headers.insert(MODEL_STATUS, HeaderValue::from(*status));
            let reason = String::from_utf8_lossy(said);
            let reason: String =
                reason.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(LONGEST_REASON).collect();
            for (name, value) in [(MODEL_REASON, &reason), (super::DEPLOYMENT, deployment)] {
                headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
            }
        }
        response
    }
}

fn words(failure: &FunctionFailure) -> Bytes {
    match failure {
        FunctionFailure::Reported { body, .. } if !body.is_empty() => body.clone(),
        other => crate::functions::fault::sentence(other).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_model_is_told_by_status_and_headers() {
        let fault = Fault::Model { status: 400, deployment: "blue".into(), said: "missing\na".into() };
        let response = fault.response();
        assert_eq!(response.status(), 424);
        assert_eq!(response.headers()[MODEL_STATUS], "400");
        assert_eq!(response.headers()[MODEL_REASON], "missinga");
        assert_eq!(response.headers()[crate::ml::DEPLOYMENT], "blue");
        assert_eq!(Fault::no_endpoint("e").response().status(), 404);
    }
}
