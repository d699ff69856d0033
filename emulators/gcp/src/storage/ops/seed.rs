//! A folder's files as a bucket's first objects.

use crate::storage::Storage;
use crate::storage::wire::Metadata;
use axum::body::Body;
use mlemu_core::Cause;
use mlemu_core::occurrence::Created;
use mlemu_engine::objects::{BucketId, Fault as Core, NewObject, Origin, seeds};
use std::io;
use std::path::Path;

pub(in crate::storage) async fn folder(
    storage: &Storage,
    bucket: &BucketId,
    folder: &Path,
) -> io::Result<()> {
    for seed in seeds(folder).await? {
        let file = tokio::fs::File::open(&seed.file).await?;
        let stream = tokio_util::io::ReaderStream::new(file);
        let content = storage.receive(Body::from_stream(stream)).await;
        let content = content.map_err(|fault| io::Error::other(fault.message))?;
        let mut metadata = Metadata::default();
        metadata.default_type(seed.kind);
        let origin = Origin { cause: Cause::Mlemu, source_ip: "127.0.0.1".into(), request_id: String::new() };
        let (attributes, how) = (metadata.attributes, Created::Put);
        let new = NewObject { key: seed.key.into(), content, attributes, how, origin };
        storage.objects.put(bucket, new, |_| Ok::<_, Core>(())).map_err(io::Error::other)?;
    }
    Ok(())
}
