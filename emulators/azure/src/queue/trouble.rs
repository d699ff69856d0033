//! Trouble that a test asks for, in the words of Queue Storage: what a request asks for, and how it is refused.
//!
//! Source: Azure Storage documentation, "Common REST API error codes" (503 `ServerBusy` where an account's or a
//! queue's targets are exceeded).

use super::fault::{Code, Fault};
use super::routes::{self, Asked as Route};
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use mlemu_engine::faults::{Asked, Trouble};

/// An operation by the vendor's name, and the queue that it is about.
pub fn asked(parts: &Parts) -> Asked {
    let (operation, queue) = match routes::asked(parts, &routes::query(parts)) {
        Route::ListQueues => ("ListQueues", String::new()),
        Route::Create(queue) => ("CreateQueue", queue),
        Route::Delete(queue) => ("DeleteQueue", queue),
        Route::GetMetadata(queue) => ("GetQueueMetadata", queue),
        Route::SetMetadata(queue) => ("SetQueueMetadata", queue),
        Route::Put(queue) => ("PutMessage", queue),
        Route::Get(queue) => ("GetMessages", queue),
        Route::Peek(queue) => ("PeekMessages", queue),
        Route::Clear(queue) => ("ClearMessages", queue),
        Route::DeleteMessage(queue, _) => ("DeleteMessage", queue),
        Route::Update(queue, _) => ("UpdateMessage", queue),
        Route::Missing | Route::Nowhere => ("", String::new()),
    };
    Asked { service: "queue".into(), operation: operation.into(), resource: queue }
}

/// The service's own answer.
pub fn answer(trouble: Trouble) -> Response {
    let (code, status) = match trouble {
        Trouble::Throttled | Trouble::Broken(503) => (Code::ServerBusy, 503),
        Trouble::Full => (Code::InternalError, 500),
        Trouble::Broken(status) => (Code::InternalError, status),
    };
    let mut response = Fault::from(code).response();
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_named_as_the_vendor_names_them() {
        let said = |line: &str| {
            let (method, uri) = line.split_once(' ').unwrap();
            let request = http::Request::builder().method(method).uri(uri).body(()).unwrap();
            let Asked { service, operation, resource } = asked(&request.into_parts().0);
            format!("{service} {operation} {resource}")
        };
        assert_eq!(said("POST /devstoreaccount1/jobs/messages"), "queue PutMessage jobs");
        assert_eq!(said("GET /devstoreaccount1/jobs/messages?peekonly=true"), "queue PeekMessages jobs");
        assert_eq!(said("GET /devstoreaccount1?comp=list"), "queue ListQueues ");
    }

    #[test]
    fn a_throttle_is_a_server_that_is_busy() {
        let answered = answer(Trouble::Throttled);
        assert_eq!(answered.status(), 503);
        assert_eq!(answered.headers()["x-ms-error-code"], "ServerBusy");
        assert_eq!(answer(Trouble::Broken(502)).status(), 502);
    }
}
