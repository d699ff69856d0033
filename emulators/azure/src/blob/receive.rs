//! Bodies of blobs on their way in: streamed into the object core, and compared with what the client says of them.

use super::BlobStorage;
use super::call::Call;
use crate::storage::answer::set;
use crate::storage::fault::{Fault, code};
use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt;
use mlemu_engine::objects::{ChecksumKind, Content};

/// The service's CRC64 is the one of this kind, with its bytes the other way round.
const KINDS: [ChecksumKind; 1] = [ChecksumKind::Crc64Nvme];
/// Largest block, in bytes.
pub(super) const BLOCK: u64 = 4000 << 20;
/// Largest blob in one request, in bytes.
pub(super) const BLOB: u64 = 5000 << 20;
/// Largest block of an append blob, in bytes.
pub(super) const APPEND: u64 = 100 << 20;
/// Most pages of one request, in bytes.
pub(super) const PAGES: u64 = 4 << 20;

impl BlobStorage {
    /// The body, if it is what the request's digests say.
    pub(super) async fn receive(&self, call: &Call, body: Body, limit: u64) -> Result<Content, Fault> {
        if call.header("x-ms-structured-body").is_some() {
            return Err(Fault::from(code::UnsupportedHeader).with("HeaderName", "x-ms-structured-body"));
        }
        let broken = |_| Fault::from(code::InvalidInput);
        let chunks = body.into_data_stream().map(|chunk| chunk.map_err(broken));
        let content = self.objects.receive(chunks, &KINDS, limit).await?;
        agrees(call, &content)?;
        Ok(content)
    }

    /// Bytes that come from here.
    pub(crate) async fn taken(&self, bytes: Bytes) -> Result<Content, Fault> {
        let one = futures_util::stream::iter([Ok::<_, Fault>(bytes)]);
        self.objects.receive(one, &KINDS, u64::MAX).await
    }
}

fn agrees(call: &Call, content: &Content) -> Result<(), Fault> {
    let digest = |said: &str, length: usize| STANDARD.decode(said).ok().filter(|bytes| bytes.len() == length);
    if let Some(said) = call.header("content-md5") {
        let wanted = digest(said, 16).ok_or(code::InvalidMd5)?;
        if content.md5.is_some_and(|md5| md5[..] != wanted[..]) {
            return Err(code::Md5Mismatch.into());
        }
    }
    if let Some(said) = call.header("x-ms-content-crc64") {
        let wanted = digest(said, 8).ok_or_else(|| Fault::header("x-ms-content-crc64", said))?;
        if crc64(content).is_some_and(|crc| crc != wanted) {
            return Err(code::Crc64Mismatch.into());
        }
    }
    Ok(())
}

fn crc64(content: &Content) -> Option<Vec<u8>> {
    content.checksum(ChecksumKind::Crc64Nvme).map(|sum| sum.value.iter().rev().copied().collect())
}

/// As headers have it.
pub(super) fn md5(content: &Content) -> Option<String> {
    content.md5.map(|md5| STANDARD.encode(md5))
}

/// Tells the client what its bytes came to.
pub(super) fn confirm(response: &mut Response, content: &Content) {
    if let Some(md5) = md5(content) {
        set(response, "content-md5", &md5);
    }
    if let Some(crc) = crc64(content) {
        set(response, "x-ms-content-crc64", &STANDARD.encode(crc));
    }
}

/// Both digests of bytes that are read.
pub(super) async fn digests(body: &mlemu_engine::objects::Body) -> Result<(String, String), Fault> {
    let digests = body.digest(&KINDS).await.map_err(|_| code::InternalError)?;
    let crc = digests.checksums.first().map(|sum| sum.value.iter().rev().copied().collect::<Vec<u8>>());
    Ok((STANDARD.encode(digests.md5), STANDARD.encode(crc.unwrap_or_default())))
}
