//! Documents of uploads in parts.

use super::{ChecksumElement, CommonPrefix, Ns, Owner};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct CopyPartResult {
    #[serde(rename = "@xmlns")]
    pub xmlns: Ns,
    pub last_modified: String,
    #[serde(rename = "ETag")]
    pub etag: String,
    #[serde(rename = "$value")]
    pub checksums: Vec<ChecksumElement>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct InitiateMultipartUploadResult {
    #[serde(rename = "@xmlns")]
    pub xmlns: Ns,
    pub bucket: String,
    pub key: String,
    pub upload_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct CompleteMultipartUpload {
    #[serde(default)]
    pub part: Vec<CompletedPart>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct CompletedPart {
    pub part_number: u16,
    #[serde(rename = "ETag")]
    pub etag: Option<String>,
    #[serde(rename = "ChecksumCRC32")]
    pub crc32: Option<String>,
    #[serde(rename = "ChecksumCRC32C")]
    pub crc32c: Option<String>,
    #[serde(rename = "ChecksumCRC64NVME")]
    pub crc64nvme: Option<String>,
    #[serde(rename = "ChecksumSHA1")]
    pub sha1: Option<String>,
    #[serde(rename = "ChecksumSHA256")]
    pub sha256: Option<String>,
    #[serde(rename = "ChecksumSHA512")]
    pub sha512: Option<String>,
    #[serde(rename = "ChecksumMD5")]
    pub md5: Option<String>,
    #[serde(rename = "ChecksumXXHASH64")]
    pub xxh64: Option<String>,
    #[serde(rename = "ChecksumXXHASH3")]
    pub xxh3: Option<String>,
    #[serde(rename = "ChecksumXXHASH128")]
    pub xxh128: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct CompleteMultipartUploadResult {
    #[serde(rename = "@xmlns")]
    pub xmlns: Ns,
    pub location: String,
    pub bucket: String,
    pub key: String,
    #[serde(rename = "ETag")]
    pub etag: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum_type: Option<&'static str>,
    #[serde(rename = "$value")]
    pub checksums: Vec<ChecksumElement>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct ListPartsResult {
    #[serde(rename = "@xmlns")]
    pub xmlns: Ns,
    pub bucket: String,
    pub key: String,
    pub upload_id: String,
    pub part_number_marker: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_part_number_marker: Option<u16>,
    pub max_parts: usize,
    pub is_truncated: bool,
    pub part: Vec<PartEntry>,
    pub storage_class: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum_algorithm: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum_type: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct PartEntry {
    pub part_number: u16,
    pub last_modified: String,
    #[serde(rename = "ETag")]
    pub etag: String,
    pub size: u64,
    #[serde(rename = "$value")]
    pub checksums: Vec<ChecksumElement>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct ListMultipartUploadsResult {
    #[serde(rename = "@xmlns")]
    pub xmlns: Ns,
    pub bucket: String,
    pub key_marker: String,
    pub upload_id_marker: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_key_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_upload_id_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    pub prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding_type: Option<String>,
    pub max_uploads: usize,
    pub is_truncated: bool,
    pub upload: Vec<UploadEntry>,
    pub common_prefixes: Vec<CommonPrefix>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct UploadEntry {
    pub key: String,
    pub upload_id: String,
    pub initiator: Owner,
    pub owner: Owner,
    pub storage_class: String,
    pub initiated: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum_algorithm: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum_type: Option<&'static str>,
}
