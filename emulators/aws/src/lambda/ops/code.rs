//! Where a function's code comes from: the request itself, a bucket, or a folder of the developer's.

use super::super::fault::{Code, Fault};
use super::super::{FetchFault, Lambda, wire};
use crate::profile::{UNZIPPED_PACKAGE, ZIPPED_PACKAGE};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use mlemu_core::{Revision, Source, Subject, Unpacked, What};
use std::path::{Path, PathBuf};

/// The bucket that is none: its keys are absolute paths of folders, which run in place and are watched.
const HOT_RELOAD: &str = "hot-reload";

/// Makes the code of a request a source.
pub async fn bring(lambda: &Lambda, code: wire::Code) -> Result<Source, Fault> {
    if code.image_uri.is_some() {
        lambda.unsupported(None, "CreateFunction(ImageUri)");
        return Err(Fault::new(Code::NotImplemented, "mlemu does not run container images yet"));
    }
    match (code.zip_file, code.s3_bucket, code.s3_key) {
        (Some(zip), None, None) => {
            let archive = BASE64.decode(zip).map_err(|_| {
                Fault::new(Code::InvalidRequestContent, "Could not parse request body into json: not base64")
            })?;
            if archive.len() as u64 > ZIPPED_PACKAGE {
                let text = format!("Zipped size must be smaller than {ZIPPED_PACKAGE} bytes");
                return Err(Fault::new(Code::RequestEntityTooLarge, text));
            }
            unpack(lambda, archive.into()).await
        }
        (None, Some(bucket), Some(key)) if bucket == HOT_RELOAD => folder(&key).await,
        (None, Some(bucket), Some(key)) => {
            let object = (lambda.fetch_object)(bucket, key, code.s3_object_version).await;
            unpack(lambda, object.map_err(|fault| not_fetched(&fault))?).await
        }
        (None, None, None) => Err(Fault::parameter("Please provide a source for function code.")),
        _ => Err(Fault::parameter(
            "Please do not provide other FunctionCode parameters when providing a ZipFile.",
        )),
    }
}

async fn unpack(lambda: &Lambda, archive: Bytes) -> Result<Source, Fault> {
    if archive.is_empty() {
        return Err(Fault::parameter("Uploaded file must be a non-empty zip"));
    }
    let unpacked = lambda.functions.unpack(archive.clone(), UNZIPPED_PACKAGE).await;
    let Unpacked { folder, packed_bytes, sha256, warnings, .. } =
        unpacked.map_err(|fault| Fault::package(&fault))?;
    lambda.keeping.package(&sha256, &archive);
    for text in warnings {
        lambda.functions.record(Subject::default(), What::Warning { text });
    }
    Ok(Source::Unpacked { folder, packed_bytes, sha256 })
}

async fn folder(key: &str) -> Result<Source, Fault> {
    let wrong = |why: &str| Fault::parameter(format!("hot-reload: `{key}` {why}"));
    if !Path::new(key).is_absolute() {
        return Err(wrong("is not an absolute path"));
    }
    match tokio::fs::metadata(key).await {
        Ok(found) if found.is_dir() => Ok(Source::Folder(PathBuf::from(key))),
        Ok(_) => Err(wrong("is not a folder")),
        Err(error) => Err(wrong(&format!("cannot be read: {error}"))),
    }
}

fn not_fetched(fault: &FetchFault) -> Fault {
    let code = match fault {
        FetchFault::NoSuchBucket => "NoSuchBucket",
        FetchFault::NoSuchKey => "NoSuchKey",
        FetchFault::NoSuchVersion => "NoSuchVersion",
        FetchFault::Other(_) => "InternalError",
    };
    Fault::parameter(format!(
        "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {fault}"
    ))
}

/// Size of a revision's code in bytes: the package's, or what a package of the folder would hold.
pub async fn size(lambda: &Lambda, revision: &Revision) -> u64 {
    let folder = match &revision.source {
        Source::Unpacked { packed_bytes, .. } => return *packed_bytes,
        Source::Folder(folder) => folder,
    };
    let known = lambda.sizes().get(folder).copied();
    if let Some((_, bytes)) = known.filter(|(number, _)| *number == revision.number) {
        return bytes;
    }
    let bytes = lambda.functions.measure(folder.clone()).await;
    lambda.sizes().insert(folder.clone(), (revision.number, bytes));
    bytes
}
