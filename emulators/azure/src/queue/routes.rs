//! What a request asks for, by method, path and `comp`.

use http::Method;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;

/// An operation and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    ListQueues,
    Create(String),
    Delete(String),
    GetMetadata(String),
    SetMetadata(String),
    Put(String),
    Get(String),
    Peek(String),
    Clear(String),
    DeleteMessage(String, String),
    Update(String, String),
    /// Known to the vendor and not here.
    Missing,
    /// No account, or no path of the API.
    Nowhere,
}

/// A query's pairs, decoded.
pub(super) fn query(parts: &Parts) -> BTreeMap<String, String> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', "%20")).decode_utf8_lossy().into_owned();
    let pairs = parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name).to_ascii_lowercase(), decoded(value)))
        .collect()
}

/// The account that a request names, by the first part of its path.
pub(super) fn account(parts: &Parts) -> &str {
    parts.uri.path().split('/').find(|part| !part.is_empty()).unwrap_or_default()
}

pub(super) fn asked(parts: &Parts, query: &BTreeMap<String, String>) -> Asked {
    let comp = query.get("comp").map_or("", String::as_str);
    let path: Vec<String> = parts
        .uri
        .path()
        .split('/')
        .filter(|part| !part.is_empty())
        .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
        .collect();
    let Some((_, rest)) = path.split_first() else { return Asked::Nowhere };
    let words: Vec<&str> = rest.iter().map(String::as_str).collect();
    match (&parts.method, words.as_slice(), comp) {
        (&Method::GET, [], "list") => Asked::ListQueues,
        (&Method::PUT, [queue], "") => Asked::Create((*queue).into()),
        (&Method::DELETE, [queue], "") => Asked::Delete((*queue).into()),
        (&Method::GET | &Method::HEAD, [queue], "metadata") => Asked::GetMetadata((*queue).into()),
        (&Method::PUT, [queue], "metadata") => Asked::SetMetadata((*queue).into()),
        (&Method::POST, [queue, "messages"], _) => Asked::Put((*queue).into()),
        (&Method::GET, [queue, "messages"], _)
            if query.get("peekonly").is_some_and(|said| said == "true") =>
        {
            Asked::Peek((*queue).into())
        }
        (&Method::GET, [queue, "messages"], _) => Asked::Get((*queue).into()),
        (&Method::DELETE, [queue, "messages"], _) => Asked::Clear((*queue).into()),
        (&Method::DELETE, [queue, "messages", id], _) => Asked::DeleteMessage((*queue).into(), (*id).into()),
        (&Method::PUT, [queue, "messages", id], _) => Asked::Update((*queue).into(), (*id).into()),
        (_, [] | [_], "properties" | "stats" | "acl") => Asked::Missing,
        _ => Asked::Nowhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_by_their_paths() {
        let of = |method: &str, uri: &str| {
            let (parts, ()) = http::Request::builder().method(method).uri(uri).body(()).unwrap().into_parts();
            asked(&parts, &query(&parts))
        };
        assert_eq!(of("GET", "/devstoreaccount1?comp=list"), Asked::ListQueues);
        assert_eq!(of("PUT", "/devstoreaccount1/jobs"), Asked::Create("jobs".into()));
        assert_eq!(of("GET", "/devstoreaccount1/jobs/messages?numofmessages=3"), Asked::Get("jobs".into()));
        assert_eq!(of("GET", "/devstoreaccount1/jobs/messages?peekonly=true"), Asked::Peek("jobs".into()));
        let update = of("PUT", "/devstoreaccount1/jobs/messages/a%2Fb?popreceipt=x&visibilitytimeout=0");
        assert_eq!(update, Asked::Update("jobs".into(), "a/b".into()));
        assert_eq!(of("GET", "/devstoreaccount1/jobs?comp=acl"), Asked::Missing);
        assert_eq!(of("GET", "/"), Asked::Nowhere);
    }
}
