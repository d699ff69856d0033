//! Names of versions, as S3 writes them: thirty-two opaque characters, or `null`.
//!
//! Follows "How S3 Versioning works" of the Amazon S3 user guide.

use super::Front;
use super::call::Call;
use super::encode;
use super::fault::{Code, Fault};
use http::HeaderMap;
use mlemu_engine::objects::{BucketId, Fault as CoreFault, Object, Version, VersionName, Versioning, Which};
use sha2::{Digest, Sha256};
use std::sync::Arc;

pub(super) const NULL: &str = "null";

/// Sixty-four characters that URLs and shells leave alone.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
/// Bytes of an id before they are spelled.
const WIDTH: usize = 24;

pub(super) fn text(name: VersionName) -> String {
    name.number().map_or_else(|| NULL.to_owned(), spelled)
}

/// Numbers near each other are spelled far apart, as S3's ids tell nothing of their order.
fn spelled(number: u64) -> String {
    let bytes = scrambled(number);
    let triples = bytes.chunks(3).flat_map(|chunk| {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(bits >> shift & 63) as usize]))
    });
    triples.collect()
}

fn scrambled(number: u64) -> [u8; WIDTH] {
    let digest = Sha256::digest(number.to_be_bytes());
    let mut bytes = [0; WIDTH];
    bytes[..16].copy_from_slice(&digest[..16]);
    for (at, byte) in number.to_be_bytes().iter().enumerate() {
        bytes[16 + at] = byte ^ digest[at];
    }
    bytes
}

fn number(text: &str) -> Option<u64> {
    let digits: Vec<u32> = text
        .bytes()
        .map(|byte| ALPHABET.iter().position(|known| *known == byte).map(|at| at as u32))
        .collect::<Option<_>>()?;
    if digits.len() != WIDTH * 4 / 3 {
        return None;
    }
    let bytes: Vec<u8> = digits
        .chunks(4)
        .flat_map(|chunk| {
            let bits = chunk.iter().fold(0, |bits, digit| bits << 6 | digit);
            [(bits >> 16) as u8, (bits >> 8) as u8, bits as u8]
        })
        .collect();
    let number = (0..8).fold(0, |number, at| number << 8 | u64::from(bytes[16 + at] ^ bytes[at]));
    (scrambled(number) == *bytes).then_some(number)
}

/// The version that a text names. Fails where it can be no version's id.
pub(super) fn name(text: &str) -> Result<VersionName, Fault> {
    if text == NULL {
        return Ok(VersionName::Unnamed);
    }
    if text.is_empty() {
        return Err(Fault::argument("versionId", text, "Version id cannot be the empty string"));
    }
    let wrong = || Fault::argument("versionId", text, "Invalid version id specified");
    number(text).map(VersionName::Numbered).ok_or_else(wrong)
}

/// The version that a request is about.
pub(super) fn which(call: &Call) -> Result<Which, Fault> {
    call.query.get("versionId").map_or(Ok(Which::Newest), |text| name(text).map(Which::Named))
}

/// The object of that version. A marker is none, and the client is told so.
pub(super) fn find(front: &Front, bucket: &BucketId, key: &str, which: Which) -> Result<Arc<Object>, Fault> {
    let found = front.objects().version(bucket, key, which).map_err(|fault| match (fault, which) {
        (CoreFault::NoVersion { .. } | CoreFault::NoObject { .. }, Which::Named(name)) => {
            Fault::new(Code::NoSuchVersion).with("Key", key).with("VersionId", text(name))
        }
        (fault, _) => fault.into(),
    })?;
    let marker = match found {
        Version::Object(object) => return Ok(object),
        Version::Marker(marker) => marker,
    };
    let fault = match which {
        Which::Newest => Fault::new(Code::NoSuchKey).with("Key", key),
        Which::Named(_) => Fault::new(Code::MethodNotAllowed)
            .with("Method", "GET")
            .with("ResourceType", "DeleteMarker")
            .answered("allow", "DELETE")
            .answered("last-modified", super::dates::http(marker.created)),
    };
    Err(fault.answered("x-amz-delete-marker", "true").answered("x-amz-version-id", text(marker.name)))
}

/// The object that a request is about.
pub(super) fn wanted(front: &Front, call: &Call) -> Result<Arc<Object>, Fault> {
    find(front, &call.bucket_id(), &call.key, which(call)?)
}

/// Says which version was made. Buckets that keep none any more say nothing.
pub(super) fn tell_made(headers: &mut HeaderMap, version: VersionName) {
    if version != VersionName::Unnamed {
        encode::set(headers, "x-amz-version-id", &text(version));
    }
}

/// Says which version it is, in buckets that ever kept any.
pub(super) fn tell(front: &Front, headers: &mut HeaderMap, bucket: &BucketId, version: VersionName) {
    let kept = || front.objects().bucket(bucket).is_ok_and(|view| view.versioning != Versioning::Off);
    if version != VersionName::Unnamed || kept() {
        encode::set(headers, "x-amz-version-id", &text(version));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_as_their_numbers() {
        for at in [0, 1, 2, 255, 1 << 40, u64::MAX] {
            let id = spelled(at);
            assert_eq!(id.len(), 32, "{id}");
            assert_eq!(name(&id), Ok(VersionName::Numbered(at)));
        }
        assert_eq!(name("null"), Ok(VersionName::Unnamed));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let other = spelled(7).replace(|char: char| char.is_ascii_digit(), "A");
        for wrong in ["", "7", "NULL", "../..", &spelled(7)[1..], &format!("{}A", spelled(7)), &other] {
            assert_eq!(name(wrong).unwrap_err().code, Code::InvalidArgument, "{wrong}");
        }
    }
}
