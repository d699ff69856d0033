//! Blobs by their tags.
//!
//! Source: Azure Storage documentation, "Find Blobs by Tags" and `x-ms-if-tags`.

use super::list::{endpoint, page_size};
use crate::blob::BlobStorage;
use crate::blob::call::Call;
use crate::blob::wire::{self, element};
use crate::storage::answer::{escaped, xml};
use crate::storage::fault::{Fault, code};
use axum::response::Response;
use http::StatusCode;
use mlemu_engine::objects::{ListQuery, Object};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Blobs that are looked at under one lock.
const AT_ONCE: usize = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Is,
    IsNot,
    Less,
    AtMost,
    More,
    AtLeast,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    /// `None`: the container.
    name: Option<String>,
    sign: Sign,
    value: String,
}

/// A blob and its container.
type Found = (Arc<str>, Arc<Object>);

/// What tags must be like: each of the terms of one of the alternatives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::blob) struct Filter(Vec<Vec<Term>>);

impl Filter {
    pub fn read(text: &str) -> Option<Self> {
        let mut words = words(text)?.into_iter();
        let mut any = vec![Vec::new()];
        loop {
            let name = match words.next()? {
                Word::Name(name) | Word::Bare(name) if name == "@container" => None,
                Word::Name(name) | Word::Bare(name) => Some(name),
                Word::Sign(_) | Word::Value(_) => return None,
            };
            let (Word::Sign(sign), Word::Value(value)) = (words.next()?, words.next()?) else { return None };
            any.last_mut()?.push(Term { name, sign, value });
            match words.next() {
                None => return Some(Self(any)),
                Some(Word::Bare(word)) if word.eq_ignore_ascii_case("and") => {}
                Some(Word::Bare(word)) if word.eq_ignore_ascii_case("or") => any.push(Vec::new()),
                Some(_) => return None,
            }
        }
    }

    pub fn fits(&self, tags: &BTreeMap<String, String>, container: &str) -> bool {
        let fits = |term: &Term| {
            let have = match &term.name {
                None => Some(container),
                Some(name) => tags.get(name).map(String::as_str),
            };
            have.map_or(term.sign == Sign::IsNot, |have| match term.sign {
                Sign::Is => have == term.value,
                Sign::IsNot => have != term.value,
                Sign::Less => have < term.value.as_str(),
                Sign::AtMost => have <= term.value.as_str(),
                Sign::More => have > term.value.as_str(),
                Sign::AtLeast => have >= term.value.as_str(),
            })
        };
        self.0.iter().any(|all| all.iter().all(fits))
    }
}

enum Word {
    /// In double quotes.
    Name(String),
    /// In single quotes.
    Value(String),
    Bare(String),
    Sign(Sign),
}

fn words(text: &str) -> Option<Vec<Word>> {
    let (mut rest, mut found) = (text.trim_start(), Vec::new());
    while let Some(first) = rest.chars().next() {
        let (word, left) = match first {
            '"' | '\'' => {
                let (inner, left) = rest[1..].split_once(first)?;
                let word = if first == '"' { Word::Name(inner.into()) } else { Word::Value(inner.into()) };
                (word, left)
            }
            '=' => (Word::Sign(Sign::Is), &rest[1..]),
            '<' | '>' | '!' => {
                let with_equal = rest[1..].starts_with('=');
                let sign = match (first, with_equal) {
                    ('<', false) if rest[1..].starts_with('>') => Sign::IsNot,
                    ('<', false) => Sign::Less,
                    ('<', true) => Sign::AtMost,
                    ('>', false) => Sign::More,
                    ('>', true) => Sign::AtLeast,
                    (_, true) => Sign::IsNot,
                    _ => return None,
                };
                let long = with_equal || rest[1..].starts_with('>');
                (Word::Sign(sign), &rest[if long { 2 } else { 1 }..])
            }
            _ => {
                let end = rest
                    .find(|one: char| one.is_whitespace() || "=<>!'\"".contains(one))
                    .unwrap_or(rest.len());
                (Word::Bare(rest[..end].into()), &rest[end..])
            }
        };
        found.push(word);
        rest = left.trim_start();
    }
    Some(found)
}

impl BlobStorage {
    /// The first `most` blobs behind the marker that fit, with their containers. No more is looked at than it takes.
    fn fitting(&self, call: &Call, filter: &Filter, most: usize) -> Result<Vec<Found>, Fault> {
        let (first, behind) =
            call.parameter("marker").and_then(|said| said.split_once('/')).unwrap_or_default();
        let mut found = Vec::new();
        for view in self.objects.buckets(&self.accounts.scope(&call.account)) {
            let container = view.id.name();
            let is_meant = call.container.is_empty() || **container == *call.container;
            if !is_meant || **container < *first {
                continue;
            }
            let mut after = Some(if **container == *first { behind.to_owned() } else { String::new() });
            while let Some(from) = after.filter(|_| found.len() < most) {
                let query = ListQuery { after: &from, limit: AT_ONCE, ..ListQuery::default() };
                let page = self.objects.list(&view.id, query)?;
                let fit = page.objects.into_iter().filter(|object| {
                    !object.attributes.tags.is_empty() && filter.fits(&object.attributes.tags, container)
                });
                found.extend(fit.map(|object| (container.clone(), object)));
                after = page.next;
            }
        }
        found.truncate(most);
        Ok(found)
    }

    pub(super) fn find_blobs(&self, call: &Call) -> Result<Response, Fault> {
        let said = call.parameter("where").ok_or(code::MissingRequiredQueryParameter)?;
        let filter = Filter::read(said).ok_or_else(|| Fault::parameter("where", said))?;
        let most = page_size(call)?;
        let mut shown = String::new();
        let found = self.fitting(call, &filter, most + 1)?;
        for (container, object) in found.iter().take(most) {
            let inner = element("Name", &object.key) + &element("ContainerName", container);
            shown.extend(["<Blob>", &inner, &wire::tags(&object.attributes.tags), "</Blob>"]);
        }
        // The last one that was shown: the next page begins behind it.
        let last = found.len().checked_sub(2).filter(|_| found.len() > most).map(|at| &found[at]);
        let next = last.map(|(container, object)| format!("{container}/{}", object.key)).unwrap_or_default();
        let text = format!(
            "<EnumerationResults ServiceEndpoint=\"{}\">{}<Blobs>{shown}</Blobs>{}</EnumerationResults>",
            escaped(&endpoint(call)),
            element("Where", said),
            element("NextMarker", &next)
        );
        Ok(xml(StatusCode::OK, &text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_and_hold() {
        let tags =
            BTreeMap::from([("kind".to_owned(), "rose".to_owned()), ("year".to_owned(), "2026".to_owned())]);
        let fits = |text: &str| Filter::read(text).map(|filter| filter.fits(&tags, "pics"));
        assert_eq!(fits("\"kind\"='rose' AND year >= '2000'"), Some(true));
        assert_eq!(fits("@container='pics' and kind<>'tulip'"), Some(true));
        assert_eq!(fits("kind='tulip' OR year<'2027'"), Some(true));
        assert_eq!(fits("kind='tulip'"), Some(false));
        assert_eq!(fits("colour='red'"), Some(false));
        for bad in [
            "",
            "kind",
            "kind=",
            "kind='rose",
            "='rose'",
            "kind='rose' year='2026'",
            "kind!'x'",
            "kind='a' and",
        ] {
            assert_eq!(fits(bad), None, "{bad}");
        }
    }
}
