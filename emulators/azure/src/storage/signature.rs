//! Requests signed with an account's key: SharedKey and SharedKeyLite.
//!
//! Source: Azure Storage documentation, "Authorize with Shared Key".

use super::address::Query;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use http::request::Parts;
use sha2::Sha256;
use std::cmp::Ordering;

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

/// The strings that a client may have signed: libraries sort headers as the service does, or by their bytes.
pub(super) fn strings(
    scheme: Scheme,
    parts: &Parts,
    query: &Query,
    account: &str,
    prefix: &str,
) -> [String; 2] {
    [sorted as Order, bytewise].map(|order| string(scheme, parts, query, (account, prefix), order))
}

type Order = fn(&str, &str) -> Ordering;

fn string(
    scheme: Scheme,
    parts: &Parts,
    query: &Query,
    (account, prefix): (&str, &str),
    order: Order,
) -> String {
    let header = |name: &str| {
        parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
    };
    let said = |name: &str| header(name).unwrap_or_default();
    let date = if parts.headers.contains_key("x-ms-date") { String::new() } else { said("date") };
    let mut text = format!("{}\n", parts.method);
    match scheme {
        Scheme::Full => {
            let length = header("content-length").filter(|length| length != "0").unwrap_or_default();
            let first = ["content-encoding", "content-language"].map(said);
            let then = ["content-md5", "content-type"].map(said);
            let last =
                ["if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"].map(said);
            let lines = first.into_iter().chain([length]).chain(then).chain([date]).chain(last);
            lines.for_each(|line| text.push_str(&format!("{line}\n")));
        }
        Scheme::Lite => {
            for line in [said("content-md5"), said("content-type"), date] {
                text.push_str(&format!("{line}\n"));
            }
        }
    }
    let mut own: Vec<(&str, String)> = parts
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| name.starts_with("x-ms-"))
        .map(|name| (name, said(name)))
        .collect();
    own.sort_by(|(a, _), (b, _)| order(a, b));
    for (name, value) in &own {
        text.push_str(&format!("{name}:{value}\n"));
    }
    text.push_str(&format!("/{account}{prefix}{}", parts.uri.path()));
    match scheme {
        Scheme::Full => query.iter().for_each(|(name, value)| text.push_str(&format!("\n{name}:{value}"))),
        Scheme::Lite => {
            if let Some(comp) = query.get("comp") {
                text.push_str(&format!("?comp={comp}"));
            }
        }
    }
    text
}

fn bytewise(a: &str, b: &str) -> Ordering {
    a.cmp(b)
}

/// As the service sorts: hyphens count only between names that are otherwise the same.
fn sorted(a: &str, b: &str) -> Ordering {
    let bare = |name: &str| name.chars().filter(|one| *one != '-').map(rank).collect::<Vec<_>>();
    bare(a).cmp(&bare(b)).then_with(|| b.find('-').cmp(&a.find('-'))).then_with(|| a.cmp(b))
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
        let [full, _] = strings(Scheme::Full, &parts, &query, ACCOUNT, "");
        let golden = "PUT\n\n\n11\n\ntext/plain\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2026 23:39:12 GMT\nx-ms-meta-a:x\n\
             x-ms-version:2020-10-02\n/devstoreaccount1/devstoreaccount1/c/a%20b\ncomp:Block\ntimeout:30";
        assert_eq!(full, golden);
        let [lite, _] = strings(Scheme::Lite, &parts, &query, ACCOUNT, "/ns/a");
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
