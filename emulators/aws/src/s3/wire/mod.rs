//! S3's XML documents: the only place with their spelling.
//!
//! Follows the "Data types" and the operations' pages of the Amazon S3 API reference.

mod buckets;
mod listings;
mod multipart;
mod notifications;
mod objects;

pub(in crate::s3) use buckets::*;
pub(in crate::s3) use listings::*;
pub(in crate::s3) use multipart::*;
pub(in crate::s3) use notifications::*;
pub(in crate::s3) use objects::*;

use serde::{Serialize, Serializer};

/// The namespace attribute of every document that S3 answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::s3) struct Ns;

impl Serialize for Ns {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("http://s3.amazonaws.com/doc/2006-03-01/")
    }
}

#[derive(Clone, Debug, Serialize)]
pub(in crate::s3) struct Owner {
    #[serde(rename = "ID")]
    pub id: String,
}

/// The checksum of an object or a part, in base64: its kind is the element's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::s3) enum ChecksumElement {
    #[serde(rename = "ChecksumCRC32")]
    Crc32(String),
    #[serde(rename = "ChecksumCRC32C")]
    Crc32c(String),
    #[serde(rename = "ChecksumCRC64NVME")]
    Crc64Nvme(String),
    #[serde(rename = "ChecksumSHA1")]
    Sha1(String),
    #[serde(rename = "ChecksumSHA256")]
    Sha256(String),
    #[serde(rename = "ChecksumSHA512")]
    Sha512(String),
    #[serde(rename = "ChecksumMD5")]
    Md5(String),
    #[serde(rename = "ChecksumXXHASH64")]
    Xxh64(String),
    #[serde(rename = "ChecksumXXHASH3")]
    Xxh3(String),
    #[serde(rename = "ChecksumXXHASH128")]
    Xxh128(String),
}
