//! What the daemon asks of S3 without a request: files that a bucket begins with, and packages to deploy.

use super::{S3, versions};
use crate::reach::Letter;
use bytes::Bytes;
use mlemu_core::Cause;
use mlemu_core::occurrence::Created;
use mlemu_engine::objects::{Attributes, BucketId, Fault, NewObject, Origin, Seed, Version, Which, seeds};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why files could not be put into a bucket.
#[derive(Debug, Error)]
pub enum SeedFault {
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Store(#[from] Fault),
}

/// Why an object could not be read.
#[derive(Debug, Error)]
pub enum ReadFault {
    #[error("there is no such bucket")]
    NoSuchBucket,
    #[error("there is no such key")]
    NoSuchKey,
    #[error("there is no such version")]
    NoSuchVersion,
    #[error("cannot read the object: {0}")]
    Io(std::io::Error),
}

impl S3 {
    /// Puts every file of a folder into a bucket, under its path within the folder.
    pub async fn seed(&self, bucket: &BucketId, folder: &Path) -> Result<(), SeedFault> {
        let failed = |source| SeedFault::File { path: folder.to_owned(), source };
        for seed in seeds(folder).await.map_err(failed)? {
            self.seed_file(bucket, seed).await?;
        }
        Ok(())
    }

    async fn seed_file(&self, bucket: &BucketId, seed: Seed) -> Result<(), SeedFault> {
        let failed = |source| SeedFault::File { path: seed.file.clone(), source };
        let bytes = Bytes::from(tokio::fs::read(&seed.file).await.map_err(failed)?);
        let objects = self.front.objects();
        let body = futures_util::stream::iter([Ok::<_, Fault>(bytes)]);
        let content = objects.receive(body, &[], u64::MAX).await?;
        let new = NewObject {
            key: seed.key.into(),
            content,
            attributes: Attributes::default(),
            how: Created::Put,
            origin: Origin { cause: Cause::Mlemu, source_ip: "127.0.0.1".into(), request_id: "SEED".into() },
        };
        objects.put(bucket, new, |_| Ok::<_, Fault>(()))?;
        Ok(())
    }

    /// Whether there is such a bucket.
    pub fn has(&self, arn: &str) -> bool {
        self.front.objects().bucket(&self.bucket_of(arn)).is_ok()
    }

    fn bucket_of(&self, arn: &str) -> BucketId {
        BucketId::new(&self.front.scope, arn.rsplit(':').next().unwrap_or_default())
    }

    /// Writes what a service of ours tells into the bucket of an ARN. Fails with [`Fault::NoBucket`].
    pub async fn write(&self, arn: &str, letter: Letter) -> Result<(), Fault> {
        let objects = self.front.objects();
        let body = futures_util::stream::iter([Ok::<_, Fault>(letter.body)]);
        let content = objects.receive(body, &[], u64::MAX).await?;
        let new = NewObject {
            key: letter.key.unwrap_or_default().into(),
            content,
            attributes: Attributes::default(),
            how: Created::Put,
            origin: Origin {
                cause: letter.cause,
                source_ip: "127.0.0.1".into(),
                request_id: objects.ids().fresh("request").hex(),
            },
        };
        objects.put(&self.bucket_of(arn), new, |_| Ok::<_, Fault>(())).map(drop)
    }

    /// The bytes of an object in the default account; of its newest version when none is named.
    pub async fn read(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Bytes, ReadFault> {
        let objects = self.front.objects();
        let id = BucketId::new(&self.front.scope, bucket);
        let which = match version.map(versions::name) {
            None => Which::Newest,
            Some(Ok(name)) => Which::Named(name),
            Some(Err(_)) => return Err(ReadFault::NoSuchVersion),
        };
        let version = objects.version(&id, key, which).map_err(|fault| match fault {
            Fault::NoBucket { .. } => ReadFault::NoSuchBucket,
            Fault::NoVersion { .. } => ReadFault::NoSuchVersion,
            _ => ReadFault::NoSuchKey,
        })?;
        let Version::Object(object) = version else { return Err(ReadFault::NoSuchKey) };
        object.content.body.bytes().await.map_err(ReadFault::Io)
    }
}
