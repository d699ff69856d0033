//! Multipart uploads: begin, parts, completion.
//!
//! Follows "Uploading and copying objects using multipart upload" of the Amazon S3 user guide.

use crate::s3::call::Call;
use crate::s3::conditions::{self, Conditions};
use crate::s3::encode::{self, Answer};
use crate::s3::fault::{Code, Fault};
use crate::s3::wire::{CompleteMultipartUpload, CompletedPart};
use crate::s3::{Front, checksum, decode, payload, versions, wire};
use axum::body::Body;
use bytes::Bytes;
use http::StatusCode;
use md5::{Digest, Md5};
use mlemu_engine::objects::{
    Checksum, ChecksumKind, Fault as CoreFault, Joined, Object, Part, Plan, UploadId, UploadView, hex,
};
use std::sync::Arc;

/// The smallest part but for the last, in bytes.
const SMALLEST: u64 = 5 * 1024 * 1024;

pub(super) fn upload_id(call: &Call) -> UploadId {
    UploadId(call.query.text("uploadId").into())
}

pub(super) fn part_number(call: &Call) -> Result<u16, Fault> {
    let text = call.query.text("partNumber");
    text.parse().ok().filter(|number| (1..=10_000).contains(number)).ok_or_else(|| {
        Fault::argument("partNumber", text, "Part number must be an integer between 1 and 10000, inclusive")
    })
}

pub(in crate::s3) fn create(front: &Front, call: &Call) -> Answer {
    let bucket = front.objects().bucket(&call.bucket_id())?;
    let attributes = super::put::attributes(front, &bucket, call, &call.headers)?;
    let plan = checksum::plan(&call.headers)?;
    let id = front.objects().begin_upload(&call.bucket_id(), &call.key, attributes, Some(plan))?;
    let mut response = encode::xml(&wire::InitiateMultipartUploadResult {
        xmlns: wire::Ns,
        bucket: call.bucket.clone(),
        key: call.key.clone(),
        upload_id: id.to_string(),
    })?;
    let headers = response.headers_mut();
    encode::set(headers, "x-amz-server-side-encryption", "AES256");
    if call.headers.contains_key("x-amz-checksum-algorithm") {
        encode::set(headers, "x-amz-checksum-algorithm", checksum::name(plan.kind));
        encode::set(headers, "x-amz-checksum-type", checksum::kind_of_sum(plan.of_parts));
    }
    Ok(response)
}

pub(in crate::s3) async fn part(front: &Front, call: &Call, body: Body) -> Answer {
    let (bucket, id, number) = (call.bucket_id(), upload_id(call), part_number(call)?);
    let upload = front.objects().upload(&bucket, &call.key, &id)?;
    let content = payload::receive(front, call, body, upload.plan.map(|plan| plan.kind)).await?;
    let part = front.objects().put_part(&bucket, &call.key, &id, number.into(), content)?;
    let mut response = encode::empty(StatusCode::OK);
    let headers = response.headers_mut();
    encode::set(headers, "etag", &encode::quoted(&part.content.etag));
    encode::set(headers, "x-amz-server-side-encryption", "AES256");
    if let Some(sum) = part.content.checksums.first() {
        encode::set(headers, checksum::header(sum.kind), &checksum::text(sum, 0));
    }
    Ok(response)
}

pub(in crate::s3) fn abort(front: &Front, call: &Call) -> Answer {
    front.objects().abort_upload(&call.bucket_id(), &call.key, &upload_id(call))?;
    Ok(encode::empty(StatusCode::NO_CONTENT))
}

pub(in crate::s3) async fn complete(front: &Front, call: &Call, body: Body) -> Answer {
    let (bucket, id) = (call.bucket_id(), upload_id(call));
    let document = payload::document_beside_checksum(front, call, body).await?;
    let wanted: CompleteMultipartUpload = decode::xml("CompleteMultipartUpload", &document)?;
    let upload = match front.objects().upload(&bucket, &call.key, &id) {
        Ok(upload) => upload,
        Err(CoreFault::NoUpload { id }) => return repeated(front, call, &id),
        Err(fault) => return Err(fault.into()),
    };
    let parts = chosen(&upload, &wanted.part)?;
    let sum = joined_checksum(&upload, &parts);
    check_claim(call, sum.as_ref(), &parts)?;
    let joined = Joined {
        parts: &parts,
        etag: joined_etag(&parts),
        checksums: sum.into_iter().collect(),
        origin: call.origin(),
    };
    let conditions = Conditions::of(&call.headers);
    let object = front
        .objects()
        .complete_upload(&bucket, &upload, joined, |current| conditions.write(&call.key, current))?;
    completed(call, &object)
}

/// A client that did not hear the first answer asks again and hears it.
fn repeated(front: &Front, call: &Call, id: &str) -> Answer {
    match front.objects().get(&call.bucket_id(), &call.key) {
        Ok(object) if object.upload.as_ref().is_some_and(|upload| *upload.0 == *id) => {
            completed(call, &object)
        }
        _ => Err(CoreFault::NoUpload { id: id.to_owned() }.into()),
    }
}

