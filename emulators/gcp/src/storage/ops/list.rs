//! Listing the objects of a bucket, or all their generations.

use super::objects::show;
use crate::storage::Storage;
use crate::storage::call::Call;
use crate::storage::fault::{Fault, json};
use crate::storage::glob::Glob;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use http::StatusCode;
use mlemu_core::Timestamp;
use mlemu_engine::objects::{BucketId, ListQuery, Listed, Object, VersionName};
use serde_json::{Value, json};
use std::sync::Arc;

/// Most entries of one page.
const PAGE: u64 = 1000;

/// Which of the keys of a page are shown.
struct Window<'a> {
    from: &'a str,
    until: Option<&'a str>,
    glob: Option<Glob>,
    /// Keys that end with the delimiter are shown beside the prefix that they roll up to.
    trailing: bool,
}

impl Window<'_> {
    fn shows(&self, key: &str) -> bool {
        key >= self.from
            && self.until.is_none_or(|until| key < until)
            && self.glob.as_ref().is_none_or(|glob| glob.matches(key))
    }

    fn is_over(&self, key: &str) -> bool {
        self.until.is_some_and(|until| key >= until)
    }
}

impl Storage {
    pub(in crate::storage) fn list(&self, call: &Call, bucket: &str) -> Result<Response, Fault> {
        let said = self.said(bucket)?;
        let window = Window {
            from: call.parameter("startOffset").unwrap_or_default(),
            until: call.parameter("endOffset").filter(|end| !end.is_empty()),
            glob: call.parameter("matchGlob").map(Glob::read).transpose().map_err(Fault::invalid)?,
            trailing: call.wants("includeTrailingDelimiter"),
        };
        let token = token(call)?.unwrap_or_default();
        let (after, within) = token.split_once('\n').map_or((&*token, None), |(key, version)| {
            let named = version.parse().map_or(VersionName::Unnamed, VersionName::Numbered);
            (key, Some(named))
        });
        let query = ListQuery {
            prefix: call.parameter("prefix").unwrap_or_default(),
            delimiter: call.parameter("delimiter").unwrap_or_default(),
            after,
            limit: call.number("maxResults")?.unwrap_or(PAGE).clamp(1, PAGE) as usize,
        };
        let id = self.bucket_id(bucket);
        let all = call.wants("versions");
        let page = if all { self.generations(&id, query, within)? } else { self.current(&id, query)? };
        let mut items: Vec<Value> = Vec::new();
        let inside = page.objects.iter().filter(|(object, _)| window.shows(&object.key));
        for (object, hidden) in inside {
            items.push(show(call, bucket, &said, object, *hidden));
        }
        if window.trailing {
            for prefix in page.prefixes.iter().filter(|prefix| window.shows(prefix)) {
                if let Ok(object) = self.objects.get(&id, prefix) {
                    items.push(show(call, bucket, &said, &object, None));
                }
            }
        }
        let mut document = json!({ "kind": "storage#objects" });
        if !items.is_empty() {
            document["items"] = items.into();
        }
        let prefixes: Vec<&String> = page.prefixes.iter().filter(|prefix| window.shows(prefix)).collect();
        if !prefixes.is_empty() {
            document["prefixes"] = json!(prefixes);
        }
        if let Some(next) = page.next.filter(|next| !window.is_over(next)) {
            document["nextPageToken"] = to_token(&next).into();
        }
        Ok(json(StatusCode::OK, &document))
    }

    fn current(&self, id: &BucketId, query: ListQuery<'_>) -> Result<Shown, Fault> {
        let page = self.objects.list(id, query)?;
        let objects = page.objects.into_iter().map(|object| (object, None)).collect();
        Ok(Shown { objects, prefixes: page.prefixes, next: page.next })
    }

    fn generations(
        &self,
        id: &BucketId,
        query: ListQuery<'_>,
        within: Option<VersionName>,
    ) -> Result<Shown, Fault> {
        let page = self.objects.list_versions(id, query, within)?;
        let mut objects: Vec<(Arc<Object>, Option<Timestamp>)> = Vec::new();
        for (at, listed) in page.versions.iter().enumerate() {
            let Some(object) = listed.version.object() else { continue };
            objects.push((object.clone(), self.hidden_since(id, &page.versions, at)));
        }
        // The store has the newest of a key first, the vendor the oldest. Across pages a key's order starts again.
        objects
            .sort_by(|(one, _), (other, _)| one.key.cmp(&other.key).then(one.sequence.cmp(&other.sequence)));
        let next = page.next.map(|(key, version)| match version {
            None => key,
            Some(name) => format!("{key}\n{}", name.number().map(|at| at.to_string()).unwrap_or_default()),
        });
        Ok(Shown { objects, prefixes: page.prefixes, next })
    }

    /// Since when a version is no more what its key stands for.
    fn hidden_since(&self, id: &BucketId, page: &[Listed], at: usize) -> Option<Timestamp> {
        let listed = &page[at];
        if listed.is_newest {
            return None;
        }
        let newer = at.checked_sub(1).and_then(|before| page.get(before));
        if let Some(newer) = newer.filter(|newer| newer.version.key() == listed.version.key()) {
            return Some(newer.version.created());
        }
        // The newer one was on the page before.
        let history = self.objects.history(id, listed.version.key()).ok()?;
        super::objects::hidden_since(&history, listed.version.sequence())
    }
}

struct Shown {
    objects: Vec<(Arc<Object>, Option<Timestamp>)>,
    prefixes: Vec<String>,
    next: Option<String>,
}

pub(super) fn to_token(after: &str) -> String {
    URL_SAFE.encode(after)
}

/// What the page before ended with.
pub(super) fn token(call: &Call) -> Result<Option<String>, Fault> {
    let Some(token) = call.parameter("pageToken").filter(|token| !token.is_empty()) else { return Ok(None) };
    let invalid = || Fault::invalid("Invalid value for: Invalid page token");
    String::from_utf8(URL_SAFE.decode(token).map_err(|_| invalid())?).map(Some).map_err(|_| invalid())
}
