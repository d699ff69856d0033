//! CopyObject and UploadPartCopy: the bytes are shared, never copied.

use super::multipart::{part_number, upload_id};
use crate::s3::call::Call;
use crate::s3::conditions::Conditions;
use crate::s3::encode::{self, Answer};
use crate::s3::fault::{Code, Fault};
use crate::s3::{Front, access, checksum, dates, decode, range, versions, wire};
use axum::body::Body;
use http::{HeaderMap, Response};
use mlemu_core::occurrence::Created;
use mlemu_engine::objects::{
    Attributes, BucketId, BucketView, ChecksumKind, Content, NewObject, Object, Which,
};
use std::sync::Arc;

/// The largest object that one request can copy, in bytes.
const LARGEST: u64 = 5 * 1024 * 1024 * 1024;

pub(in crate::s3) async fn object(front: &Front, call: &Call) -> Answer {
    let bucket = call.bucket_id();
    let view = front.objects().bucket(&bucket)?;
    let source = source(front, call)?;
    if source.object.content.size() > LARGEST {
        let message = "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120";
        return Err(Fault::because(Code::InvalidRequest, message));
    }
    let attributes = attributes(front, call, &source, &view)?;
    let content = content(call, &source.object).await?;
    let conditions = Conditions::of(&call.headers);
    let new = NewObject {
        key: call.key.as_str().into(),
        content,
        attributes,
        how: Created::Copy,
        origin: call.origin(),
    };
    let object = front.objects().put(&bucket, new, |current| conditions.write(&call.key, current))?;
    let sums = &object.content.checksums;
    let mut response = encode::xml(&wire::CopyObjectResult {
        xmlns: wire::Ns,
        last_modified: dates::iso(object.created),
        etag: encode::quoted(&object.content.etag),
        checksum_type: sums.first().map(|sum| checksum::kind_of_sum(sum.of_parts)),
        checksums: encode::checksums(sums, 0),
    })?;
    super::put::encryption(response.headers_mut(), &object);
    versions::tell_made(response.headers_mut(), object.version);
    tell_source(front, &mut response, &source);
    Ok(response)
}

/// Which version of the source was copied, where it keeps any.
fn tell_source(front: &Front, response: &mut Response<Body>, source: &Source) {
    let mut of_source = HeaderMap::new();
    versions::tell(front, &mut of_source, &source.bucket, source.object.version);
    if let Some(version) = of_source.remove("x-amz-version-id") {
        response.headers_mut().insert("x-amz-copy-source-version-id", version);
    }
}

struct Source {
    bucket: BucketId,
    object: Arc<Object>,
    which: Which,
}

fn source(front: &Front, call: &Call) -> Result<Source, Fault> {
    let (bucket, key, which) = decode::copy_source(call.header("x-amz-copy-source").unwrap_or_default())?;
    let bucket = access::bucket(front, call, &bucket)?;
    let object = versions::find(front, &bucket, &key, which).map_err(|fault| match fault.code {
        // A marker cannot be copied, whatever its method.
        Code::MethodNotAllowed => Fault::because(
            Code::InvalidRequest,
            "The source of a copy request may not specifically refer to a delete marker by version id.",
        ),
        _ => fault,
    })?;
    access::check_object(front, call.requester.as_deref(), &bucket, Some(&object))?;
    Conditions::of_source(&call.headers).read_source(&object)?;
    Ok(Source { bucket, object, which })
}

fn replaces(call: &Call, header: &'static str) -> Result<bool, Fault> {
    match call.header(header) {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => {
            let what = if header.contains("tagging") { "tagging" } else { "metadata" };
            Err(Fault::argument(header, other, format!("Unknown {what} directive.")))
        }
    }
}

fn attributes(front: &Front, call: &Call, source: &Source, bucket: &BucketView) -> Result<Attributes, Fault> {
    let own = super::put::attributes(front, bucket, call, &call.headers)?;
    let metadata = replaces(call, "x-amz-metadata-directive")?;
    let tags = replaces(call, "x-amz-tagging-directive")?;
    let kept = &source.object.attributes;
    // Storage class and encryption are never the source's: they are asked for anew.
    let asked: Vec<_> = own.headers.iter().filter(|(name, _)| name.starts_with("x-amz-")).collect();
    // A version that is named is brought back that way.
    let onto_itself =
        source.which == Which::Newest && source.bucket == bucket.id && *source.object.key == *call.key;
    if onto_itself && !metadata && !tags && asked.is_empty() {
        let message = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
        return Err(Fault::because(Code::InvalidRequest, message));
    }
    let headers = if metadata {
        own.headers.clone()
    } else {
        let content = kept.headers.iter().filter(|(name, _)| !name.starts_with("x-amz-"));
        content.chain(asked).map(|(name, value)| (*name, value.clone())).collect()
    };
    Ok(Attributes {
        headers,
        metadata: if metadata { own.metadata } else { kept.metadata.clone() },
        tags: if tags { own.tags } else { kept.tags.clone() },
        documents: own.documents,
    })
}

/// The source's content, read once more only where its digests cannot be the copy's.
async fn content(call: &Call, source: &Object) -> Result<Content, Fault> {
    let content = &source.content;
    let asked = call.header("x-amz-checksum-algorithm");
    let asked = asked.map(|name| {
        checksum::by_name(name).ok_or_else(|| {
            Fault::argument("x-amz-checksum-algorithm", name, "Checksum algorithm is not supported")
        })
    });
    let kind = match asked {
        Some(kind) => kind?,
        None => content.checksums.first().map_or(ChecksumKind::Crc64Nvme, |sum| sum.kind),
    };
    let as_it_is = content.parts.is_empty() && content.checksum(kind).is_some();
    if as_it_is { Ok(content.clone()) } else { redigested(content, kind).await }
}

async fn redigested(content: &Content, kind: ChecksumKind) -> Result<Content, Fault> {
    let digests = content.body.digest(&[kind]).await.map_err(mlemu_engine::objects::Fault::from)?;
    Ok(content.rewritten(digests))
}

pub(in crate::s3) async fn part(front: &Front, call: &Call) -> Answer {
    let (bucket, id, number) = (call.bucket_id(), upload_id(call), part_number(call)?);
    let upload = front.objects().upload(&bucket, &call.key, &id)?;
    let source = source(front, call)?;
    let mut content = source.object.content.clone();
    if let Some(header) = call.header("x-amz-copy-source-range") {
        content.body = content.body.slice(range::of_copy(header, content.size())?);
    }
    let kind = upload.plan.map_or(ChecksumKind::Crc64Nvme, |plan| plan.kind);
    let content = redigested(&content, kind).await?;
    let part = front.objects().put_part(&bucket, &call.key, &id, number.into(), content)?;
    let mut response = encode::xml(&wire::CopyPartResult {
        xmlns: wire::Ns,
        last_modified: dates::iso(part.created),
        etag: encode::quoted(&part.content.etag),
        checksums: encode::checksums(&part.content.checksums, 0),
    })?;
    tell_source(front, &mut response, &source);
    Ok(response)
}
