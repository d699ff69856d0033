//! Trouble that a test asks for, in each service's own words: what a request asks for, and how it is refused.
//!
//! Source: Cloud Storage, "HTTP status and error codes for JSON" (`rateLimitExceeded`, `backendError`); gRPC,
//! "Status codes"; Google APIs, "Errors".

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use mlemu_engine::faults::{Asked, Trouble};
use percent_encoding::percent_decode_str;
use serde_json::json;

/// What a request asks for.
pub fn asked(parts: &Parts) -> Asked {
    let path = parts.uri.path();
    if let Some((service, method)) = path.trim_start_matches('/').split_once('/')
        && service.starts_with("google.pubsub.")
    {
        let params = parts.headers.get("x-goog-request-params").and_then(|value| value.to_str().ok());
        let params = percent_decode_str(params.unwrap_or_default()).decode_utf8_lossy().into_owned();
        let resource = params.rsplit('/').next().unwrap_or_default().to_owned();
        return Asked { service: "pubsub".into(), operation: method.to_owned(), resource };
    }
    if crate::storage::Storage::claims(path) {
        return of_objects(parts);
    }
    let function = path.split('/').rfind(|part| !part.is_empty()).unwrap_or_default();
    Asked { service: "functions".into(), operation: "call".into(), resource: function.to_owned() }
}

/// Named as the methods of the JSON API: `objects.get`.
fn of_objects(parts: &Parts) -> Asked {
    let path = parts.uri.path();
    let rest = path.split_once("/b/").map_or("", |(_, rest)| rest);
    let (bucket, object) = rest.split_once("/o").unwrap_or((rest, ""));
    let object = percent_decode_str(object.trim_start_matches('/')).decode_utf8_lossy();
    let uploads = path.contains("/upload/");
    let operation = match (&parts.method, bucket.is_empty(), object.is_empty()) {
        _ if uploads => "objects.insert",
        (&Method::GET, true, _) => "buckets.list",
        (&Method::POST, true, _) => "buckets.insert",
        (&Method::GET, _, true) if rest.ends_with("/o") => "objects.list",
        (&Method::GET, _, true) => "buckets.get",
        (&Method::DELETE, _, true) => "buckets.delete",
        (&Method::GET, ..) => "objects.get",
        (&Method::DELETE, ..) => "objects.delete",
        (&Method::PATCH | &Method::PUT, ..) => "objects.update",
        _ => "objects.copy",
    };
    let name = parts.uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("name="));
    let name = name.map(|name| percent_decode_str(name).decode_utf8_lossy());
    let object = if object.is_empty() { name.unwrap_or_default() } else { object };
    let resource = format!("{bucket}/{object}").trim_end_matches('/').to_owned();
    Asked { service: "storage".into(), operation: operation.into(), resource }
}

/// The service's own answer.
pub fn answer(asked: &Asked, parts: &Parts, trouble: Trouble) -> Response {
    told(asked, parts, trouble, "Backend Error")
}

/// Nothing more can be written: the service's own answer, with `why` as its words.
pub fn full(asked: &Asked, parts: &Parts, why: &str) -> Response {
    told(asked, parts, Trouble::Full, why)
}

/// `broken`: the words for what is no fault of the caller's.
fn told(asked: &Asked, parts: &Parts, trouble: Trouble, broken: &str) -> Response {
    let status = match trouble {
        Trouble::Throttled => 429,
        Trouble::Full => 503,
        Trouble::Broken(status) => status,
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let throttled = trouble == Trouble::Throttled;
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.starts_with("application/grpc")) {
        return by_rpc(throttled);
    }
    let (reason, text) = if throttled {
        ("rateLimitExceeded", "The rate of requests is too high.")
    } else {
        ("backendError", broken)
    };
    if asked.service == "functions" {
        return response(
            status,
            "text/plain; charset=utf-8",
            if throttled { "Rate exceeded." } else { text }.into(),
        );
    }
    let one = json!({ "message": text, "domain": "global", "reason": reason });
    let error = json!({ "code": status.as_u16(), "message": text, "errors": [one] });
    response(status, "application/json; charset=UTF-8", json!({ "error": error }).to_string())
}

/// A status without a message: `RESOURCE_EXHAUSTED` or `UNAVAILABLE`.
fn by_rpc(throttled: bool) -> Response {
    let mut response = response(StatusCode::OK, "application/grpc", String::new());
    let status = HeaderValue::from_static(if throttled { "8" } else { "14" });
    response.headers_mut().insert("grpc-status", status);
    response
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_named_as_the_vendor_names_them() {
        let said = |method: &str, uri: &str| {
            let request = http::Request::builder().method(method).uri(uri);
            let request = request.header("x-goog-request-params", "topic=projects%2Fp%2Ftopics%2Fjobs");
            let Asked { service, operation, resource } = asked(&request.body(()).unwrap().into_parts().0);
            format!("{service} {operation} {resource}")
        };
        assert_eq!(said("GET", "/storage/v1/b/pics/o/a%2Fb"), "storage objects.get pics/a/b");
        let upload = "/upload/storage/v1/b/pics/o?uploadType=media&name=a";
        assert_eq!(said("POST", upload), "storage objects.insert pics/a");
        assert_eq!(said("GET", "/storage/v1/b/pics/o"), "storage objects.list pics");
        assert_eq!(said("POST", "/google.pubsub.v1.Publisher/Publish"), "pubsub Publish jobs");
        assert_eq!(said("POST", "/demo-p/us-central1/score"), "functions call score");
    }
}
