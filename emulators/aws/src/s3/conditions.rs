//! Conditional requests: when a read answers "not modified" and when a change is refused.
//!
//! Follows "Conditional requests" of the Amazon S3 user guide and RFC 9110 section 13.

use super::dates;
use super::fault::{Code, Fault};
use http::HeaderMap;
use mlemu_engine::objects::Object;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    matching: Option<String>,
    none_matching: Option<String>,
    modified_since: Option<i64>,
    unmodified_since: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    Send,
    NotModified,
}

impl Conditions {
    pub fn of(headers: &HeaderMap) -> Self {
        Self::prefixed(headers, "")
    }

    /// Those on the source of a copy.
    pub fn of_source(headers: &HeaderMap) -> Self {
        Self::prefixed(headers, "x-amz-copy-source-")
    }

    fn prefixed(headers: &HeaderMap, prefix: &str) -> Self {
        let text =
            |name: &str| Some(headers.get(format!("{prefix}{name}"))?.to_str().ok()?.trim().to_owned());
        // A date that is none counts as absent.
        let seconds = |name: &str| text(name).and_then(|value| dates::seconds_of_http(&value));
        Self {
            matching: text("if-match"),
            none_matching: text("if-none-match"),
            modified_since: seconds("if-modified-since"),
            unmodified_since: seconds("if-unmodified-since"),
        }
    }

    /// For reading `object`.
    pub fn read(&self, object: &Object) -> Result<Freshness, Fault> {
        let (etag, changed) = (&*object.content.etag, dates::seconds(object.created));
        match (&self.matching, self.unmodified_since) {
            (Some(tags), _) if !matches(tags, etag) => return Err(failed("If-Match")),
            (None, Some(since)) if changed > since => return Err(failed("If-Unmodified-Since")),
            _ => {}
        }
        Ok(match (&self.none_matching, self.modified_since) {
            (Some(tags), _) if matches(tags, etag) => Freshness::NotModified,
            (None, Some(since)) if changed <= since => Freshness::NotModified,
            _ => Freshness::Send,
        })
    }

    /// For reading the source of a copy, where nothing can be "not modified".
    pub fn read_source(&self, object: &Object) -> Result<(), Fault> {
        match self.read(object)? {
            Freshness::Send => Ok(()),
            Freshness::NotModified => Err(failed("x-amz-copy-source-If-None-Match")),
        }
    }

    /// For replacing `current` under `key`.
    pub fn write(&self, key: &str, current: Option<&Object>) -> Result<(), Fault> {
        match (&self.matching, &self.none_matching) {
            (Some(_), Some(_)) => Err(Fault::not_implemented("If-Match together with If-None-Match")),
            (None, Some(tags)) if tags != "*" => {
                Err(Fault::new(Code::NotImplemented).with("Header", "If-None-Match").with(
                    "additionalMessage",
                    "We don't accept the provided value of If-None-Match header for this API",
                ))
            }
            (None, Some(_)) if current.is_some() => Err(failed("If-None-Match")),
            (Some(tags), None) => match current {
                None => Err(Fault::new(Code::NoSuchKey).with("Key", key)),
                Some(object) if matches(tags, &object.content.etag) => Ok(()),
                Some(_) => Err(failed("If-Match")),
            },
            _ => Ok(()),
        }
    }
}

fn failed(condition: &str) -> Fault {
    Fault::new(Code::PreconditionFailed).with("Condition", condition)
}

fn matches(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| tag == "*" || bare(tag) == etag)
}

/// An entity tag without its quotes and its weakness.
pub(super) fn bare(tag: &str) -> &str {
    tag.trim().strip_prefix("W/").unwrap_or(tag.trim()).trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_match_with_and_without_quotes() {
        assert!(matches("\"a\", W/\"b\"", "b"));
        assert!(matches("a", "a"));
        assert!(matches("*", "a"));
        assert!(!matches("\"ab\"", "a"));
    }
}