fn completed(call: &Call, object: &Object) -> Answer {
    let content = &object.content;
    let mut response = encode::xml(&wire::CompleteMultipartUploadResult {
        xmlns: wire::Ns,
        location: call.url_of(&call.key),
        bucket: call.bucket.clone(),
        key: call.key.clone(),
        etag: encode::quoted(&content.etag),
        checksum_type: content.checksums.first().map(|sum| checksum::kind_of_sum(sum.of_parts)),
        checksums: encode::checksums(&content.checksums, content.parts.len()),
    })?;
    super::put::encryption(response.headers_mut(), object);
    versions::tell_made(response.headers_mut(), object.version);
    Ok(response)
}

/// The parts that the client names, which must be there, in order, and large enough.
fn chosen(upload: &UploadView, wanted: &[CompletedPart]) -> Result<Vec<Arc<Part>>, Fault> {
    if wanted.is_empty() {
        return Err(Code::MalformedXML.into());
    }
    if !wanted.is_sorted_by(|a, b| a.part_number < b.part_number) {
        return Err(Fault::new(Code::InvalidPartOrder).with("UploadId", upload.id.to_string()));
    }
    let mut parts = Vec::with_capacity(wanted.len());
    for claim in wanted {
        let found = upload.parts.iter().find(|part| part.name.number() == Some(claim.part_number));
        let part = found.filter(|part| is_claimed(part, claim)).ok_or_else(|| missing(upload, claim))?;
        parts.push(part.clone());
    }
    let but_last = &parts[..parts.len() - 1];
    if let Some(small) = but_last.iter().find(|part| part.content.size() < SMALLEST) {
        return Err(Fault::new(Code::EntityTooSmall)
            .with("ProposedSize", small.content.size().to_string())
            .with("MinSizeAllowed", SMALLEST.to_string())
            .with("PartNumber", small.name.number().unwrap_or_default().to_string())
            .with("ETag", small.content.etag.to_string()));
    }
    Ok(parts)
}

fn missing(upload: &UploadView, claim: &CompletedPart) -> Fault {
    Fault::new(Code::InvalidPart)
        .with("UploadId", upload.id.to_string())
        .with("PartNumber", claim.part_number.to_string())
        .with("ETag", claim.etag.as_deref().map(conditions::bare).unwrap_or_default())
}

/// Whether tag and checksums of the claim are the part's.
fn is_claimed(part: &Part, claim: &CompletedPart) -> bool {
    let sums = [
        (ChecksumKind::Crc32, &claim.crc32),
        (ChecksumKind::Crc32c, &claim.crc32c),
        (ChecksumKind::Crc64Nvme, &claim.crc64nvme),
        (ChecksumKind::Sha1, &claim.sha1),
        (ChecksumKind::Sha256, &claim.sha256),
        (ChecksumKind::Sha512, &claim.sha512),
        (ChecksumKind::Md5, &claim.md5),
        (ChecksumKind::Xxh64, &claim.xxh64),
        (ChecksumKind::Xxh3, &claim.xxh3),
        (ChecksumKind::Xxh128, &claim.xxh128),
    ];
    let same =
        |(kind, claimed): &(ChecksumKind, &Option<String>)| match (claimed, part.content.checksum(*kind)) {
            (Some(claimed), Some(sum)) => *claimed == checksum::text(sum, 0),
            _ => true,
        };
    claim.etag.as_deref().is_none_or(|etag| conditions::bare(etag) == &*part.content.etag)
        && sums.iter().all(same)
}

/// The MD5 of the parts' MD5s, and how many they were.
fn joined_etag(parts: &[Arc<Part>]) -> String {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(part.content.md5.unwrap_or_default());
    }
    format!("{}-{}", hex(&md5.finalize()), parts.len())
}

/// The object's checksum as it was planned; `None` where a part came with another kind.
fn joined_checksum(upload: &UploadView, parts: &[Arc<Part>]) -> Option<Checksum> {
    let Plan { kind, of_parts } = upload.plan?;
    let sums: Vec<&Bytes> =
        parts.iter().map(|part| part.content.checksum(kind).map(|sum| &sum.value)).collect::<Option<_>>()?;
    let value = if of_parts {
        kind.of(&sums.iter().flat_map(|sum| sum.iter().copied()).collect::<Vec<u8>>())
    } else {
        let (first, rest) = sums.split_first()?;
        rest.iter().zip(&parts[1..]).try_fold(Bytes::clone(first), |joined, (sum, part)| {
            kind.join(&joined, sum, part.content.size())
        })?
    };
    Some(Checksum { kind, value, of_parts })
}

/// The client may say what the whole object's checksum is to be.
fn check_claim(call: &Call, sum: Option<&Checksum>, parts: &[Arc<Part>]) -> Result<(), Fault> {
    let Some(sum) = sum else { return Ok(()) };
    let Some(claimed) = call.header(checksum::header(sum.kind)) else { return Ok(()) };
    let value = checksum::text(sum, parts.len());
    // With or without the number of parts.
    let plain = value.split('-').next().unwrap_or_default();
    if claimed == value || claimed == plain { Ok(()) } else { Err(checksum::mismatch(sum.kind)) }
}
