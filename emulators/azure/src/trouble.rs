//! Trouble that a test asks for, in the host's own words: what a request asks for, and how it is refused.
//!
//! Source: Azure Functions documentation, "Azure Functions HTTP trigger" (429 and 503 of a busy host).

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use mlemu_engine::faults::{Asked, Trouble};

/// What a request asks for: the path behind the first segment, which is most often `api`.
pub fn asked(parts: &Parts) -> Asked {
    let path = parts.uri.path().trim_matches('/');
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let operation = if first == "admin" { "admin" } else { "call" };
    let resource = if rest.is_empty() { first } else { rest };
    Asked { service: "functions".into(), operation: operation.into(), resource: resource.to_owned() }
}

/// What a request to Queue Storage asks for: the operation by the vendor's name, and the queue.
pub fn of_queues(parts: &Parts) -> Asked {
    use crate::queue::routes;
    let query = crate::storage::address::query(parts);
    let address = crate::storage::address::Address::read(parts);
    let route = address.and_then(|address| routes::asked(parts, &address, &query).ok());
    let (operation, resource) = route.as_ref().map_or(("", ""), |asked| (asked.name(), asked.queue()));
    Asked { service: "queue".into(), operation: operation.into(), resource: resource.to_owned() }
}

/// What a request to Blob Storage asks for: the operation by the vendor's name, and what comes after the account.
pub fn of_blobs(parts: &Parts) -> Asked {
    let address = crate::storage::address::Address::read(parts);
    let route = address.as_ref().and_then(|address| crate::blob::routes::asked(parts, address).ok());
    let operation = route.map_or("", |asked| asked.operation.name());
    let resource = address.map(|address| address.rest).unwrap_or_default();
    Asked { service: "blob".into(), operation: operation.into(), resource }
}

/// The storage services' own answer.
pub fn storage_answer(trouble: Trouble) -> Response {
    use crate::storage::fault::{Fault, code};
    let mut fault = Fault::from(match trouble {
        Trouble::Throttled => code::ServerBusy,
        Trouble::Full | Trouble::Broken(_) => code::InternalError,
    });
    if let Trouble::Broken(status) = trouble {
        fault.status = status;
    }
    fault.response("", mlemu_core::Timestamp(0))
}

/// The host's own answer.
pub fn answer(trouble: Trouble) -> Response {
    let status = match trouble {
        Trouble::Throttled => 429,
        Trouble::Full => 503,
        Trouble::Broken(status) => status,
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_named_by_their_path() {
        let said = |uri: &str| {
            let Asked { operation, resource, .. } =
                asked(&http::Request::builder().uri(uri).body(()).unwrap().into_parts().0);
            format!("{operation} {resource}")
        };
        assert_eq!(said("/api/flowers/3"), "call flowers/3");
        assert_eq!(said("/score"), "call score");
        assert_eq!(said("/admin/host/status"), "admin host/status");
        assert_eq!(answer(Trouble::Throttled).status(), StatusCode::TOO_MANY_REQUESTS);
    }

    #[test]
    fn requests_to_storage_are_named_by_the_vendors_words() {
        let said = |of: fn(&Parts) -> Asked, method: &str, path: &str| {
            let request = http::Request::builder().method(method).uri(format!("/devstoreaccount1{path}"));
            let Asked { service, operation, resource } = of(&request.body(()).unwrap().into_parts().0);
            format!("{service} {operation} {resource}")
        };
        assert_eq!(said(of_blobs, "PUT", "/pics/a/b.png"), "blob PutBlob pics/a/b.png");
        assert_eq!(said(of_blobs, "GET", "/pics?restype=container&comp=list"), "blob ListBlobs pics");
        assert_eq!(said(of_blobs, "PATCH", "/pics/a"), "blob  pics/a");
        assert_eq!(said(of_queues, "GET", "/jobs/messages?peekonly=true"), "queue PeekMessages jobs");
        assert_eq!(said(of_queues, "GET", "?comp=list"), "queue ListQueues ");
    }
}
