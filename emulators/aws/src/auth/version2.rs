//! Signature version 2, which old presigned URLs and forms of Amazon S3 still use.
//!
//! Follows "Signing and authenticating REST requests" of the Amazon S3 user guide.

use super::{AuthFault, Keys, PATH, Signable, canonical_value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use percent_encoding::utf8_percent_encode;
use sha1::Sha1;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Parameters that version 2 signs as part of the resource.
const PARAMETERS: [&str; 35] = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// Verifies the signature of a presigned URL; `resource` is `/bucket/key`.
pub(super) fn verify_query(request: Signable<'_>, keys: &Keys, resource: &str) -> Result<(), AuthFault> {
    let access_key = request.parameter("AWSAccessKeyId").ok_or(AuthFault::Missing)?;
    let secret = keys.secret(access_key)?;
    let expires = request.parameter("Expires").unwrap_or_default();
    let text = string_to_sign(request, expires, resource);
    let provided = request.parameter("Signature").unwrap_or_default();
    if is_signature(secret, &text, provided) {
        return Ok(());
    }
    let (access_key, provided) = (access_key.to_owned(), provided.to_owned());
    Err(AuthFault::Mismatch { access_key, string_to_sign: text, provided })
}

/// Verifies `Authorization: AWS key:signature`; gives the date that was signed.
pub(super) fn verify_header(request: Signable<'_>, keys: &Keys, resource: &str) -> Result<String, AuthFault> {
    let credential = request.header("authorization").and_then(|header| header.strip_prefix("AWS "));
    let (access_key, provided) =
        credential.and_then(|credential| credential.trim().split_once(':')).ok_or(AuthFault::Missing)?;
    let header = |name| request.header(name).unwrap_or_default();
    // A date of the vendor's own is signed with its other headers, and stands for the usual one.
    let of_vendor = header("x-amz-date");
    let date = if of_vendor.is_empty() { header("date") } else { "" };
    let text = string_to_sign(request, date, resource);
    if is_signature(keys.secret(access_key)?, &text, provided) {
        return Ok(if date.is_empty() { of_vendor } else { date }.to_owned());
    }
    let (access_key, provided) = (access_key.to_owned(), provided.to_owned());
    Err(AuthFault::Mismatch { access_key, string_to_sign: text, provided })
}

/// `date`: until when a URL holds, or when a request was sent.
fn string_to_sign(request: Signable<'_>, date: &str, resource: &str) -> String {
    let header = |name| request.header(name).unwrap_or_default();
    let (md5, kind) = (header("content-md5"), header("content-type"));
    let mut text = format!("{}\n{md5}\n{kind}\n{date}\n", request.method);
    for (name, value) in amz_headers(request) {
        let _ = writeln!(text, "{name}:{value}");
    }
    text.push_str(&utf8_percent_encode(resource, PATH).to_string());
    let mut signed: Vec<_> =
        request.query.iter().filter(|(name, _)| PARAMETERS.contains(&name.as_str())).collect();
    signed.sort();
    for (at, (name, value)) in signed.into_iter().enumerate() {
        text.push(if at == 0 { '?' } else { '&' });
        text.push_str(name);
        if !value.is_empty() {
            let _ = write!(text, "={value}");
        }
    }
    text
}

/// The vendor's own headers in order; what a presigned URL carries of them counts too.
fn amz_headers(request: Signable<'_>) -> BTreeMap<&str, String> {
    let names = request.headers.keys().map(http::HeaderName::as_str);
    let sent = names.filter(|name| name.starts_with("x-amz-")).map(|name| {
        let values: Vec<String> = request.headers.get_all(name).iter().map(canonical_value).collect();
        (name, values.join(","))
    });
    let carried = request.query.iter().filter(|(name, _)| name.starts_with("x-amz-"));
    sent.chain(carried.map(|(name, value)| (name.as_str(), value.clone()))).collect()
}

/// Compares in constant time.
pub(super) fn is_signature(secret: &str, text: &str, signature: &str) -> bool {
    let (Ok(mac), Ok(signature)) =
        (Hmac::<Sha1>::new_from_slice(secret.as_bytes()), STANDARD.decode(signature))
    else {
        return false;
    };
    mac.chain_update(text).verify_slice(&signature).is_ok()
}
