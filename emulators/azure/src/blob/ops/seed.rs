//! A folder's files as a container's first blobs.

use crate::blob::BlobStorage;
use crate::blob::facts::{Facts, Kind, etag};
use crate::blob::receive;
use crate::storage::fault::Fault;
use axum::body::Body;
use futures_util::StreamExt;
use mlemu_core::Cause;
use mlemu_core::occurrence::Created;
use mlemu_engine::objects::{Attributes, BucketId, ChecksumKind, Content, NewObject, Origin, seeds};
use std::io;
use std::path::Path;

pub(in crate::blob) async fn folder(blobs: &BlobStorage, bucket: &BucketId, folder: &Path) -> io::Result<()> {
    for seed in seeds(folder).await? {
        let file = tokio::fs::File::open(&seed.file).await?;
        let chunks = Body::from_stream(tokio_util::io::ReaderStream::new(file)).into_data_stream();
        let chunks = chunks.map(|chunk| {
            chunk.map_err(|error| mlemu_engine::objects::Fault::Disk { why: error.to_string() })
        });
        let content = blobs.objects.receive(chunks, &[ChecksumKind::Crc64Nvme], u64::MAX).await;
        let content = content.map_err(io::Error::other)?;
        let origin = Origin { cause: Cause::Mlemu, source_ip: "127.0.0.1".into(), request_id: String::new() };
        let kind = seed.kind.unwrap_or("application/octet-stream");
        blobs
            .store(bucket, &seed.key, content, kind, origin)
            .map_err(|fault| io::Error::other(fault.to_string()))?;
    }
    Ok(())
}

impl BlobStorage {
    /// A block blob that comes from here, whatever was in its place.
    pub(crate) fn store(
        &self,
        bucket: &BucketId,
        key: &str,
        mut content: Content,
        kind: &str,
        origin: Origin,
    ) -> Result<(), Fault> {
        let facts = Facts::new(Kind::Block, etag(self.objects.ids()), self.clock.now());
        content.etag = facts.etag.as_str().into();
        let mut attributes = Attributes::default();
        attributes.headers.insert("content-type", kind.to_owned());
        if let Some(md5) = receive::md5(&content) {
            attributes.headers.insert("content-md5", md5);
        }
        facts.keep(&mut attributes.documents);
        let new = NewObject { key: key.into(), content, attributes, how: Created::Put, origin };
        self.objects.put(bucket, new, |_| Ok::<_, Fault>(())).map(drop)
    }
}
