//! What a client is told whom the listener gave up on before a service could answer: its request did not arrive
//! in time, or there are too many others.
//!
//! Sources: "Error responses" of the Amazon S3 API reference (`RequestTimeout`, `SlowDown`); "Common errors" of the
//! Lambda, SQS and IAM references.

use crate::iam;
use crate::service::Service;
use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use mlemu_core::Strain;
use serde_json::json;

/// The answer in the form of the service that the request is for; who sent no head is answered as S3 does.
pub fn of(strain: Strain, parts: Option<&Parts>) -> Response {
    let json_target = parts.is_some_and(|parts| parts.headers.contains_key("x-amz-target"));
    match parts.map_or(Service::S3, Service::of) {
        Service::S3 => xml(strain),
        Service::Sqs | Service::Other(_) if json_target => json(strain, "application/x-amz-json-1.0"),
        Service::Events => json(strain, "application/x-amz-json-1.1"),
        Service::Sqs | Service::Sns | Service::Iam => query(strain),
        Service::Lambda | Service::SageMaker | Service::Other(_) => json(strain, "application/json"),
    }
}

fn xml(strain: Strain) -> Response {
    let (status, code, message) = match strain {
        Strain::Slow => (
            StatusCode::BAD_REQUEST,
            "RequestTimeout",
            "Your socket connection to the server was not read from or written to within the timeout period. \
             Idle connections will be closed.",
        ),
        Strain::Crowded => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate."),
    };
    let id = mlemu_engine::ids::unguessable().to_uppercase();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Error><Code>{code}</Code><Message>{message}</Message><RequestId>{id}</RequestId></Error>"
    );
    respond(status, "application/xml", body)
}

fn json(strain: Strain, kind: &'static str) -> Response {
    let (status, code, text) = words(strain);
    let code = format!("{code}Exception");
    let body = json!({ "__type": code, "message": text, "Message": text }).to_string();
    let mut response = respond(status, kind, body);
    if let Ok(code) = HeaderValue::from_str(&code) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

fn query(strain: Strain) -> Response {
    let (status, code, text) = words(strain);
    iam::error(status.as_u16(), code, text)
}

fn words(strain: Strain) -> (StatusCode, &'static str, &'static str) {
    match strain {
        Strain::Slow => {
            let text = "The request was not received within the timeout period.";
            (StatusCode::REQUEST_TIMEOUT, "RequestTimeout", text)
        }
        Strain::Crowded => {
            let text = "The request has failed due to a temporary failure of the server.";
            (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", text)
        }
    }
}

fn respond(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use http_body_util::BodyExt;

    async fn told(strain: Strain, uri: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        let (head, body) = of(strain, Some(&parts)).into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn each_service_apologizes_in_its_own_form() {
        let (status, text) = told(Strain::Slow, "/bucket/key", &[]).await;
        assert!(status == 400 && text.contains("<Code>RequestTimeout</Code>"), "{text}");
        let (status, text) = told(Strain::Crowded, "/bucket/key", &[]).await;
        assert!(status == 503 && text.contains("<Code>SlowDown</Code>"), "{text}");
        let (status, text) = told(Strain::Slow, "/2015-03-31/functions/f/invocations", &[]).await;
        assert!(status == 408 && text.contains("\"RequestTimeoutException\""), "{text}");
        let target = [("x-amz-target", "AmazonSQS.SendMessage")];
        let (status, text) = told(Strain::Crowded, "/", &target).await;
        assert!(status == 503 && text.contains("\"ServiceUnavailableException\""), "{text}");
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let (status, text) = told(Strain::Slow, "/", &form).await;
        assert!(status == 408 && text.contains("<ErrorResponse"), "{text}");
    }
}
