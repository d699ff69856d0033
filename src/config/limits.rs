//! What a cloud would refuse at deployment, so that it is refused here too.
//!
//! AWS: Lambda Developer Guide, "Lambda quotas"; S3 User Guide, "General purpose bucket naming rules".
//! Google: Cloud Functions documentation, "Quotas".

use std::ops::RangeInclusive;
use std::time::Duration;

pub const MIB: u64 = 1024 * 1024;
const AWS_MEMORY_MIB: RangeInclusive<u64> = 128..=10_240;
const AWS_TMP_MIB: RangeInclusive<u64> = 512..=10_240;
const AWS_TIMEOUT_SECONDS: RangeInclusive<u64> = 1..=900;
const GCP_TIMEOUT_SECONDS: RangeInclusive<u64> = 1..=3600;

/// What is wrong with a memory limit of `bytes`, if something is.
pub fn memory_fault(cloud: &str, bytes: u64) -> Option<String> {
    size_fault(cloud, "memory", bytes, &AWS_MEMORY_MIB)
}

/// What is wrong with a scratch folder of `bytes`, if something is.
pub fn tmp_fault(cloud: &str, bytes: u64) -> Option<String> {
    size_fault(cloud, "ephemeral storage", bytes, &AWS_TMP_MIB)
}

pub fn timeout_fault(cloud: &str, timeout: Duration) -> Option<String> {
    let (whose, range) = match cloud {
        "aws" => ("Lambda takes", &AWS_TIMEOUT_SECONDS),
        "gcp" => ("Cloud Functions take", &GCP_TIMEOUT_SECONDS),
        _ => return None,
    };
    let fits = range.contains(&timeout.as_secs()) && timeout.subsec_nanos() == 0;
    let (least, most) = (range.start(), range.end());
    (!fits).then(|| format!("a timeout of {timeout:?}; {whose} whole seconds from {least} to {most}"))
}

pub fn function_name_fault(cloud: &str, name: &str) -> Option<String> {
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    (cloud == "aws" && !fits).then(|| {
        format!("`{name}` is no name for a function: up to 64 letters, digits, hyphens and underscores")
    })
}

pub fn bucket_name_fault(cloud: &str, name: &str) -> Option<String> {
    let edge =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    let fits = (3..=63).contains(&bytes.len())
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| edge(Some(byte)) || matches!(byte, b'-' | b'.'));
    (cloud == "aws" && !fits).then(|| {
        format!("`{name}` is no name for a bucket: 3 to 63 lower-case letters, digits, hyphens and dots")
    })
}

fn size_fault(cloud: &str, what: &str, bytes: u64, range: &RangeInclusive<u64>) -> Option<String> {
    let fits = bytes.is_multiple_of(MIB) && range.contains(&(bytes / MIB));
    let shown = bytes as f64 / MIB as f64;
    (cloud == "aws" && !fits).then(|| {
        format!("{shown} MB of {what}; Lambda takes whole MB from {} to {}", range.start(), range.end())
    })
}
