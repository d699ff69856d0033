//! Documents about buckets themselves.

use super::{Ns, Owner};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct ListAllMyBucketsResult {
    #[serde(rename = "@xmlns")]
    pub xmlns: Ns,
    pub owner: Owner,
    pub buckets: Buckets,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continuation_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct Buckets {
    pub bucket: Vec<BucketEntry>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct BucketEntry {
    pub name: String,
    pub creation_date: String,
    pub bucket_region: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct CreateBucketConfiguration {
    pub location_constraint: Option<String>,
}

#[derive(Debug, Serialize)]
pub(in crate::s3) struct LocationConstraint {
    #[serde(rename = "@xmlns")]
    pub xmlns: Ns,
    #[serde(rename = "$text")]
    pub region: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::s3) struct VersioningConfiguration {
    #[serde(rename = "@xmlns", skip_deserializing)]
    pub xmlns: Ns,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mfa_delete: Option<String>,
}
