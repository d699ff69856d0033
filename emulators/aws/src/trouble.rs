//! Trouble that a test asks for, in each service's own words: what a request asks for, and how it is refused.
//!
//! Throttles: S3 "Error responses" (`SlowDown`), SQS "Common errors" (`RequestThrottled`), Lambda "Invoke"
//! (`TooManyRequestsException`); the others have the words of the common errors.

use crate::lambda::routes;
use crate::sagemaker::SageMaker;
use crate::service::{self, Service};
use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use mlemu_engine::Ids;
use mlemu_engine::faults::{Asked, Trouble};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

/// What a request asks for; `body` is read where an operation or a queue is named in it.
pub fn asked(parts: &Parts, body: &[u8]) -> Asked {
    match Service::of(parts) {
        Service::S3 => of_objects(parts),
        Service::Sqs => of_messages(parts, body),
        Service::Lambda => {
            let found = routes::find(&parts.method, parts.uri.path(), parts.uri.query().unwrap_or_default());
            let (operation, resource) = found.map_or_else(Default::default, |found| {
                (found.operation.name().to_owned(), found.parts.into_iter().next().unwrap_or_default())
            });
            Asked { service: "lambda".into(), operation, resource }
        }
        Service::Sns => Asked {
            service: "sns".into(),
            operation: action(parts, body),
            resource: last_of_arn(field(body, "TopicArn").or_else(|| field(body, "Name"))),
        },
        Service::Events => {
            let named: Value = serde_json::from_slice(body).unwrap_or_default();
            let name = ["Rule", "Name", "EventBusName"].iter().find_map(|name| named[name].as_str());
            Asked {
                service: "events".into(),
                operation: service::operation(parts).unwrap_or_default().to_owned(),
                resource: name.unwrap_or_default().to_owned(),
            }
        }
        Service::SageMaker => {
            let (operation, resource) = SageMaker::asked(parts).unwrap_or_default();
            Asked { service: "sagemaker".into(), operation, resource }
        }
        Service::Iam => Asked { service: "iam".into(), operation: action(parts, body), ..Asked::default() },
        Service::Other(name) => {
            let operation = service::operation(parts).unwrap_or_default().to_owned();
            Asked { service: name, operation, ..Asked::default() }
        }
    }
}

fn last_of_arn(arn: Option<String>) -> String {
    arn.unwrap_or_default().rsplit(':').next().unwrap_or_default().to_owned()
}

/// Path style, or the bucket before `.s3.` or `.localhost` in the host.
fn of_objects(parts: &Parts) -> Asked {
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    let before = host.split_once(".s3.").map(|(bucket, _)| bucket);
    let bucket = before.or_else(|| host.strip_suffix(".localhost").filter(|bucket| *bucket != "s3"));
    let path = percent_decode_str(parts.uri.path().trim_start_matches('/')).decode_utf8_lossy();
    let resource = bucket.map_or_else(|| path.to_string(), |bucket| format!("{bucket}/{path}"));
    let resource = resource.trim_end_matches('/').to_owned();
    let operation = operation_on(parts, &resource).to_owned();
    Asked { service: "s3".into(), operation, resource }
}

fn operation_on(parts: &Parts, resource: &str) -> &'static str {
    let query = parts.uri.query().unwrap_or_default();
    let says = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let (is_object, copies) = (resource.contains('/'), parts.headers.contains_key("x-amz-copy-source"));
    match (&parts.method, is_object) {
        (&Method::PUT, true) if says("partNumber") => "UploadPart",
        (&Method::PUT, true) if copies => "CopyObject",
        (&Method::PUT, true) => "PutObject",
        (&Method::GET, true) => "GetObject",
        (&Method::HEAD, true) => "HeadObject",
        (&Method::DELETE, true) if says("uploadId") => "AbortMultipartUpload",
        (&Method::DELETE, true) => "DeleteObject",
        (&Method::POST, true) if says("uploads") => "CreateMultipartUpload",
        (&Method::POST, true) => "CompleteMultipartUpload",
        (&Method::POST, false) if says("delete") => "DeleteObjects",
        (&Method::POST, false) => "PostObject",
        (&Method::GET, false) if resource.is_empty() => "ListBuckets",
        (&Method::GET, false) if says("list-type") => "ListObjectsV2",
        (&Method::GET, false) => "ListObjects",
        (&Method::PUT, false) => "CreateBucket",
        (&Method::DELETE, false) => "DeleteBucket",
        (&Method::HEAD, false) => "HeadBucket",
        _ => "",
    }
}

fn of_messages(parts: &Parts, body: &[u8]) -> Asked {
    let named: Value = serde_json::from_slice(body).unwrap_or_default();
    let operation = match service::operation(parts) {
        Some(operation) => operation.to_owned(),
        None => action(parts, body),
    };
    let in_json = ["QueueUrl", "QueueName"].iter().find_map(|name| named[name].as_str());
    let in_form = field(body, "QueueUrl").or_else(|| field(body, "QueueName"));
    let url = in_json.map(str::to_owned).or(in_form).unwrap_or_else(|| parts.uri.path().to_owned());
    let resource = url.rsplit('/').next().unwrap_or_default().to_owned();
    Asked { service: "sqs".into(), operation, resource }
}

fn action(parts: &Parts, body: &[u8]) -> String {
    let in_query = || field(parts.uri.query().unwrap_or_default().as_bytes(), "Action");
    field(body, "Action").or_else(in_query).unwrap_or_default()
}

