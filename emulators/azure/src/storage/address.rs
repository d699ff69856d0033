//! Whom a request is for: the account, and what of it.

use super::account::{self, is_name};
use http::header::HOST;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;

/// A query's pairs, decoded; names in lower case.
pub(crate) type Query = BTreeMap<String, String>;

/// Where a request goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Address {
    pub account: String,
    /// What comes after the account, decoded, without the slash before it.
    pub rest: String,
}

impl Address {
    /// By the host's first label (`NAME.blob.localhost`), else by the first part of the path. `None`: it names none.
    pub fn read(parts: &Parts) -> Option<Self> {
        let path = parts.uri.path().trim_start_matches('/');
        let (account, rest) = match by_host(parts) {
            Some(account) => (account, path),
            None => path.split_once('/').unwrap_or((path, "")),
        };
        Self::within(account, rest)
    }

    /// Of a path behind the account, as it stands in a request.
    pub fn within(account: &str, path: &str) -> Option<Self> {
        let rest = percent_decode_str(path).decode_utf8().ok()?.into_owned();
        is_name(account::primary(account)).then(|| Self { account: account.to_owned(), rest })
    }

    /// The first part of the rest, and what comes after it.
    pub fn split(&self) -> (&str, &str) {
        self.rest.split_once('/').unwrap_or((&self.rest, ""))
    }
}

fn by_host(parts: &Parts) -> Option<&str> {
    let host = parts.headers.get(HOST)?.to_str().ok()?;
    let (account, rest) = host.split_once('.')?;
    let service = rest.split(['.', ':']).next()?;
    let is_here = rest.split(':').next()?.ends_with(".localhost");
    (is_here && matches!(service, "blob" | "queue")).then_some(account)
}

/// The account that a request names.
pub fn account(parts: &Parts) -> Option<&str> {
    let by_path = || parts.uri.path().trim_start_matches('/').split('/').next();
    by_host(parts).or_else(by_path).filter(|name| is_name(account::primary(name)))
}

pub(crate) fn query(parts: &Parts) -> Query {
    let pairs = parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name).to_ascii_lowercase(), decoded(value)))
        .collect()
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', "%20")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(host: &str, uri: &str) -> Parts {
        http::Request::builder().uri(uri).header(HOST, host).body(()).unwrap().into_parts().0
    }

    #[test]
    fn accounts_are_in_the_path_or_in_the_host() {
        let of =
            |host: &str, uri: &str| Address::read(&parts(host, uri)).map(|read| (read.account, read.rest));
        let found = |account: &str, rest: &str| Some((account.to_owned(), rest.to_owned()));
        assert_eq!(
            of("127.0.0.1:10000", "/devstoreaccount1/c/a%20b/%C3%A9?x"),
            found("devstoreaccount1", "c/a b/é")
        );
        assert_eq!(of("mine.blob.localhost:10000", "/c/b"), found("mine", "c/b"));
        assert_eq!(of("127.0.0.1", "/devstoreaccount1-secondary"), found("devstoreaccount1-secondary", ""));
        for nobody in ["/", "/No_Account/c", "/a/c", "/devstoreaccount1/%ff"] {
            assert_eq!(of("localhost", nobody), None, "{nobody}");
        }
        assert_eq!(of("mine.blob.core.windows.net", "/c/b"), None, "the cloud's own names do not come here");
        let query = query(&parts("x", "/a?Comp=list&prefix=a+b%2F&x"));
        assert_eq!(
            (query["comp"].as_str(), query["prefix"].as_str(), query["x"].as_str()),
            ("list", "a b/", "")
        );
    }
}
