//! The checksum headers of S3: what a request claims, and how values are written.
//!
//! Follows "Checking object integrity for data uploads" of the Amazon S3 user guide.

use super::fault::{Code, Fault};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use mlemu_engine::objects::{Checksum, ChecksumKind, Plan};

/// A kind, its name in values, and its header.
struct Row(ChecksumKind, &'static str, &'static str);

const TABLE: [Row; 10] = [
    Row(ChecksumKind::Crc32, "CRC32", "x-amz-checksum-crc32"),
    Row(ChecksumKind::Crc32c, "CRC32C", "x-amz-checksum-crc32c"),
    Row(ChecksumKind::Crc64Nvme, "CRC64NVME", "x-amz-checksum-crc64nvme"),
    Row(ChecksumKind::Sha1, "SHA1", "x-amz-checksum-sha1"),
    Row(ChecksumKind::Sha256, "SHA256", "x-amz-checksum-sha256"),
    Row(ChecksumKind::Sha512, "SHA512", "x-amz-checksum-sha512"),
    Row(ChecksumKind::Md5, "MD5", "x-amz-checksum-md5"),
    Row(ChecksumKind::Xxh64, "XXHASH64", "x-amz-checksum-xxhash64"),
    Row(ChecksumKind::Xxh3, "XXHASH3", "x-amz-checksum-xxhash3"),
    Row(ChecksumKind::Xxh128, "XXHASH128", "x-amz-checksum-xxhash128"),
];

pub(super) fn name(kind: ChecksumKind) -> &'static str {
    TABLE.iter().find(|row| row.0 == kind).map_or("", |row| row.1)
}

pub(super) fn header(kind: ChecksumKind) -> &'static str {
    TABLE.iter().find(|row| row.0 == kind).map_or("", |row| row.2)
}

pub(super) fn by_name(name: &str) -> Option<ChecksumKind> {
    TABLE.iter().find(|row| row.1.eq_ignore_ascii_case(name)).map(|row| row.0)
}

pub(super) fn by_header(name: &str) -> Option<ChecksumKind> {
    TABLE.iter().find(|row| row.2.eq_ignore_ascii_case(name)).map(|row| row.0)
}

/// What a request says about the checksum of its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    None,
    Value(ChecksumKind, Bytes),
    /// It comes after the body.
    Trailer(ChecksumKind),
}

impl Claim {
    pub fn kind(&self) -> Option<ChecksumKind> {
        match self {
            Claim::None => None,
            Claim::Value(kind, _) | Claim::Trailer(kind) => Some(*kind),
        }
    }

    pub fn of(headers: &HeaderMap) -> Result<Self, Fault> {
        let mut claim = Claim::None;
        for row in &TABLE {
            let Some(value) = headers.get(row.2) else { continue };
            if claim != Claim::None {
                let message =
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
                return Err(Fault::because(Code::InvalidRequest, message));
            }
            claim = Claim::Value(row.0, value_of(row.0, value.to_str().unwrap_or_default())?);
        }
        let trailer = headers.get("x-amz-trailer").and_then(|value| value.to_str().ok());
        let named = trailer.into_iter().flat_map(|names| names.split(',')).map(str::trim);
        for name in named.filter(|name| !name.is_empty()) {
            let kind = by_header(name).ok_or_else(|| {
                Fault::because(
                    Code::InvalidRequest,
                    "The value specified in the x-amz-trailer header is not supported",
                )
            })?;
            claim = Claim::Trailer(kind);
        }
        Ok(claim)
    }
}

/// Decodes a value, which must have its kind's length.
pub(super) fn value_of(kind: ChecksumKind, text: &str) -> Result<Bytes, Fault> {
    match STANDARD.decode(text) {
        Ok(value) if value.len() == kind.width() => Ok(value.into()),
        _ => Err(Fault::because(
            Code::InvalidRequest,
            format!("Value for {} header is invalid.", header(kind)),
        )),
    }
}

/// As S3 writes it: base64, with the number of parts when it was made of theirs.
pub(super) fn text(checksum: &Checksum, parts: usize) -> String {
    let value = STANDARD.encode(&checksum.value);
    if checksum.of_parts { format!("{value}-{parts}") } else { value }
}

pub(super) fn kind_of_sum(of_parts: bool) -> &'static str {
    if of_parts { "COMPOSITE" } else { "FULL_OBJECT" }
}

pub(super) fn mismatch(kind: ChecksumKind) -> Fault {
    let message = format!("The {} you specified did not match the calculated checksum.", name(kind));
    Fault::because(Code::BadDigest, message)
}

/// The checksum that a multipart upload plans for its object, from the headers that begin it.
pub(super) fn plan(headers: &HeaderMap) -> Result<Plan, Fault> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = match text("x-amz-checksum-algorithm") {
        None => ChecksumKind::Crc64Nvme,
        Some(name) => by_name(name).ok_or_else(|| {
            Fault::because(Code::InvalidRequest, "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3, XXHASH128]")
        })?,
    };
    let of_parts = match text("x-amz-checksum-type") {
        None => kind != ChecksumKind::Crc64Nvme,
        Some("COMPOSITE") if kind != ChecksumKind::Crc64Nvme => true,
        Some("FULL_OBJECT") if kind.joins() => false,
        Some(wanted) => {
            let name = name(kind).to_ascii_lowercase();
            let message =
                format!("The {wanted} checksum type cannot be used with the {name} checksum algorithm.");
            return Err(Fault::because(Code::InvalidRequest, message));
        }
    };
    Ok(Plan { kind, of_parts })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn claims() {
        assert_eq!(Claim::of(&headers(&[])).unwrap(), Claim::None);
        let value = Claim::of(&headers(&[("x-amz-checksum-crc32", "y/Q5Jg==")])).unwrap();
        assert_eq!(value, Claim::Value(ChecksumKind::Crc32, ChecksumKind::Crc32.of(b"123456789")));
        let trailer = Claim::of(&headers(&[("x-amz-trailer", "X-Amz-Checksum-SHA1")])).unwrap();
        assert_eq!(trailer, Claim::Trailer(ChecksumKind::Sha1));
        for wrong in [
            headers(&[("x-amz-checksum-crc32", "y/Q5JgAA")]),
            headers(&[("x-amz-checksum-crc32", "!")]),
            headers(&[("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-checksum-crc32c", "y/Q5Jg==")]),
            headers(&[("x-amz-trailer", "x-amz-checksum-md4")]),
        ] {
            assert_eq!(Claim::of(&wrong).unwrap_err().code, Code::InvalidRequest);
        }
    }

    #[test]
    fn plans() {
        let of = |pairs: &[(&'static str, &'static str)]| {
            plan(&headers(pairs)).map(|plan| (name(plan.kind), plan.of_parts))
        };
        assert_eq!(of(&[]).unwrap(), ("CRC64NVME", false));
        assert_eq!(of(&[("x-amz-checksum-algorithm", "CRC32")]).unwrap(), ("CRC32", true));
        let whole = [("x-amz-checksum-algorithm", "CRC32"), ("x-amz-checksum-type", "FULL_OBJECT")];
        assert_eq!(of(&whole).unwrap(), ("CRC32", false));
        assert!(of(&[("x-amz-checksum-algorithm", "SHA1"), ("x-amz-checksum-type", "FULL_OBJECT")]).is_err());
        assert!(of(&[("x-amz-checksum-algorithm", "MD4")]).is_err());
    }
}
