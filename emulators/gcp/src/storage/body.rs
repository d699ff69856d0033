//! Bodies of requests: streamed into the object core, or read whole where a document is expected.

use super::Storage;
use super::fault::Fault;
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http_body_util::{BodyExt, Limited};
use mlemu_engine::objects::{ChecksumKind, Content};
use serde_json::{Map, Value};

/// Largest object: 5 TiB.
const LARGEST: u64 = 5 << 40;
/// Largest request that is read whole, in bytes: metadata and media in one.
const WHOLE: usize = 256 << 20;
/// Largest document of metadata, in bytes.
const DOCUMENT: usize = 2 << 20;
/// Every object has it beside its MD5.
const KINDS: [ChecksumKind; 1] = [ChecksumKind::Crc32c];

pub(super) async fn whole(body: Body) -> Result<Bytes, Fault> {
    within(WHOLE, body).await
}

/// The document that a request is.
pub(super) async fn said(body: Body) -> Result<Map<String, Value>, Fault> {
    document(&within(DOCUMENT, body).await?)
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
        let broken = |_| Fault::invalid("The request's body broke off.");
        let chunks = body.into_data_stream().map(|chunk| chunk.map_err(broken));
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
