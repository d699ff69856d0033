//! Requests: attributes from headers, documents from bodies, references to other objects.

use super::address::check_key;
use super::fault::{Code, Fault};
use super::query::Query;
use super::versions;
use super::wire::Tagging;
use http::HeaderMap;
use mlemu_engine::objects::{Attributes, Which};
use percent_encoding::percent_decode_str;
use quick_xml::events::Event;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// Headers that are kept with an object and answered as they came.
const KEPT: [&str; 11] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];

/// Headers that ask for what is not there.
const NOT_HERE: [&str; 3] = [
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-copy-source-server-side-encryption-customer-algorithm",
    "x-amz-write-offset-bytes",
];

/// All user metadata together, names and values, in bytes.
const METADATA: usize = 2048;
const TAGS: usize = 10;

/// What a request that makes an object says about it.
pub(super) fn attributes(headers: &HeaderMap) -> Result<Attributes, Fault> {
    if let Some(name) = NOT_HERE.iter().find(|name| headers.contains_key(**name)) {
        return Err(Fault::not_implemented(&format!("the header {name}")).with("Header", *name));
    }
    let tags = match headers.get("x-amz-tagging") {
        Some(value) => tags_of_header(value.to_str().unwrap_or_default())?,
        None => BTreeMap::new(),
    };
    Ok(Attributes { headers: kept(headers), metadata: metadata(headers)?, tags, ..Attributes::default() })
}

fn kept(headers: &HeaderMap) -> BTreeMap<&'static str, String> {
    let mut kept = BTreeMap::new();
    for name in KEPT {
        let Some(value) = headers.get(name) else { continue };
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let value = if name == "content-encoding" { without_framing(&value) } else { value };
        let is_default = name == "x-amz-storage-class" && value == "STANDARD";
        if !value.is_empty() && !is_default {
            kept.insert(name, value);
        }
    }
    kept
}

/// `aws-chunked` is how the body travelled, not what it is.
fn without_framing(encodings: &str) -> String {
    let others = encodings.split(',').filter(|one| !one.trim().eq_ignore_ascii_case("aws-chunked"));
    others.collect::<Vec<_>>().join(",").trim().to_owned()
}

fn metadata(headers: &HeaderMap) -> Result<BTreeMap<String, String>, Fault> {
    let mut metadata = BTreeMap::new();
    let mut size = 0;
    for name in headers.keys() {
        let Some(short) = name.as_str().strip_prefix("x-amz-meta-") else { continue };
        let values = headers.get_all(name).iter();
        let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        let value = values.join(",");
        size += short.len() + value.len();
        metadata.insert(short.to_owned(), value);
    }
    if size > METADATA {
        return Err(Fault::new(Code::MetadataTooLarge)
            .with("Size", size.to_string())
            .with("MaxSizeAllowed", METADATA.to_string()));
    }
    Ok(metadata)
}

fn tags_of_header(text: &str) -> Result<BTreeMap<String, String>, Fault> {
    checked_tags(Query::parse(text).pairs().iter().cloned(), TAGS)
}

pub(super) fn tags_of_document(document: Tagging) -> Result<BTreeMap<String, String>, Fault> {
    checked_tags(document.tag_set.tag.into_iter().map(|tag| (tag.key, tag.value)), TAGS)
}

pub(super) fn checked_tags(
    pairs: impl Iterator<Item = (String, String)>,
    most: usize,
) -> Result<BTreeMap<String, String>, Fault> {
    let invalid = |message: &str| Err(Fault::because(Code::InvalidTag, message));
    let mut tags = BTreeMap::new();
    for (key, value) in pairs {
        if key.is_empty() || key.chars().count() > 128 {
            return invalid("The TagKey you have provided is invalid");
        }
        if value.chars().count() > 256 {
            return invalid("The TagValue you have provided is invalid");
        }
        if tags.insert(key, value).is_some() {
            return invalid("Cannot provide multiple Tags with the same key");
        }
    }
    if tags.len() > most {
        return invalid(&format!("Object tags cannot be greater than {most}"));
    }
    Ok(tags)
}

/// Reads a document whose outermost element is `root`. Type definitions are refused: nothing in them is ever needed or safe.
pub(super) fn xml<T: DeserializeOwned>(root: &str, body: &[u8]) -> Result<T, Fault> {
    quick_xml::de::from_str(checked_text(root, body)?).map_err(|error| {
        tracing::debug!("a document that is none: {error}");
        Code::MalformedXML.into()
    })
}

/// The text of a document that begins well.
pub(super) fn checked_text<'a>(root: &str, body: &'a [u8]) -> Result<&'a str, Fault> {
    let text = std::str::from_utf8(body).map_err(|_| Code::MalformedXML)?;
    let declares = text.contains("<!DOCTYPE") || text.contains("<!ENTITY");
    if declares || outermost(text).as_deref() != Some(root) {
        return Err(Code::MalformedXML.into());
    }
    Ok(text)
}

