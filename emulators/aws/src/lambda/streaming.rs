//! An invocation whose answer is read while the function still makes it.

use super::Functions;
use bytes::Bytes;
use mlemu_core::{Boxed, ChunkSink, Invoke, Refusal, Reply};
use std::sync::{Arc, OnceLock};
use tokio::sync::mpsc;

/// Pieces on their way before the function waits for its reader.
const AHEAD: usize = 16;

/// What arrives of an answer.
#[derive(Debug)]
pub enum Piece {
    Chunk(Bytes),
    /// Always the last, and always there.
    End(Result<Reply, Refusal>),
}

/// The reading side.
pub struct Feed {
    pieces: mpsc::Receiver<Piece>,
    content_type: Arc<OnceLock<String>>,
}

struct Pipe {
    pieces: mpsc::Sender<Piece>,
    content_type: Arc<OnceLock<String>>,
}

/// Begins the invocation. It goes on when the reader leaves, as a function's run does.
pub fn start(functions: Arc<dyn Functions>, mut invoke: Invoke) -> Feed {
    let (sender, pieces) = mpsc::channel(AHEAD);
    let content_type = Arc::<OnceLock<String>>::default();
    invoke.stream = Some(Arc::new(Pipe { pieces: sender.clone(), content_type: content_type.clone() }));
    tokio::spawn(async move {
        let reply = functions.invoke(invoke).await;
        // Fails only when nobody reads any more.
        let _ = sender.send(Piece::End(reply)).await;
    });
    Feed { pieces, content_type }
}

impl Feed {
    pub async fn next(&mut self) -> Piece {
        self.pieces.recv().await.unwrap_or(Piece::End(Err(Refusal::Stopping)))
    }

    /// What the function called its streamed answer; known once the first chunk is there.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.get().map(String::as_str)
    }
}

impl ChunkSink for Pipe {
    fn head(&self, content_type: &str) {
        // The first word counts.
        let _ = self.content_type.set(content_type.to_owned());
    }

    fn chunk(&self, bytes: Bytes) -> Boxed<'_, bool> {
        Box::pin(async move { self.pieces.send(Piece::Chunk(bytes)).await.is_ok() })
    }
}
