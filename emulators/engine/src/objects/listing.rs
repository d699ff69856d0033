//! Listing a bucket: a scan of the ordered keys, with everything past a delimiter rolled up.

use super::bucket::{BucketId, Versions};
use super::object::Object;
use super::{Fault, Objects};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// Sorts after every key that begins with what stands before it, but for keys with this very character.
const LAST: char = char::MAX;

#[derive(Clone, Copy, Debug, Default)]
pub struct ListQuery<'a> {
    pub prefix: &'a str,
    /// Keys that have it after the prefix are rolled up to one entry that ends with it. Empty: none are.
    pub delimiter: &'a str,
    /// Only what sorts after this, a key or a rolled-up prefix.
    pub after: &'a str,
    /// Objects and rolled-up prefixes together.
    pub limit: usize,
}

/// One page of a listing, in the order of the bytes of the keys.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub objects: Vec<Arc<Object>>,
    pub prefixes: Vec<String>,
    /// The last entry, when more follow: give it back as `after`.
    pub next: Option<String>,
}

impl Page {
    fn len(&self) -> usize {
        self.objects.len() + self.prefixes.len()
    }
}

impl Objects {
    pub fn list(&self, bucket: &BucketId, query: ListQuery<'_>) -> Result<Page, Fault> {
        let store = self.lock();
        Ok(page(&store.bucket(bucket)?.objects, query))
    }
}

fn page(keys: &BTreeMap<Arc<str>, Versions>, query: ListQuery<'_>) -> Page {
    let mut page = Page::default();
    let mut last = None;
    if query.limit == 0 {
        return page;
    }
    let mut from = start(query);
    'scan: loop {
        for (key, versions) in keys.range::<str, _>((from.as_bound(), Bound::Unbounded)) {
            if !key.starts_with(query.prefix) {
                return page;
            }
            let group = rolled(key, query);
            if group
                .is_some_and(|group| group == query.after || page.prefixes.last().is_some_and(|p| p == group))
            {
                continue;
            }
            if page.len() == query.limit {
                page.next = last;
                return page;
            }
            if let Some(group) = group {
                page.prefixes.push(group.into());
                last = Some(group.into());
                from = Start::After(format!("{group}{LAST}"));
                continue 'scan;
            }
            last = Some(key.to_string());
            page.objects.extend(versions.current().cloned());
        }
        return page;
    }
}

/// The entry that `key` disappears in.
fn rolled<'a>(key: &'a str, query: ListQuery<'_>) -> Option<&'a str> {
    if query.delimiter.is_empty() {
        return None;
    }
    let rest = key.get(query.prefix.len()..)?;
    let at = rest.find(query.delimiter)?;
    Some(&key[..query.prefix.len() + at + query.delimiter.len()])
}

enum Start {
    At(String),
    After(String),
}

impl Start {
    fn as_bound(&self) -> Bound<&str> {
        match self {
            Start::At(key) => Bound::Included(key),
            Start::After(key) => Bound::Excluded(key),
        }
    }
}

fn start(query: ListQuery<'_>) -> Start {
    if query.after < query.prefix {
        return Start::At(query.prefix.into());
    }
    if query.after.is_empty() {
        return Start::At(String::new());
    }
    let is_group = query.after.starts_with(query.prefix) && rolled(query.after, query) == Some(query.after);
    Start::After(if is_group { format!("{}{LAST}", query.after) } else { query.after.into() })
}
