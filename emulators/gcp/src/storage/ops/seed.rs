//! A folder's files as a bucket's first objects.

use crate::storage::Storage;
use crate::storage::wire::Metadata;
use axum::body::Body;
use mlemu_core::Cause;
use mlemu_core::occurrence::Created;
use mlemu_engine::objects::{BucketId, Fault as Core, NewObject, Origin};
use std::io;
use std::path::{Path, PathBuf};

pub(in crate::storage) async fn folder(
    storage: &Storage,
    bucket: &BucketId,
    folder: &Path,
) -> io::Result<()> {
    let root = folder.to_owned();
    let files = tokio::task::spawn_blocking(move || files(&root)).await.map_err(io::Error::other)??;
    for (key, path) in files {
        let file = tokio::fs::File::open(&path).await?;
        let stream = tokio_util::io::ReaderStream::new(file);
        let content = storage.receive(Body::from_stream(stream)).await;
        let content = content.map_err(|fault| io::Error::other(fault.message))?;
        let mut metadata = Metadata::default();
        metadata.default_type(content_type(&key));
        let origin = Origin { cause: Cause::Mlemu, source_ip: "127.0.0.1".into(), request_id: String::new() };
        let (attributes, how) = (metadata.attributes, Created::Put);
        let new = NewObject { key: key.into(), content, attributes, how, origin };
        storage.objects.put(bucket, new, |_| Ok::<_, Core>(())).map_err(io::Error::other)?;
    }
    Ok(())
}

/// Every file below `root`, by its path from there.
fn files(root: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() {
                open.push(path);
            } else if let Ok(inside) = path.strip_prefix(root)
                && kind.is_file()
            {
                found.push((inside.to_string_lossy().replace('\\', "/"), path));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What the vendor's own tools guess from a name.
fn content_type(key: &str) -> Option<&'static str> {
    Some(match key.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
        "txt" => "text/plain",
        "json" => "application/json",
        "csv" => "text/csv",
        "html" => "text/html",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "pdf" => "application/pdf",
        "wav" => "audio/x-wav",
        _ => return None,
    })
}
