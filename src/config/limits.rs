//! What a cloud would refuse at deployment, so that it is refused here too.
//!
//! AWS: Lambda Developer Guide, "Lambda quotas"; S3 User Guide, "General purpose bucket naming rules".
//! Google: Cloud Functions documentation, "Quotas". Azure: "Azure Functions hosting options" (Consumption plan).

use super::schema::nearest;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The runtime of functions that are a model and have no code.
pub const MODEL_RUNTIME: &str = "onnx";
pub const MIB: u64 = 1024 * 1024;
const AWS_MEMORY_MIB: RangeInclusive<u64> = 128..=10_240;
const AWS_TMP_MIB: RangeInclusive<u64> = 512..=10_240;
const AWS_TIMEOUT_SECONDS: RangeInclusive<u64> = 1..=900;
const GCP_TIMEOUT_SECONDS: RangeInclusive<u64> = 1..=3600;
const AZURE_TIMEOUT_SECONDS: RangeInclusive<u64> = 1..=600;

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
        "azure" => ("the Consumption plan takes", &AZURE_TIMEOUT_SECONDS),
        _ => return None,
    };
    let fits = range.contains(&timeout.as_secs()) && timeout.subsec_nanos() == 0;
    let (least, most) = (range.start(), range.end());
    (!fits).then(|| format!("a timeout of {timeout:?}; {whose} whole seconds from {least} to {most}"))
}

/// What is wrong with the name of a runtime, if something is.
///
/// AWS: Lambda Developer Guide, "Lambda runtimes". Google: Cloud Run functions, "Runtime support".
pub fn runtime_fault(cloud: &str, runtime: &str) -> Option<String> {
    let (whose, can) = match cloud {
        "aws" => ("Lambda", "python3.x, nodejsNN.x, provided.* and onnx"),
        "gcp" => ("Cloud Functions", "python3NN, nodejsNN and onnx"),
        "azure" => ("Azure Functions", "python3.x, nodejsNN and onnx"),
        _ => return None,
    };
    let end = runtime.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(runtime.len());
    let (family, version) = runtime.split_at(end);
    let is_version = version.starts_with(|c: char| c.is_ascii_digit())
        && version.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'x'));
    match family {
        "python" if is_version && version.starts_with('3') => return None,
        // The bare name asks for what this machine has.
        "nodejs" if is_version || version.is_empty() => return None,
        "provided" if cloud == "aws" => return None,
        MODEL_RUNTIME if version.is_empty() => return None,
        "java" | "dotnet" | "dotnetcore" | "ruby" | "go" | "php" => {
            return Some(format!("functions of runtime `{runtime}` cannot run here yet: {can} can"));
        }
        _ => {}
    }
    let meant = nearest(family, &["python", "nodejs"]).filter(|meant| is_version && *meant != family);
    let help = match meant {
        Some(meant) => format!("did you mean `{meant}{version}`?"),
        None => format!("{can} can run here"),
    };
    Some(format!("there is no runtime `{runtime}` in {whose}; {help}"))
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

#[cfg(test)]
mod tests {
    use super::runtime_fault;

    #[test]
    fn runtimes_that_run_pass_and_others_are_explained() {
        for runtime in ["python3", "python3.6", "python3.14", "nodejs", "nodejs22.x", "provided.al2023"] {
            assert_eq!(runtime_fault("aws", runtime), None, "{runtime}");
        }
        for runtime in ["python312", "python3.12", "nodejs22", "nodejs"] {
            assert_eq!(runtime_fault("gcp", runtime), None, "{runtime}");
        }
        let said = |runtime| runtime_fault("aws", runtime).unwrap_or_default();
        assert!(said("pyton3.12").ends_with("did you mean `python3.12`?"));
        assert!(said("nodjs22.x").ends_with("did you mean `nodejs22.x`?"));
        assert!(said("java17").contains("cannot run here yet"));
        for bad in ["", "python2.7", "cobol", "python3.12; rm", "\u{e4}"] {
            assert!(said(bad).starts_with("there is no runtime"), "{bad}");
        }
    }
}
