//! PutObject.

use crate::s3::acl::{self, Acl};
use crate::s3::call::Call;
use crate::s3::conditions::Conditions;
use crate::s3::encode::{self, Answer};
use crate::s3::fault::Fault;
use crate::s3::{Front, decode, lock, payload, versions};
use axum::body::Body;
use http::{HeaderMap, StatusCode};
use mlemu_core::occurrence::Created;
use mlemu_engine::objects::{Attributes, BucketView, ChecksumKind, NewObject, Object};

pub(in crate::s3) async fn object(front: &Front, call: &Call, body: Body) -> Answer {
    let bucket = call.bucket_id();
    let view = front.objects().bucket(&bucket)?;
    let attributes = attributes(front, &view, call, &call.headers)?;
    let conditions = Conditions::of(&call.headers);
    // Refused before the body is read where it can be; what counts is the check at the commit.
    conditions.write(&call.key, front.objects().get(&bucket, &call.key).ok().as_deref())?;
    let content = payload::receive(front, call, body, Some(ChecksumKind::Crc64Nvme)).await?;
    let new = NewObject {
        key: call.key.as_str().into(),
        content,
        attributes,
        how: Created::Put,
        origin: call.origin(),
    };
    let object = front.objects().put(&bucket, new, |current| conditions.write(&call.key, current))?;
    let mut response = encode::empty(StatusCode::OK);
    confirm(response.headers_mut(), &object);
    versions::tell_made(response.headers_mut(), object.version);
    Ok(response)
}

/// What is said about a new object: by its request, and by its bucket for all.
pub(super) fn attributes(
    front: &Front,
    bucket: &BucketView,
    call: &Call,
    headers: &HeaderMap,
) -> Result<Attributes, Fault> {
    let mut attributes = decode::attributes(headers)?;
    lock::apply(bucket, headers, front.parts.clock.now(), &mut attributes)?;
    let owner = acl::owner_of_bucket(bucket);
    let writer = call.requester.as_ref().map_or_else(|| owner.clone(), |account| encode::owner(account).id);
    if let Some(acl) = Acl::of_headers(headers, &writer, &owner)? {
        acl::check(bucket, &acl)?;
        attributes.documents.insert(acl::DOCUMENT.into(), acl.document().into());
    }
    if writer != owner {
        attributes.documents.insert(acl::OWNER.into(), writer.into());
    }
    Ok(attributes)
}

/// What the writer of an object is told of it.
pub(super) fn confirm(headers: &mut HeaderMap, object: &Object) {
    encode::set(headers, "etag", &encode::quoted(&object.content.etag));
    encryption(headers, object);
    if let Some(sum) = object.content.checksums.first() {
        encode::set_checksum(headers, sum, object.content.parts.len());
    }
}

pub(super) fn encryption(headers: &mut HeaderMap, object: &Object) {
    encode::set(headers, "x-amz-server-side-encryption", "AES256");
    let kept = object.attributes.headers.iter();
    for (name, value) in kept.filter(|(name, _)| name.starts_with("x-amz-server-side-encryption")) {
        encode::set(headers, name, value);
    }
}
