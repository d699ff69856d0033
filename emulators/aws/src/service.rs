//! Which service a request is for, all of them being behind one port.
//!
//! A client says it in the credential scope of its signature ("Create a signed AWS API request", IAM user
//! guide), in `X-Amz-Target` (JSON protocols) or by an action's version (query protocol). Who says nothing is
//! told apart by the path.

use crate::iam::{self, Iam};
use crate::lambda::Lambda;
use crate::sagemaker::SageMaker;
use crate::sns::Sns;
use crate::sqs::Sqs;
use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use std::borrow::Cow;

const ERROR: &str = "NotImplementedException";

/// A service as requests name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    S3,
    Sqs,
    Sns,
    /// EventBridge.
    Events,
    Lambda,
    /// STS and IAM.
    Iam,
    /// SageMaker Runtime.
    SageMaker,
    /// One that mlemu does not have, by its signing name or target.
    Other(String),
}

impl Service {
    pub fn of(parts: &Parts) -> Self {
        if let Some(target) = parts.headers.get("x-amz-target") {
            let target = String::from_utf8_lossy(target.as_bytes());
            let service = target.split('.').next().unwrap_or_default();
            if service == "AmazonSQS" {
                return Self::Sqs;
            }
            if service == "AWSEvents" {
                return Self::Events;
            }
            return Self::Other(service.split('_').next().unwrap_or_default().to_owned());
        }
        match signing_name(parts).as_deref() {
            Some("s3" | "s3express") => Self::S3,
            Some("lambda") => Self::Lambda,
            Some("sqs") => Self::Sqs,
            Some("sns") => Self::Sns,
            Some("sts" | "iam") => Self::Iam,
            Some("sagemaker") => Self::SageMaker,
            Some(other) if !other.is_empty() => Self::Other(other.to_owned()),
            _ if Lambda::is_lambda_path(parts.uri.path()) => Self::Lambda,
            _ if SageMaker::claims(parts) => Self::SageMaker,
            _ if Sqs::claims(parts) => Self::Sqs,
            _ if Sns::claims(parts) => Self::Sns,
            _ if Iam::claims(parts) => Self::Iam,
            _ => Self::S3,
        }
    }
}

/// The service in the credential scope: `KEY/DATE/REGION/SERVICE/aws4_request`.
fn signing_name(parts: &Parts) -> Option<String> {
    let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let credential = if let Some(text) = header {
        Cow::Borrowed(text.split_once("Credential=")?.1.split([',', ' ']).next()?)
    } else {
        let query = parts.uri.query()?;
        let given = query.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
        percent_encoding::percent_decode_str(given).decode_utf8().ok()?
    };
    // An access key may hold anything, so the scope is counted from its end.
    credential.rsplit('/').nth(1).map(str::to_owned)
}

/// The operation that a client of a JSON protocol asks for.
pub fn operation(parts: &Parts) -> Option<&str> {
    let target = parts.headers.get("x-amz-target")?.to_str().ok()?;
    target.split_once('.').map(|(_, operation)| operation)
}

/// What a client of a service that is not here is told, in the protocol that it speaks.
pub fn not_implemented(service: &str, parts: &Parts) -> Response {
    let what = match operation(parts) {
        Some(operation) => format!("{operation} of {service}"),
        None => service.to_owned(),
    };
    let text = format!(
        "mlemu does not have {what} yet. It has S3, SQS, SNS, Lambda, EventBridge, SageMaker Runtime, STS and a part of IAM."
    );
    if iam::is_form(parts) {
        return iam::error(501, "NotImplemented", &text);
    }
    let json = serde_json::json!({ "__type": ERROR, "message": text, "Message": text });
    let kind = if parts.headers.contains_key("x-amz-target") {
        "application/x-amz-json-1.0"
    } else {
        "application/json"
    };
    let mut response = Response::new(Body::from(json.to_string()));
    *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(ERROR));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn of(uri: &str, headers: &[(&str, &str)]) -> Service {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Service::of(&request.body(()).unwrap().into_parts().0)
    }

    fn signed(service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        )
    }

    #[test]
    fn the_signature_names_the_service() {
        assert_eq!(of("/2015-03-31/functions", &[("authorization", &signed("s3"))]), Service::S3);
        assert_eq!(of("/2015-03-31/functions", &[("authorization", &signed("lambda"))]), Service::Lambda);
        assert_eq!(of("/", &[("authorization", &signed("sts"))]), Service::Iam);
        assert_eq!(
            of("/endpoints/e/invocations", &[("authorization", &signed("sagemaker"))]),
            Service::SageMaker
        );
        assert_eq!(of("/000000000000/q", &[("authorization", &signed("sqs"))]), Service::Sqs);
        assert_eq!(
            of("/restapis", &[("authorization", &signed("apigateway"))]),
            Service::Other("apigateway".into())
        );
        let presigned = "/b/k?X-Amz-Credential=a%2Fb%2F20260101%2Feu-west-1%2Fs3%2Faws4_request";
        assert_eq!(of(presigned, &[]), Service::S3);
    }

    #[test]
    fn a_target_names_the_service() {
        let target = [("x-amz-target", "DynamoDB_20120810.PutItem")];
        assert_eq!(of("/", &target), Service::Other("DynamoDB".into()));
        assert_eq!(of("/", &[("x-amz-target", "AmazonSQS.SendMessage")]), Service::Sqs);
        assert_eq!(of("/", &[("x-amz-target", "AWSEvents.PutRule")]), Service::Events);
    }

    #[test]
    fn who_says_nothing_is_told_apart_by_the_path() {
        assert_eq!(of("/bucket/key", &[]), Service::S3);
        assert_eq!(of("/2015-03-31/functions/f/invocations", &[]), Service::Lambda);
        assert_eq!(of("/?Action=ConfirmSubscription&Token=x", &[]), Service::Sns);
        assert_eq!(of("/?Action=GetCallerIdentity&Version=2011-06-15", &[]), Service::Iam);
        for nonsense in ["AWS4-HMAC-SHA256 Credential=", "AWS a:b", "Bearer x", "Credential=//", "a b"] {
            assert_eq!(of("/bucket", &[("authorization", nonsense)]), Service::S3, "{nonsense}");
        }
    }
}
