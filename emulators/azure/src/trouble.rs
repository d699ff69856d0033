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
    use crate::queue::routes::{self, Asked as Route};
    let query = crate::storage::address::query(parts);
    let address = crate::storage::address::Address::read(parts);
    let route = address.and_then(|address| routes::asked(parts, &address, &query).ok());
    let (operation, resource) = match route {
        Some(Route::ListQueues) => ("ListQueues", String::new()),
        Some(Route::Create(queue)) => ("CreateQueue", queue),
        Some(Route::Delete(queue)) => ("DeleteQueue", queue),
        Some(Route::GetMetadata(queue)) => ("GetQueueMetadata", queue),
        Some(Route::SetMetadata(queue)) => ("SetQueueMetadata", queue),
        Some(Route::GetAcl(queue)) => ("GetQueueACL", queue),
        Some(Route::SetAcl(queue)) => ("SetQueueACL", queue),
        Some(Route::Put(queue)) => ("PutMessage", queue),
        Some(Route::Get(queue)) => ("GetMessages", queue),
        Some(Route::Peek(queue)) => ("PeekMessages", queue),
        Some(Route::Clear(queue)) => ("ClearMessages", queue),
        Some(Route::DeleteMessage(queue, _)) => ("DeleteMessage", queue),
        Some(Route::Update(queue, _)) => ("UpdateMessage", queue),
        Some(Route::ServiceProperties) => ("GetQueueServiceProperties", String::new()),
        Some(Route::SetServiceProperties) => ("SetQueueServiceProperties", String::new()),
        Some(Route::ServiceStats) => ("GetQueueServiceStats", String::new()),
        None => ("", String::new()),
    };
    Asked { service: "queue".into(), operation: operation.into(), resource }
}

/// What a request to Blob Storage asks for: its method and `comp`, and what comes after the account.
pub fn of_storage(parts: &Parts, service: &str) -> Asked {
    let query = crate::storage::address::query(parts);
    let rest = crate::storage::address::Address::read(parts).map(|address| address.rest).unwrap_or_default();
    let comp = query.get("comp").map_or("", String::as_str);
    let operation = format!("{} {comp}", parts.method).trim().to_ascii_lowercase();
    Asked { service: service.to_owned(), operation, resource: rest }
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
}