/// The name of the outermost element, without its prefix.
fn outermost(text: &str) -> Option<String> {
    let mut reader = quick_xml::Reader::from_str(text);
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) | Event::Empty(element) => {
                return Some(element.local_name().as_ref().to_owned());
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

/// Bucket, key and version of `x-amz-copy-source`.
pub(super) fn copy_source(header: &str) -> Result<(String, String, Which), Fault> {
    let wrong = || {
        Fault::argument(
            "x-amz-copy-source",
            header,
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
        )
    };
    let (path, query) = header.split_once('?').unwrap_or((header, ""));
    let path = percent_decode_str(path).decode_utf8().map_err(|_| wrong())?;
    let (bucket, key) = path
        .strip_prefix('/')
        .unwrap_or(&path)
        .split_once('/')
        .filter(|(_, key)| !key.is_empty())
        .ok_or_else(wrong)?;
    check_key(key)?;
    let which = match Query::parse(query).get("versionId") {
        None => Which::Newest,
        Some(version) => Which::Named(versions::name(version)?),
    };
    Ok((bucket.to_owned(), key.to_owned(), which))
}

#[cfg(test)]
mod tests {
    use super::super::wire;
    use super::*;
    use mlemu_engine::objects::VersionName;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn attributes_come_from_headers() {
        let headers = headers(&[
            ("content-type", "image/jpeg"),
            ("content-encoding", "aws-chunked, gzip"),
            ("x-amz-meta-Artist", "me"),
            ("x-amz-storage-class", "STANDARD"),
            ("x-amz-tagging", "a=1&b=two+words"),
            ("authorization", "secret"),
        ]);
        let attributes = attributes(&headers).unwrap();
        assert_eq!(attributes.headers["content-encoding"], "gzip");
        assert_eq!(attributes.headers.len(), 2);
        assert_eq!(attributes.metadata["artist"], "me");
        assert_eq!(attributes.tags["b"], "two words");
    }

    #[test]
    fn too_much_metadata_and_what_is_not_here_are_refused() {
        let long = "v".repeat(2047);
        assert!(attributes(&headers(&[("x-amz-meta-k", &long)])).is_ok());
        let longer = "v".repeat(2048);
        let refused = attributes(&headers(&[("x-amz-meta-k", &longer)])).unwrap_err();
        assert_eq!(refused.code, Code::MetadataTooLarge);
        let refused = attributes(&headers(&[("x-amz-write-offset-bytes", "7")])).unwrap_err();
        assert_eq!(refused.code, Code::NotImplemented);
        let eleven = (0..11).map(|at| format!("k{at}=v")).collect::<Vec<_>>().join("&");
        assert_eq!(attributes(&headers(&[("x-amz-tagging", &eleven)])).unwrap_err().code, Code::InvalidTag);
    }

    #[test]
    fn copy_sources() {
        let source = |bucket: &str, key: &str, which| Ok((bucket.to_owned(), key.to_owned(), which));
        assert_eq!(copy_source("/b/k%2Fl%20m+n"), source("b", "k/l m+n", Which::Newest));
        let unnamed = Which::Named(VersionName::Unnamed);
        assert_eq!(copy_source("b/../k?versionId=null"), source("b", "../k", unnamed));
        for wrong in ["b", "/b/", "", "/b/%ff"] {
            assert_eq!(copy_source(wrong).unwrap_err().code, Code::InvalidArgument, "{wrong}");
        }
        assert_eq!(copy_source("b/k?versionId=7").unwrap_err().code, Code::InvalidArgument);
    }

    #[test]
    fn documents_with_and_without_namespace() {
        let text = r#"<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a &amp; b&#x20;</Key></Object>
            <Object><Key> c</Key><VersionId>null</VersionId></Object><Quiet>true</Quiet></Delete>"#;
        let delete: wire::Delete = xml("Delete", text.as_bytes()).unwrap();
        let keys: Vec<_> = delete.object.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(keys, ["a & b ", " c"]);
        assert!(delete.quiet);
        let empty: wire::Delete = xml("Delete", b"<Delete/>").unwrap();
        assert!(empty.object.is_empty());
    }

    #[test]
    fn hostile_documents_are_malformed() {
        let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaa">]><Delete><Object><Key>&a;</Key></Object></Delete>"#;
        let deep = "<a>".repeat(50_000);
        for text in [bomb, "", "<Delete>", "\u{0}", "<Delete><Object><Key>&a;</Key></Object></Delete>", &deep]
        {
            assert!(matches!(
                xml::<wire::Delete>("Delete", text.as_bytes()),
                Err(Fault { code: Code::MalformedXML, .. })
            ));
        }
        assert!(xml::<wire::Delete>("Delete", b"\xff").is_err());
    }
}
