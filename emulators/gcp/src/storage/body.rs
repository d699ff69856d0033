//! Bodies of requests: streamed into the object core, or read whole where a document is expected.

use super::Storage;
use super::fault::Fault;
use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use http::HeaderMap;
use http_body_util::{BodyExt, Limited};
use mlemu_engine::objects::{ChecksumKind, Content};
use serde_json::{Map, Value};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Largest object: 5 TiB.
const LARGEST: u64 = 5 << 40;
/// Largest document of metadata, in bytes.
pub(super) const DOCUMENT: usize = 2 << 20;
/// How much of a refused body is read and forgotten, in bytes.
const PATIENCE: u64 = 16 << 30;
/// Every object has it beside its MD5.
const KINDS: [ChecksumKind; 1] = [ChecksumKind::Crc32c];

/// A body that may be dropped early. Its client goes on writing and would not read the refusal, and a connection that is
/// closed on it reads as a broken pipe: so the rest is read and forgotten. One that holds its body back until it is asked
/// for it reads the refusal anyway.
pub(super) fn patient(body: Body, headers: &HeaderMap) -> Body {
    if headers.contains_key(http::header::EXPECT) {
        return body;
    }
    Body::from_stream(Patient(Some(body.into_data_stream())))
}

struct Patient(Option<BodyDataStream>);

impl Stream for Patient {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(rest) = &mut self.0 else { return Poll::Ready(None) };
        let polled = rest.poll_next_unpin(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.0 = None;
        }
        polled
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        let (Some(mut rest), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        runtime.spawn(async move {
            let mut forgotten = 0;
            while let Some(Ok(chunk)) = rest.next().await {
                forgotten += chunk.len() as u64;
                if forgotten > PATIENCE {
                    return;
                }
            }
        });
    }
}

/// The first `count` bytes.
pub(super) fn first(
    chunks: impl Stream<Item = Result<Bytes, Fault>> + Send + Unpin,
    count: u64,
) -> impl Stream<Item = Result<Bytes, Fault>> + Send {
    let left = usize::try_from(count).unwrap_or(usize::MAX);
    stream::try_unfold((chunks, left), |(mut chunks, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let Some(mut chunk) = chunks.next().await.transpose()? else { return Ok(None) };
        chunk.truncate(left);
        let left = left - chunk.len();
        Ok(Some((chunk, (chunks, left))))
    })
}

/// The chunks of a body as they come.
pub(super) fn chunks(body: Body) -> impl Stream<Item = Result<Bytes, Fault>> + Send + Unpin {
    let broken = |_| Fault::invalid("The request's body broke off.");
    body.into_data_stream().map(move |chunk| chunk.map_err(broken))
}

/// The document that a request is.
pub(super) async fn said(body: Body) -> Result<Map<String, Value>, Fault> {
    document(&within(DOCUMENT, body).await?)
}

/// A document that is no JSON.
pub(super) async fn text(body: Body) -> Result<String, Fault> {
    let bytes = within(DOCUMENT, body).await?;
    String::from_utf8(bytes.into()).map_err(|_| Fault::invalid("The request's body is not valid UTF-8."))
}

async fn within(limit: usize, body: Body) -> Result<Bytes, Fault> {
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(Fault::invalid(format!("The request's body cannot be read: {error}"))),
    }
}

/// A JSON object; nothing is an empty one.
pub(super) fn document(bytes: &[u8]) -> Result<Map<String, Value>, Fault> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    serde_json::from_slice(bytes).map_err(|_| Fault::invalid("Parse Error"))
}

impl Storage {
    pub(super) async fn receive(&self, body: Body) -> Result<Content, Fault> {
        self.receive_chunks(chunks(body)).await
    }

    pub(super) async fn receive_chunks(
        &self,
        chunks: impl Stream<Item = Result<Bytes, Fault>> + Send,
    ) -> Result<Content, Fault> {
        self.objects.receive(chunks, &KINDS, LARGEST).await
    }

    pub(super) async fn receive_bytes(&self, bytes: Bytes) -> Result<Content, Fault> {
        let one = stream::iter([Ok::<_, Fault>(bytes)]);
        self.objects.receive(one, &KINDS, LARGEST).await
    }

    /// Pieces laid end to end, with checksums of the whole.
    pub(super) async fn joined(&self, pieces: &[Content]) -> Result<Content, Fault> {
        let Some((first, rest)) = pieces.split_first() else { return self.receive_bytes(Bytes::new()).await };
        if rest.is_empty() {
            return Ok(first.clone());
        }
        let mut content = first.clone();
        content.body = mlemu_engine::objects::Body::join(pieces.iter().map(|piece| &piece.body));
        let digests = content.body.digest(&KINDS).await;
        let digests = digests.map_err(|error| Fault::from(mlemu_engine::objects::Fault::from(error)))?;
        Ok(content.rewritten(digests))
    }
}
