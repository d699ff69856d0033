//! Answers: XML documents, headers of objects, faults.

use super::fault::Fault;
use super::wire::{ChecksumElement, Owner};
use super::{checksum, dates};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use mlemu_engine::Ids;
use mlemu_engine::objects::{Checksum, ChecksumKind, Object, hex};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use quick_xml::escape::escape;
use quick_xml::se::{QuoteLevel, Serializer};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

pub(super) const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// What a URL keeps of a key: slashes and unreserved characters.
const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'*');

pub(super) type Answer = Result<Response<Body>, Fault>;

pub(super) fn encode_key(key: &str) -> String {
    utf8_percent_encode(key, KEY).to_string()
}

pub(super) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// Sixteen characters, as S3's are.
pub(super) fn new_request_id(ids: &Ids) -> String {
    let mut id = ids.fresh("request").hex().to_ascii_uppercase();
    id.truncate(16);
    id
}

/// What orders the changes of a key.
pub(super) fn sequencer(sequence: u64) -> String {
    format!("{sequence:018X}")
}

/// The longer id that goes with a request id.
pub(super) fn host_id(request_id: &str) -> String {
    let hash = Sha256::digest(request_id);
    STANDARD.encode([hash.as_slice(), &hash[..24]].concat())
}

/// An account's canonical id: always the same 64 hex digits for the same account.
pub(super) fn owner(account: &str) -> Owner {
    Owner { id: hex(&Sha256::digest(account)) }
}

pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// A document, with `status` 200.
pub(super) fn xml<T: Serialize>(document: &T) -> Answer {
    let mut text = String::from(DECLARATION);
    let mut serializer = Serializer::new(&mut text);
    serializer.set_quote_level(QuoteLevel::Full);
    document.serialize(serializer).map_err(|error| {
        tracing::error!("an answer could not be written: {error}");
        Fault::from(super::fault::Code::InternalError)
    })?;
    Ok(document_of(StatusCode::OK, references(text)))
}

pub(super) fn document_of(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// Keys may hold control characters, which XML takes only as references if at all.
fn references(text: String) -> String {
    let body = DECLARATION.len();
    let is_control = |char: char| char.is_ascii_control();
    if !text.get(body..).is_some_and(|body| body.contains(is_control)) {
        return text;
    }
    let (head, body) = text.split_at(body);
    body.chars().fold(head.to_owned(), |mut text, char| {
        if is_control(char) {
            let _ = write!(text, "&#x{:x};", u32::from(char));
        } else {
            text.push(char);
        }
        text
    })
}

/// The error document, or nothing but the status where the request was a HEAD.
pub(super) fn fault(fault: &Fault, resource: &str, request_id: &str, is_head: bool) -> Response<Body> {
    let mut response = error_document(fault, resource, request_id, is_head);
    for (name, value) in &fault.headers {
        set(response.headers_mut(), name, value);
    }
    response
}

fn error_document(fault: &Fault, resource: &str, request_id: &str, is_head: bool) -> Response<Body> {
    let status = fault.code.status();
    if is_head {
        return empty(status);
    }
    let (code, message) = (fault.code.name(), escape(&fault.message));
    let mut text = format!("{DECLARATION}<Error><Code>{code}</Code><Message>{message}</Message>");
    for (name, value) in &fault.details {
        let _ = write!(text, "<{name}>{}</{name}>", escape(value.as_str()));
    }
    let host_id = host_id(request_id);
    let resource = escape(resource);
    let _ = write!(
        text,
        "<Resource>{resource}</Resource><RequestId>{request_id}</RequestId><HostId>{host_id}</HostId></Error>"
    );
    document_of(status, references(text))
}

/// Adds what every answer carries.
pub(super) fn finish(mut response: Response<Body>, request_id: &str) -> Response<Body> {
    let headers = response.headers_mut();
    set(headers, "x-amz-request-id", request_id);
    set(headers, "x-amz-id-2", &host_id(request_id));
    headers.insert(http::header::SERVER, HeaderValue::from_static("AmazonS3"));
    response
}

/// Sets a header; a value that no header can hold is left out.
pub(super) fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) =
        (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
    {
        headers.insert(name, value);
    }
}

pub(super) fn set_checksum(headers: &mut HeaderMap, sum: &Checksum, parts: usize) {
    set(headers, checksum::header(sum.kind), &checksum::text(sum, parts));
    set(headers, "x-amz-checksum-type", checksum::kind_of_sum(sum.of_parts));
}

/// The headers that describe an object, but for its length and its checksum.
pub(super) fn describe(headers: &mut HeaderMap, object: &Object) {
    set(headers, "etag", &quoted(&object.content.etag));
    set(headers, "last-modified", &dates::http(object.created));
    set(headers, "accept-ranges", "bytes");
    set(headers, "content-type", "binary/octet-stream");
    set(headers, "x-amz-server-side-encryption", "AES256");
    for (name, value) in &object.attributes.headers {
        set(headers, name, value);
    }
    for (name, value) in &object.attributes.metadata {
        set(headers, &format!("x-amz-meta-{name}"), value);
    }
    let tags = object.attributes.tags.len();
    if tags > 0 {
        set(headers, "x-amz-tagging-count", &tags.to_string());
    }
}

/// The checksum elements of an object or part.
pub(super) fn checksums(sums: &[Checksum], parts: usize) -> Vec<ChecksumElement> {
    let element = |sum: &Checksum| {
        let text = checksum::text(sum, parts);
        match sum.kind {
            ChecksumKind::Crc32 => ChecksumElement::Crc32(text),
            ChecksumKind::Crc32c => ChecksumElement::Crc32c(text),
            ChecksumKind::Crc64Nvme => ChecksumElement::Crc64Nvme(text),
            ChecksumKind::Sha1 => ChecksumElement::Sha1(text),
            ChecksumKind::Sha256 => ChecksumElement::Sha256(text),
            ChecksumKind::Sha512 => ChecksumElement::Sha512(text),
            ChecksumKind::Md5 => ChecksumElement::Md5(text),
            ChecksumKind::Xxh64 => ChecksumElement::Xxh64(text),
            ChecksumKind::Xxh3 => ChecksumElement::Xxh3(text),
            ChecksumKind::Xxh128 => ChecksumElement::Xxh128(text),
        }
    };
    sums.iter().map(element).collect()
}

pub(super) fn storage_class(object: &Object) -> String {
    object.attributes.headers.get("x-amz-storage-class").map_or("STANDARD", String::as_str).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::fault::Code;
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn faults_are_documents_that_no_key_can_break() {
        let wrong = Fault::new(Code::NoSuchKey).with("Key", "<a>&\u{1}");
        let response = fault(&wrong, "/b/<a>", "ID", false);
        assert_eq!(response.status(), 404);
        let text = response.into_body().collect().await.unwrap().to_bytes();
        let text = std::str::from_utf8(&text).unwrap();
        assert!(text.contains("<Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>"));
        assert!(text.contains("<Key>&lt;a&gt;&amp;&#x1;</Key><Resource>/b/&lt;a&gt;</Resource>"), "{text}");
        assert!(text.contains("<RequestId>ID</RequestId><HostId>"));
    }

    #[test]
    fn ids_have_the_usual_lengths() {
        assert_eq!(new_request_id(&Ids::default()).len(), 16);
        assert_eq!(host_id("x").len(), 76);
        assert_eq!(owner("000000000000").id.len(), 64);
    }
}
