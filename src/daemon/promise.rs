//! No answer leaves before what it promises is written, where there is a store.
//!
//! Here, and not in each operation, everybody who was answered at about the same time waits for one commit. What was
//! only read waits too: nobody sees what the end of the daemon could take back.

use crate::clouds::Cloud;
use axum::body::Body;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{Method, Request, Response};
use mlemu_engine::{Store, Unwritten};

/// What is remembered of a request while it is answered. `None`: it only reads.
pub fn head(request: &Request<Body>) -> Option<Parts> {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return None;
    }
    let mut parts = Request::new(()).into_parts().0;
    parts.method = request.method().clone();
    parts.uri = request.uri().clone();
    parts.version = request.version();
    parts.headers = request.headers().clone();
    Some(parts)
}

/// The answer, once it is written; or the vendor's word for a full disk. While nothing can be written, what would
/// need room is not begun.
pub async fn kept(
    store: &Store,
    cloud: &dyn Cloud,
    head: Option<Parts>,
    answer: BoxFuture<'_, Response<Body>>,
) -> Response<Body> {
    let Some(head) = head else {
        let answer = answer.await;
        // What cannot be written now is the writers' trouble.
        let _ = store.written().await;
        return answer;
    };
    let needs_room = head.method != Method::DELETE && store.is_failing();
    if needs_room && let Err(unwritten) = store.retry().await {
        return full(store, cloud, &head, &unwritten);
    }
    let before = store.issued();
    let answer = answer.await;
    match store.written().await {
        Err(unwritten) if store.issued() != before => full(store, cloud, &head, &unwritten),
        _ => answer,
    }
}

/// Says where there is no room, and what to do about it.
fn full(store: &Store, cloud: &dyn Cloud, head: &Parts, unwritten: &Unwritten) -> Response<Body> {
    let text = format!(
        "mlemu cannot write to {}: {}; make room on that disk, then send it again",
        store.folder().display(),
        unwritten.why
    );
    cloud.full(&cloud.asked(head, &[]), head, &text)
}
