//! Scopes: the names of worlds, and which of them a request is for.
//!
//! A scope is chosen as each vendor chooses an account: by an AWS access key of twelve digits, or a Google
//! project `demo-NAME` of a scope that is there; and in any cloud by a path that begins with `/ns/NAME` or by the
//! header `x-mlemu-scope`. Whoever says nothing means the world that was there from the start.

use crate::config::{Seat, Settings};
use http::Uri;
use http::request::Parts;
use http::uri::PathAndQuery;
use std::sync::Arc;
use thiserror::Error;

/// Names a scope in a request.
pub const HEADER: &str = "x-mlemu-scope";
/// Begins paths of a scope.
const PREFIX: &str = "/ns/";
/// With `demo-` before it, it must be a project's name.
const LONGEST: usize = 25;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no name of a scope: write up to 25 lower-case letters, digits and hyphens")]
pub struct NoScope(pub String);

/// The name of a world, and what stands for it where only digits do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeName {
    pub name: Arc<str>,
    /// Twelve digits.
    pub account: Arc<str>,
    /// The world that was there from the start.
    pub is_first: bool,
}

impl ScopeName {
    pub fn first(settings: &Settings) -> Self {
        let account: Arc<str> = settings.account.as_str().into();
        Self { name: account.clone(), account, is_first: true }
    }

    /// # Errors
    /// Where it cannot be a part of a path and of a project's name.
    pub fn read(name: &str) -> Result<Self, NoScope> {
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let good = name.len() <= LONGEST
            && name.bytes().all(|byte| letters(byte) || byte == b'-')
            && name.bytes().next().is_some_and(letters)
            && name.bytes().last().is_some_and(letters);
        if !good {
            return Err(NoScope(name.to_owned()));
        }
        let account = if is_account(name) { name.into() } else { account_for(name) };
        Ok(Self { name: name.into(), account, is_first: false })
    }

    /// Where this scope is in a cloud.
    pub fn place(&self, settings: &Settings, cloud: &str) -> Seat {
        let place = settings.place(cloud);
        if self.is_first {
            return place;
        }
        let account = if cloud == "gcp" { format!("demo-{}", self.name) } else { self.account.to_string() };
        Seat { account, ..place }
    }

    /// Before the paths of this scope; empty for the first.
    pub fn prefix(&self) -> String {
        if self.is_first { String::new() } else { format!("{PREFIX}{}", self.name) }
    }
}

pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The same twelve digits for the same name, always (FNV-1a).
fn account_for(name: &str) -> Arc<str> {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
    format!("9{:011}", hash % 100_000_000_000).into()
}

/// What a request says of its scope, if it says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// By a path; what comes after the name is the path that is meant.
    Path {
        name: &'a str,
    },
    Header(&'a str),
    /// By the vendor's account or project.
    Account(&'a str),
}

impl<'a> Said<'a> {
    pub fn name(self) -> &'a str {
        let (Said::Path { name } | Said::Header(name) | Said::Account(name)) = self;
        name
    }

    /// `account`: how the vendor's requests name theirs.
    pub fn by(parts: &'a Parts, account: fn(&Parts) -> Option<&str>) -> Option<Self> {
        if let Some(rest) = parts.uri.path().strip_prefix(PREFIX) {
            return Some(Said::Path { name: rest.split('/').next().unwrap_or_default() });
        }
        if let Some(name) = parts.headers.get(HEADER).and_then(|name| name.to_str().ok()) {
            return Some(Said::Header(name));
        }
        account(parts).map(Said::Account)
    }
}

/// The same address without the scope before its path.
pub fn without_prefix(uri: &Uri) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix(PREFIX)?;
    let begin = rest.find(['/', '?']).unwrap_or(rest.len());
    let rest = &rest[begin..];
    let path = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

/// The scope that a query names as `scope=`, and the address without it.
pub fn taken_from_query(uri: &Uri) -> Option<(String, Uri)> {
    let named = |pair: &&str| pair.starts_with("scope=");
    let query = uri.query()?;
    let name = query.split('&').find(named)?.strip_prefix("scope=")?.to_owned();
    let rest: Vec<&str> = query.split('&').filter(|pair| !named(pair)).collect();
    let path = uri.path();
    let left = if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(left.parse().ok()?);
    Some((name, Uri::from_parts(parts).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_into_paths_and_projects() {
        for good in ["gw0", "a", "0-1", "123456789012"] {
            assert!(ScopeName::read(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a/b", "a b", "..", "é", &"a".repeat(26)] {
            assert_eq!(ScopeName::read(bad), Err(NoScope(bad.into())));
        }
        let (own, made) = (ScopeName::read("123456789012"), ScopeName::read("gw0"));
        assert_eq!(own.map(|name| name.account).as_deref(), Ok("123456789012"));
        let made = made.expect("a name").account;
        assert!(is_account(&made) && made != ScopeName::read("gw1").expect("a name").account);
    }

    #[test]
    fn a_path_loses_its_scope_and_nothing_else() {
        let cut = |uri: &'static str| without_prefix(&Uri::from_static(uri)).map(|uri| uri.to_string());
        assert_eq!(cut("/ns/a/b%20c?d=/ns/e").as_deref(), Some("/b%20c?d=/ns/e"));
        assert_eq!(cut("/ns/a?x").as_deref(), Some("/?x"));
        assert_eq!(cut("/ns/a").as_deref(), Some("/"));
        assert_eq!(cut("/nsx/a"), None);
        assert_eq!(cut("http://127.0.0.1:1/ns/a/b").as_deref(), Some("http://127.0.0.1:1/b"));
    }

    #[test]
    fn a_path_says_more_than_a_header_and_that_more_than_an_account() {
        let account: fn(&Parts) -> Option<&str> = |_| Some("000000000001");
        let said = |uri: &str, header: Option<&str>| {
            let mut request = http::Request::builder().uri(uri);
            if let Some(header) = header {
                request = request.header(HEADER, header);
            }
            let (parts, ()) = request.body(()).expect("a request").into_parts();
            format!("{:?}", Said::by(&parts, account))
        };
        assert!(said("/ns/a/b", Some("c")).contains("Path { name: \"a\" }"));
        assert!(said("/b", Some("c")).contains("Header(\"c\")"));
        assert!(said("/b", None).contains("Account(\"000000000001\")"));
    }
}
