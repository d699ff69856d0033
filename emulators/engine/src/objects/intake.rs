//! Receiving a body: hashed while it comes, inline when small, else written to a file.

use super::body::Body;
use super::digest::{ChecksumKind, Digests, Hasher, hex};
use super::files::{Files, StoredFile};
use super::object::Content;
use super::{Fault, Objects};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{Stream, StreamExt};
use mlemu_core::Epoch;
use std::io::{self, Write};
use std::pin::pin;
use std::sync::Arc;
use tokio::task::{JoinHandle, spawn_blocking};

/// Bodies up to this many bytes stay in memory.
pub(super) const INLINE: u64 = 32 * 1024;
/// How many bytes are gathered for one write.
const WRITE: u64 = 1024 * 1024;

impl Objects {
    /// Takes a body in, computing MD5 and `kinds`. Nothing is committed: the caller looks at the digests
    /// and then puts the content under a key, or drops it. Fails with [`Fault::TooLarge`] past `limit` bytes.
    pub async fn receive<S, E>(&self, body: S, kinds: &[ChecksumKind], limit: u64) -> Result<Content, E>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: From<Fault>,
    {
        let epoch = self.lock().epoch;
        let mut body = pin!(body);
        let mut batch = Batch::default();
        let mut total = 0;
        let mut file: Option<JoinHandle<io::Result<Writer>>> = None;
        while let Some(chunk) = body.next().await {
            let chunk = chunk?;
            total += chunk.len() as u64;
            if total > limit {
                return Err(Fault::TooLarge { limit }.into());
            }
            batch.push(chunk);
            if batch.len >= WRITE {
                file = Some(self.write(file, &mut batch, kinds).await?);
            }
        }
        let (body, digests) = if file.is_none() && total <= INLINE {
            batch.into_memory(kinds)
        } else {
            let writing = self.write(file, &mut batch, kinds).await?;
            let writer = self.done(writing).await?;
            let finished = spawn_blocking(move || writer.finish()).await.map_err(lost)?;
            finished.map_err(|error| self.shared.files.failed(&error))?
        };
        Ok(Content::whole(body, digests, epoch))
    }

    /// Begins to write `batch` once the write before it is done; bytes go on arriving meanwhile.
    async fn write(
        &self,
        before: Option<JoinHandle<io::Result<Writer>>>,
        batch: &mut Batch,
        kinds: &[ChecksumKind],
    ) -> Result<JoinHandle<io::Result<Writer>>, Fault> {
        let batch = std::mem::take(batch);
        let writer = match before {
            Some(writing) => Some(self.done(writing).await?),
            None => None,
        };
        let files = self.shared.files.clone();
        let hasher = Hasher::new(kinds);
        Ok(spawn_blocking(move || {
            let writer = writer.map_or_else(|| Writer::create(&files, hasher), Ok)?;
            writer.write(batch)
        }))
    }

    async fn done(&self, writing: JoinHandle<io::Result<Writer>>) -> Result<Writer, Fault> {
        writing.await.map_err(lost)?.map_err(|error| self.shared.files.failed(&error))
    }
}

fn lost(error: tokio::task::JoinError) -> Fault {
    Fault::Disk { why: error.to_string() }
}

impl Content {
    fn whole(body: Body, digests: Digests, epoch: Epoch) -> Self {
        Self {
            body,
            md5: Some(digests.md5),
            etag: hex(&digests.md5).into(),
            checksums: digests.checksums,
            parts: Arc::from([]),
            epoch,
        }
    }

    /// The same bytes as an object that was written in one piece, for a copy whose digests were made anew.
    pub fn rewritten(&self, digests: Digests) -> Self {
        Self::whole(self.body.clone(), digests, self.epoch)
    }
}

#[derive(Default)]
struct Batch {
    chunks: Vec<Bytes>,
    len: u64,
}

impl Batch {
    fn push(&mut self, chunk: Bytes) {
        self.len += chunk.len() as u64;
        self.chunks.push(chunk);
    }

    /// Copies once, so that an object does not keep a whole read buffer of its connection alive.
    fn into_memory(self, kinds: &[ChecksumKind]) -> (Body, Digests) {
        let mut bytes = BytesMut::with_capacity(self.len as usize);
        for chunk in &self.chunks {
            bytes.extend_from_slice(chunk);
        }
        let mut hasher = Hasher::new(kinds);
        hasher.update(&bytes);
        (bytes.freeze().into(), hasher.finish())
    }
}

/// A file on its way. All its methods block. Dropped early, it takes the file with it.
struct Writer {
    file: std::fs::File,
    owned: StoredFile,
    hasher: Hasher,
    len: u64,
}

impl Writer {
    fn create(files: &Arc<Files>, hasher: Hasher) -> io::Result<Self> {
        let (file, owned) = files.create()?;
        Ok(Self { file, owned, hasher, len: 0 })
    }

    fn write(mut self, batch: Batch) -> io::Result<Self> {
        for chunk in batch.chunks {
            self.hasher.update(&chunk);
            self.file.write_all(&chunk)?;
        }
        self.len += batch.len;
        Ok(self)
    }

    fn finish(mut self) -> io::Result<(Body, Digests)> {
        self.owned.finish(&self.file)?;
        Ok((Body::file(self.owned, self.len), self.hasher.finish()))
    }
}
