//! Calls whose answer is read while the function still makes it.

use super::{fault, http};
use ::http::StatusCode;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use mlemu_core::{Boxed, ChunkSink, Invoke, Refusal, Reply, ResponseHead};
use mlemu_engine::Engine;
use std::io;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Pieces on their way before the function waits for its reader.
const AHEAD: usize = 16;

/// What arrives of an answer.
enum Piece {
    Head(ResponseHead),
    Chunk(Bytes),
    /// Always the last, and always there.
    End(Result<Reply, Refusal>),
}

struct Pipe(mpsc::Sender<Piece>);

impl ChunkSink for Pipe {
    /// The whole head comes by [`ChunkSink::response`].
    fn head(&self, _content_type: &str) {}

    fn response(&self, head: ResponseHead) {
        // It is the first, so there is room.
        let _ = self.0.try_send(Piece::Head(head));
    }

    fn chunk(&self, bytes: Bytes) -> Boxed<'_, bool> {
        Box::pin(async move { self.0.send(Piece::Chunk(bytes)).await.is_ok() })
    }
}

/// Answers as soon as the function's head is there. It runs on when its caller leaves.
pub(super) async fn call(engine: Engine, mut invoke: Invoke) -> Response {
    let (sender, mut pieces) = mpsc::channel(AHEAD);
    invoke.stream = Some(Arc::new(Pipe(sender.clone())));
    tokio::spawn(async move {
        let reply = engine.invoke(invoke).await;
        // Fails only when nobody reads any more.
        let _ = sender.send(Piece::End(reply)).await;
    });
    match pieces.recv().await {
        Some(Piece::Head(head)) => begun(head, pieces),
        Some(Piece::End(reply)) => http::answered(reply),
        Some(Piece::Chunk(_)) | None => fault::refused(&Refusal::Stopping),
    }
}

fn begun(head: ResponseHead, pieces: mpsc::Receiver<Piece>) -> Response {
    // The app's own framework has said all of a failure then.
    let is_failure = head.status >= StatusCode::INTERNAL_SERVER_ERROR;
    let rest = futures_util::stream::unfold(pieces, move |mut pieces| async move {
        match pieces.recv().await? {
            Piece::Chunk(bytes) => Some((Ok(bytes), pieces)),
            Piece::End(Ok(Reply::Done(outcome))) if outcome.result.is_ok() || is_failure => None,
            // Whoever reads must not take it for the whole answer.
            Piece::Head(_) | Piece::End(_) => Some((Err(io::Error::other("the function failed")), pieces)),
        }
    });
    let mut response = Response::new(Body::from_stream(rest));
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    response
}