/// A field of a form.
fn field(form: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(form).ok()?;
    let value = text.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

/// The service's own answer.
pub fn answer(asked: &Asked, parts: &Parts, trouble: Trouble, ids: &Ids) -> Response {
    told(asked, parts, trouble, INTERNAL, ids)
}

/// Nothing more can be written: the service's own answer, with `why` as its words.
pub fn full(asked: &Asked, parts: &Parts, why: &str, ids: &Ids) -> Response {
    told(asked, parts, Trouble::Full, why, ids)
}

/// `internal`: the words for what is no fault of the caller's.
fn told(asked: &Asked, parts: &Parts, trouble: Trouble, internal: &str, ids: &Ids) -> Response {
    match asked.service.as_str() {
        "s3" => s3(parts, trouble, internal, ids),
        "lambda" => lambda(trouble, internal),
        "sagemaker" => SageMaker::troubled(trouble, internal),
        "sqs" => {
            let (status, code, text) = match trouble {
                Trouble::Throttled => (400, "RequestThrottled", "Request is throttled."),
                Trouble::Full => (500, "InternalFailure", internal),
                Trouble::Broken(status) => (status, "ServiceUnavailable", "Service is unavailable."),
            };
            common(parts, "com.amazonaws.sqs#", status, code, text)
        }
        _ => {
            let (status, code, text) = match trouble {
                Trouble::Throttled => (400, "ThrottlingException", "Rate exceeded"),
                Trouble::Full => (500, "InternalFailure", internal),
                Trouble::Broken(status) => (status, "ServiceUnavailable", "Service is unavailable."),
            };
            common(parts, "", status, code, text)
        }
    }
}

const INTERNAL: &str = "We encountered an internal error. Please try again.";

fn s3(parts: &Parts, trouble: Trouble, internal: &str, ids: &Ids) -> Response {
    let (status, code, text) = match trouble {
        Trouble::Throttled => (503, "SlowDown", "Please reduce your request rate."),
        Trouble::Broken(503) => (503, "ServiceUnavailable", "Service is unable to handle request."),
        Trouble::Full => (500, "InternalError", internal),
        Trouble::Broken(status) => (status, "InternalError", INTERNAL),
    };
    let id = ids.fresh("request").hex();
    let body = if parts.method == Method::HEAD {
        String::new()
    } else {
        let text = quick_xml::escape::escape(text);
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{text}</Message><RequestId>{id}</RequestId></Error>"
        )
    };
    response(status, "application/xml", body)
}

fn lambda(trouble: Trouble, internal: &str) -> Response {
    let (status, code, document) = match trouble {
        Trouble::Throttled => (
            429,
            "TooManyRequestsException",
            json!({ "Reason": "CallerRateLimitExceeded", "Type": "User", "message": "Rate Exceeded." }),
        ),
        Trouble::Full => (500, "ServiceException", json!({ "Type": "Service", "Message": internal })),
        Trouble::Broken(status) => {
            (status, "ServiceException", json!({ "Type": "Service", "Message": INTERNAL }))
        }
    };
    let mut response = response(status, "application/json", document.to_string());
    response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(code));
    response
}

/// The form that JSON and query protocols share.
fn common(parts: &Parts, namespace: &str, status: u16, code: &'static str, text: &str) -> Response {
    if parts.headers.contains_key("x-amz-target") {
        let document = json!({ "__type": format!("{namespace}{code}"), "message": text });
        let mut response = response(status, "application/x-amz-json-1.0", document.to_string());
        response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(code));
        return response;
    }
    let blamed = if status < 500 { "Sender" } else { "Receiver" };
    let text = quick_xml::escape::escape(text);
    let body = format!(
        "<?xml version=\"1.0\"?>\n<ErrorResponse><Error><Type>{blamed}</Type><Code>{code}</Code><Message>{text}</Message></Error></ErrorResponse>"
    );
    response(status, "text/xml", body)
}

fn response(status: u16, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn said(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> String {
        let Asked { service, operation, resource } = asked(&parts(method, uri, headers), body.as_bytes());
        format!("{service} {operation} {resource}")
    }

    #[test]
    fn requests_are_named_as_the_vendor_names_them() {
        assert_eq!(said("PUT", "/pictures/a%20b.png", &[], ""), "s3 PutObject pictures/a b.png");
        let host = [("host", "pictures.s3.localhost:4566")];
        assert_eq!(said("GET", "/a?x", &host, ""), "s3 GetObject pictures/a");
        assert_eq!(said("GET", "/pictures?list-type=2", &[], ""), "s3 ListObjectsV2 pictures");
        let json = [("x-amz-target", "AmazonSQS.SendMessage")];
        let url = r#"{ "QueueUrl": "http://127.0.0.1:1/000000000000/jobs" }"#;
        assert_eq!(said("POST", "/", &json, url), "sqs SendMessage jobs");
        let invoke = "/2015-03-31/functions/score/invocations";
        assert_eq!(said("POST", invoke, &[], "{}"), "lambda Invoke score");
    }

    #[test]
    fn throttles_have_each_services_own_code() {
        let of = |service: &str, parts: &Parts| {
            let asked = Asked { service: service.into(), ..Asked::default() };
            answer(&asked, parts, Trouble::Throttled, &Ids::default())
        };
        let plain = parts("PUT", "/b/k", &[]);
        let json = parts("POST", "/", &[("x-amz-target", "AmazonSQS.SendMessage")]);
        assert_eq!(of("s3", &plain).status(), 503);
        assert_eq!(of("lambda", &plain).status(), 429);
        let sqs = of("sqs", &json);
        assert_eq!(sqs.headers()["x-amzn-errortype"], "RequestThrottled");
    }
}
