//! GetObjectAttributes.

use crate::s3::call::Call;
use crate::s3::encode::{self, Answer};
use crate::s3::fault::{Code, Fault};
use crate::s3::{Front, checksum, dates, versions, wire};
use mlemu_engine::objects::{Checksum, Object, PartMark};

const MOST: usize = 1000;

pub(in crate::s3) fn get(front: &Front, call: &Call) -> Answer {
    let object = versions::wanted(front, call)?;
    let values = call.headers.get_all("x-amz-object-attributes").iter();
    let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    if values.is_empty() {
        let message = "x-amz-object-attributes header is required";
        return Err(Fault::because(Code::InvalidRequest, message));
    }
    let has = |name: &str| values.iter().flat_map(|value| value.split(',')).any(|one| one.trim() == name);
    let content = &object.content;
    let sum = content.checksums.first().filter(|_| has("Checksum"));
    let with_parts = has("ObjectParts") && !content.parts.is_empty();
    let mut response = encode::xml(&wire::GetObjectAttributesResponse {
        xmlns: wire::Ns,
        etag: has("ETag").then(|| content.etag.to_string()),
        checksum: sum.map(|sum| wire::ObjectChecksum {
            checksum_type: checksum::kind_of_sum(sum.of_parts),
            checksums: encode::checksums(&bare(&content.checksums), 0),
        }),
        object_parts: if with_parts { Some(parts(call, &object)?) } else { None },
        storage_class: has("StorageClass").then(|| encode::storage_class(&object)),
        object_size: has("ObjectSize").then(|| content.size()),
    })?;
    encode::set(response.headers_mut(), "last-modified", &dates::http(object.created));
    versions::tell(front, response.headers_mut(), &call.bucket_id(), object.version);
    Ok(response)
}

/// Here, and only here, a sum of sums does not say of how many.
fn bare(sums: &[Checksum]) -> Vec<Checksum> {
    sums.iter().map(|sum| Checksum { of_parts: false, ..sum.clone() }).collect()
}

/// One page of the parts that the object was joined from.
fn parts(call: &Call, object: &Object) -> Result<wire::ObjectParts, Fault> {
    let number = |name: &str, usual| match call.header(name) {
        None => Ok(usual),
        Some(text) => text.parse::<u16>().map_err(|_| Fault::argument(name, text, "Not a number")),
    };
    let marker = number("x-amz-part-number-marker", 0)?;
    let limit = usize::from(number("x-amz-max-parts", 1000)?).min(MOST);
    let name = |part: &PartMark| part.name.number().unwrap_or_default();
    let all = &object.content.parts;
    let mut page: Vec<&PartMark> = all.iter().filter(|part| name(part) > marker).collect();
    let is_truncated = page.len() > limit;
    page.truncate(limit);
    let entry = |part: &&PartMark| wire::AttributesPart {
        part_number: name(part),
        size: part.size,
        checksums: encode::checksums(&part.checksums, 0),
    };
    Ok(wire::ObjectParts {
        count: all.len(),
        part_number_marker: marker,
        next_part_number_marker: page.last().map_or(0, |part| name(part)),
        max_parts: limit,
        is_truncated,
        part: page.iter().map(entry).collect(),
    })
}
