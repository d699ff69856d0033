//! Documents about single objects.

use super::{ChecksumElement, Ns};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct CopyObjectResult {
    #[serde(rename = "@xmlns")]
    pub xmlns: Ns,
    pub last_modified: String,
    #[serde(rename = "ETag")]
    pub etag: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum_type: Option<&'static str>,
    #[serde(rename = "$value")]
    pub checksums: Vec<ChecksumElement>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct Delete {
    #[serde(default)]
    pub object: Vec<ObjectIdentifier>,
    #[serde(default)]
    pub quiet: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct ObjectIdentifier {
    pub key: String,
    pub version_id: Option<String>,
    #[serde(rename = "ETag")]
    pub etag: Option<String>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct DeleteResult {
    #[serde(rename = "@xmlns")]
    pub xmlns: Ns,
    pub deleted: Vec<Deleted>,
    pub error: Vec<DeleteError>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct Deleted {
    pub key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_marker: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_marker_version_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct DeleteError {
    pub key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    pub code: &'static str,
    pub message: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct Tagging {
    #[serde(rename = "@xmlns", skip_deserializing)]
    pub xmlns: Ns,
    #[serde(default)]
    pub tag_set: TagSet,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct TagSet {
    #[serde(default)]
    pub tag: Vec<Tag>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct Tag {
    pub key: String,
    #[serde(default)]
    pub value: String,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct GetObjectAttributesResponse {
    #[serde(rename = "@xmlns")]
    pub xmlns: Ns,
    #[serde(rename = "ETag", skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<ObjectChecksum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_parts: Option<ObjectParts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_size: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct ObjectChecksum {
    pub checksum_type: &'static str,
    #[serde(rename = "$value")]
    pub checksums: Vec<ChecksumElement>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct ObjectParts {
    #[serde(rename = "PartsCount")]
    pub count: usize,
    pub part_number_marker: u16,
    pub next_part_number_marker: u16,
    pub max_parts: usize,
    pub is_truncated: bool,
    pub part: Vec<AttributesPart>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct AttributesPart {
    pub part_number: u16,
    pub size: u64,
    #[serde(rename = "$value")]
    pub checksums: Vec<ChecksumElement>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct PostResponse {
    pub location: String,
    pub bucket: String,
    pub key: String,
    #[serde(rename = "ETag")]
    pub etag: String,
}
