//! Requests signed with an account's key: SharedKey and SharedKeyLite.
//!
//! Source: Azure Storage documentation, "Authorize with Shared Key".

use super::address::Query;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use http::HeaderValue;
use http::request::Parts;
use sha2::Sha256;
use std::cmp::Ordering;

/// Room for what most requests come to, in bytes.
const USUAL: usize = 512;

/// Which of the two is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Full,
    Lite,
}

/// HMAC-SHA256 in base64; `None`: the key is none.
pub(super) fn sign(key: &str, text: &str) -> Option<String> {
    let key = STANDARD.decode(key).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(text.as_bytes());
    Some(STANDARD.encode(mac.finalize().into_bytes()))
}

/// In a time that tells nothing of where they differ.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// How a client may have sorted the headers that it signed: by their bytes, or as the service does. Most names come in
/// the same order both ways.
pub(super) const ORDERS: [Order; 2] = [Ord::cmp, sorted];

pub(super) type Order = fn(&str, &str) -> Ordering;

/// What a client signs whose `account` is found below `prefix`.
pub(super) fn string(
    scheme: Scheme,
    parts: &Parts,
    query: &Query,
    (account, prefix): (&str, &str),
    order: Order,
) -> String {
    let said = |name: &str| parts.headers.get(name).map_or("", text_of);
    let date = if parts.headers.contains_key("x-ms-date") { "" } else { said("date") };
    let mut text = String::with_capacity(USUAL);
    let mut write = |pieces: &[&str]| pieces.iter().for_each(|piece| text.push_str(piece));
    write(&[parts.method.as_str(), "\n"]);
    match scheme {
        Scheme::Full => {
            let length = Some(said("content-length")).filter(|length| *length != "0").unwrap_or_default();
            write(&[said("content-encoding"), "\n", said("content-language"), "\n", length, "\n"]);
            write(&[said("content-md5"), "\n", said("content-type"), "\n", date, "\n"]);
            for name in ["if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"] {
                write(&[said(name), "\n"]);
            }
        }
        Scheme::Lite => write(&[said("content-md5"), "\n", said("content-type"), "\n", date, "\n"]),
    }
    let names = parts.headers.keys().map(http::HeaderName::as_str);
    let mut own: Vec<&str> = names.filter(|name| name.starts_with("x-ms-")).collect();
    own.sort_by(|a, b| order(a, b));
    for name in own {
        write(&[name, ":", said(name), "\n"]);
    }
    write(&["/", account, prefix, parts.uri.path()]);
    match scheme {
        Scheme::Full => query.iter().for_each(|(name, value)| write(&["\n", name, ":", value])),
        Scheme::Lite => {
            if let Some(comp) = query.get("comp") {
                write(&["?comp=", comp]);
            }
        }
    }
    text
}

/// Bytes that are no text are signed by nobody.
fn text_of(value: &HeaderValue) -> &str {
    std::str::from_utf8(value.as_bytes()).unwrap_or_default().trim()
}

/// As the service sorts: hyphens count only between names that are otherwise the same.
fn sorted(a: &str, b: &str) -> Ordering {
    fn bare(name: &str) -> impl Iterator<Item = (u8, char)> {
        name.chars().filter(|one| *one != '-').map(rank)
    }
    bare(a).cmp(bare(b)).then_with(|| b.find('-').cmp(&a.find('-'))).then_with(|| a.cmp(b))
}

/// Signs come before digits, and those before letters.
fn rank(one: char) -> (u8, char) {
    match one {
        'a'..='z' | 'A'..='Z' => (2, one.to_ascii_lowercase()),
        '0'..='9' => (1, one),
        _ => (0, one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::account::{ACCOUNT, KEY};
    use crate::storage::address;

    #[test]
    fn what_is_signed() {
        let parts = http::Request::builder()
            .method("PUT")
            .uri("/devstoreaccount1/c/a%20b?timeout=30&comp=Block")
            .header("content-length", "11")
            .header("content-type", "text/plain")
            .header("x-ms-version", "2020-10-02")
            .header("x-ms-date", "Fri, 26 Jun 2026 23:39:12 GMT")
            .header("x-ms-meta-a", " x ")
            .body(())
            .unwrap()
            .into_parts()
            .0;
        let query = address::query(&parts);
        let full = string(Scheme::Full, &parts, &query, (ACCOUNT, ""), sorted);
        let golden = "PUT\n\n\n11\n\ntext/plain\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2026 23:39:12 GMT\nx-ms-meta-a:x\n\
             x-ms-version:2020-10-02\n/devstoreaccount1/devstoreaccount1/c/a%20b\ncomp:Block\ntimeout:30";
        assert_eq!(full, golden);
        let lite = string(Scheme::Lite, &parts, &query, (ACCOUNT, "/ns/a"), sorted);
        assert!(lite.starts_with("PUT\n\ntext/plain\n\nx-ms-date:"), "{lite}");
        assert!(lite.ends_with("/devstoreaccount1/ns/a/devstoreaccount1/c/a%20b?comp=Block"), "{lite}");
        assert_eq!(sign(KEY, "x").map(|text| text.len()), Some(44));
        assert_eq!(sign("no base64!", "x"), None);
        assert!(same("ab", "ab") && !same("ab", "ac") && !same("ab", "a"));
    }

    #[test]
    fn headers_are_sorted_as_the_service_does() {
        let mut names = ["x-ms-meta-ab", "x-ms-meta-a-c", "x-ms-meta-a_b", "x-ms-meta-a1"];
        names.sort_by(|a, b| sorted(a, b));
        assert_eq!(names, ["x-ms-meta-a_b", "x-ms-meta-a1", "x-ms-meta-ab", "x-ms-meta-a-c"]);
    }
}
