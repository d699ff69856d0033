//! Listings of uploads and of their parts.

use super::multipart::upload_id;
use crate::s3::call::Call;
use crate::s3::encode::{self, Answer};
use crate::s3::{Front, checksum, dates, wire};
use mlemu_engine::objects::{Part, UploadView};
use std::sync::Arc;

const MOST: usize = 1000;

fn storage_class(upload: &UploadView) -> String {
    upload.attributes.headers.get("x-amz-storage-class").map_or("STANDARD", String::as_str).to_owned()
}

pub(in crate::s3) fn parts(front: &Front, call: &Call) -> Answer {
    let upload = front.objects().upload(&call.bucket_id(), &call.key, &upload_id(call))?;
    let marker = call.number("part-number-marker", 0, 10_000)? as u16;
    let limit = call.number("max-parts", MOST, MOST)?;
    let after = |part: &&Arc<Part>| part.name.number().is_some_and(|number| number > marker);
    let mut parts: Vec<_> = upload.parts.iter().filter(after).collect();
    let more = parts.len() > limit;
    parts.truncate(limit);
    let entry = |part: &&Arc<Part>| wire::PartEntry {
        part_number: part.name.number().unwrap_or_default(),
        last_modified: dates::iso(part.created),
        etag: encode::quoted(&part.content.etag),
        size: part.content.size(),
        checksums: encode::checksums(&part.content.checksums, 0),
    };
    encode::xml(&wire::ListPartsResult {
        bucket: call.bucket.clone(),
        key: call.key.clone(),
        upload_id: upload.id.to_string(),
        part_number_marker: marker,
        next_part_number_marker: parts.last().and_then(|part| part.name.number()),
        max_parts: limit,
        is_truncated: more,
        part: parts.iter().map(entry).collect(),
        storage_class: storage_class(&upload),
        checksum_algorithm: upload.plan.map(|plan| checksum::name(plan.kind)),
        checksum_type: upload.plan.map(|plan| checksum::kind_of_sum(plan.of_parts)),
        ..wire::ListPartsResult::default()
    })
}

pub(in crate::s3) fn uploads(front: &Front, call: &Call) -> Answer {
    let limit = call.number("max-uploads", MOST, MOST)?;
    let text = |name| call.query.text(name);
    let (prefix, key_marker, id_marker) = (text("prefix"), text("key-marker"), text("upload-id-marker"));
    let all = front.objects().uploads(&call.bucket_id())?;
    let begun = all.iter().find(|upload| *upload.id.0 == *id_marker).map(|upload| upload.begun);
    let is_after = |upload: &&UploadView| match (*upload.key).cmp(key_marker) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        // Among uploads of the marker's key, those younger than the marked one.
        std::cmp::Ordering::Equal => {
            begun.is_some_and(|begun| (upload.begun, &*upload.id.0) > (begun, id_marker))
        }
    };
    let mut found: Vec<_> =
        all.iter().filter(|upload| upload.key.starts_with(prefix)).filter(is_after).collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more);
    let owner = encode::owner(&call.scope.account);
    let entry = |upload: &&UploadView| wire::UploadEntry {
        key: upload.key.to_string(),
        upload_id: upload.id.to_string(),
        initiator: owner.clone(),
        owner: owner.clone(),
        storage_class: storage_class(upload),
        initiated: dates::iso(upload.begun),
        checksum_algorithm: upload.plan.map(|plan| checksum::name(plan.kind)),
        checksum_type: upload.plan.map(|plan| checksum::kind_of_sum(plan.of_parts)),
    };
    encode::xml(&wire::ListMultipartUploadsResult {
        bucket: call.bucket.clone(),
        key_marker: key_marker.to_owned(),
        upload_id_marker: id_marker.to_owned(),
        next_key_marker: last.map(|upload| upload.key.to_string()),
        next_upload_id_marker: last.map(|upload| upload.id.to_string()),
        prefix: prefix.to_owned(),
        max_uploads: limit,
        is_truncated: more,
        upload: found.iter().map(entry).collect(),
        ..wire::ListMultipartUploadsResult::default()
    })
}
