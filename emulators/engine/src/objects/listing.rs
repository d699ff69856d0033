//! Listing a bucket: a scan of the ordered keys, with everything past a delimiter rolled up.

use super::bucket::BucketId;
use super::object::Object;
use super::version::{Version, VersionName, Versions};
use super::{Fault, Objects};
use std::collections::{BTreeMap, btree_map};
use std::ops::Bound;
use std::sync::Arc;

/// Sorts after every key that begins with what stands before it, but for keys with this very character.
const LAST: char = char::MAX;

type Keys = BTreeMap<Arc<str>, Versions>;

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

/// One page of all versions, by key and then the newest first.
#[derive(Clone, Debug, Default)]
pub struct VersionPage {
    pub versions: Vec<Listed>,
    pub prefixes: Vec<String>,
    /// The last entry, when more follow: a key with a version, or a rolled-up prefix.
    pub next: Option<(String, Option<VersionName>)>,
}

#[derive(Clone, Debug)]
pub struct Listed {
    pub version: Version,
    pub is_newest: bool,
}

impl Objects {
    /// The objects that keys stand for now.
    pub fn list(&self, bucket: &BucketId, query: ListQuery<'_>) -> Result<Page, Fault> {
        let store = self.lock();
        Ok(page(&store.bucket(bucket)?.objects, query))
    }

    /// All versions and markers. With `within`, the key in `query.after` is gone on with behind that version of it.
    pub fn list_versions(
        &self,
        bucket: &BucketId,
        query: ListQuery<'_>,
        within: Option<VersionName>,
    ) -> Result<VersionPage, Fault> {
        let store = self.lock();
        Ok(version_page(&store.bucket(bucket)?.objects, query, within))
    }
}

fn page(keys: &Keys, query: ListQuery<'_>) -> Page {
    let mut page = Page::default();
    let mut last = None;
    if query.limit == 0 {
        return page;
    }
    for entry in Scan::new(keys, query, start(query), |versions| versions.current().is_some()) {
        if page.objects.len() + page.prefixes.len() == query.limit {
            page.next = last;
            return page;
        }
        match entry {
            Entry::Key(key, versions) => {
                last = Some(key.to_string());
                page.objects.extend(versions.current().cloned());
            }
            Entry::Group(group) => {
                page.prefixes.push(group.into());
                last = Some(group.into());
            }
        }
    }
    page
}

fn version_page(keys: &Keys, query: ListQuery<'_>, within: Option<VersionName>) -> VersionPage {
    let mut page = VersionPage::default();
    let mut last = None;
    if query.limit == 0 {
        return page;
    }
    let start = match within {
        Some(_) => Start::At(query.after.max(query.prefix).into()),
        None => start(query),
    };
    for entry in Scan::new(keys, query, start, |_| true) {
        let left = query.limit - page.versions.len() - page.prefixes.len();
        match entry {
            Entry::Group(_) if left == 0 => {
                page.next = last;
                return page;
            }
            Entry::Group(group) => {
                page.prefixes.push(group.into());
                last = Some((group.into(), None));
            }
            Entry::Key(key, versions) => {
                let seen = within.filter(|_| **key == *query.after);
                let mut rest = versions.all().enumerate().skip(seen.map_or(0, |name| behind(versions, name)));
                let taken = rest.by_ref().take(left);
                let before = page.versions.len();
                page.versions.extend(
                    taken.map(|(at, version)| Listed { version: version.clone(), is_newest: at == 0 }),
                );
                if page.versions.len() > before {
                    last = page.versions.last().map(named);
                }
                if rest.next().is_some() {
                    page.next = last;
                    return page;
                }
            }
        }
    }
    page
}

fn named(listed: &Listed) -> (String, Option<VersionName>) {
    (listed.version.key().to_string(), Some(listed.version.name()))
}

/// How many versions, newest first, come up to this one. One that is gone meanwhile was older than it is young.
fn behind(versions: &Versions, name: VersionName) -> usize {
    let found = versions.all().position(|version| version.name() == name).map(|at| at + 1);
    let older = |number| versions.all().take_while(|version| version.sequence() >= number).count();
    found.or_else(|| name.number().map(older)).unwrap_or_else(|| versions.all().count())
}

/// What a scan comes by.
enum Entry<'a> {
    Key(&'a Arc<str>, &'a Versions),
    Group(&'a str),
}

/// Goes through the keys in order, over each group once.
struct Scan<'a, F> {
    keys: &'a Keys,
    query: ListQuery<'a>,
    range: btree_map::Range<'a, Arc<str>, Versions>,
    group: &'a str,
    is_shown: F,
}

impl<'a, F: Fn(&Versions) -> bool> Scan<'a, F> {
    fn new(keys: &'a Keys, query: ListQuery<'a>, start: Start, is_shown: F) -> Self {
        let range = keys.range::<str, _>((start.as_bound(), Bound::Unbounded));
        Self { keys, query, range, group: "", is_shown }
    }
}

impl<'a, F: Fn(&Versions) -> bool> Iterator for Scan<'a, F> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let (key, versions) = self.range.next()?;
            if !key.starts_with(self.query.prefix) {
                return None;
            }
            if !(self.is_shown)(versions) {
                continue;
            }
            let Some(group) = rolled(key, self.query) else { return Some(Entry::Key(key, versions)) };
            if group == self.query.after || group == self.group {
                continue;
            }
            self.group = group;
            let behind = format!("{group}{LAST}");
            self.range = self.keys.range::<str, _>((Bound::Excluded(&*behind), Bound::Unbounded));
            return Some(Entry::Group(group));
        }
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
