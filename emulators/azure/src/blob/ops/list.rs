//! Blobs of a container, page by page.

use super::containers::PAGE;
use crate::blob::BlobStorage;
use crate::blob::call::Call;
use crate::blob::facts::Facts;
use crate::blob::ops::blocks;
use crate::blob::wire::{self, element};
use crate::storage::answer::{escaped, xml};
use crate::storage::fault::{Fault, code};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{StatusCode, header};
use mlemu_core::Timestamp;
use mlemu_engine::objects::{ListQuery, Object, Version};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What else is shown.
#[derive(Clone, Copy, Default)]
struct Include {
    snapshots: bool,
    metadata: bool,
    copy: bool,
    tags: bool,
    uncommitted: bool,
}

impl Include {
    fn read(said: &str) -> Result<Self, Fault> {
        let mut include = Self::default();
        for word in said.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word.to_ascii_lowercase().as_str() {
                "snapshots" => include.snapshots = true,
                "metadata" => include.metadata = true,
                "copy" => include.copy = true,
                "tags" => include.tags = true,
                "uncommittedblobs" => include.uncommitted = true,
                // Nothing of these is kept here.
                "deleted"
                | "versions"
                | "deletedwithversions"
                | "immutabilitypolicy"
                | "legalhold"
                | "permissions" => {}
                _ => return Err(Fault::parameter("include", word)),
            }
        }
        Ok(include)
    }
}

/// One line of a page, in the order of names.
enum Entry {
    Prefix(String),
    /// A blob after its snapshots, the oldest first.
    Blobs(Vec<Arc<Object>>),
    Uncommitted(Arc<str>),
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Entry::Prefix(name) => name,
            Entry::Blobs(all) => all.first().map_or("", |object| &object.key),
            Entry::Uncommitted(name) => name,
        }
    }
}

pub(super) fn page_size(call: &Call) -> Result<usize, Fault> {
    match call.parameter("maxresults") {
        None | Some("") => Ok(PAGE),
        Some(said) => match said.parse::<usize>() {
            Ok(0) | Err(_) => Err(code::OutOfRangeQueryParameterValue.into()),
            Ok(most) => Ok(most.min(PAGE)),
        },
    }
}

/// Where the client found the account.
pub(super) fn endpoint(call: &Call) -> String {
    let host = call.header(header::HOST.as_str()).unwrap_or_default();
    if host.starts_with(&format!("{}.", call.account)) {
        format!("http://{host}/")
    } else {
        format!("http://{host}/{}", call.account)
    }
}

impl BlobStorage {
    pub(super) fn list_blobs(&self, call: &Call) -> Result<Response, Fault> {
        let said = |name: &str| call.parameter(name).unwrap_or_default();
        let (prefix, delimiter, marker) = (said("prefix"), said("delimiter"), said("marker"));
        let include = Include::read(said("include"))?;
        let most = page_size(call)?;
        let after = if marker.is_empty() { String::new() } else { unmarked(marker)? };
        if include.snapshots && !delimiter.is_empty() {
            return Err(code::InvalidQueryParameterValue.into());
        }
        let query = ListQuery { prefix, delimiter, after: &after, limit: most };
        let (mut entries, next) = self.entries(call, query, include)?;
        if include.uncommitted {
            self.add_uncommitted(call, query, next.as_deref(), &mut entries)?;
        }
        let inner: String = entries.iter().map(|entry| shown(entry, include, call.now)).collect();
        let mut text = String::new();
        let maxresults = said("maxresults");
        let heads =
            [("Prefix", prefix), ("Marker", marker), ("MaxResults", maxresults), ("Delimiter", delimiter)];
        for (name, said) in heads.iter().filter(|(_, said)| !said.is_empty()) {
            text.push_str(&element(name, said));
        }
        let next = next.map(|next| URL_SAFE_NO_PAD.encode(next)).unwrap_or_default();
        let text = format!(
            "<EnumerationResults ServiceEndpoint=\"{}\" ContainerName=\"{}\">{text}<Blobs>{inner}</Blobs>{}</EnumerationResults>",
            escaped(&endpoint(call)),
            escaped(&call.container),
            element("NextMarker", &next)
        );
        Ok(xml(StatusCode::OK, &text))
    }

    fn entries(
        &self,
        call: &Call,
        query: ListQuery<'_>,
        include: Include,
    ) -> Result<(Vec<Entry>, Option<String>), Fault> {
        let page = self.objects.list(&call.bucket, query)?;
        let blobs = page.objects.into_iter().map(|object| {
            if !include.snapshots {
                return Entry::Blobs(vec![object]);
            }
            let versions = self.objects.versions(&call.bucket, &object.key).unwrap_or_default();
            Entry::Blobs(versions.iter().rev().filter_map(Version::object).cloned().collect())
        });
        let mut entries: Vec<Entry> = blobs
            .filter(|entry| !entry.name().is_empty())
            .chain(page.prefixes.into_iter().map(Entry::Prefix))
            .collect();
        entries.sort_by(|a, b| a.name().cmp(b.name()));
        Ok((entries, page.next))
    }

    /// Blobs of which there are only blocks that nobody put together yet.
    fn add_uncommitted(
        &self,
        call: &Call,
        query: ListQuery<'_>,
        next: Option<&str>,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Fault> {
        let known: BTreeSet<String> = entries.iter().map(|entry| entry.name().to_owned()).collect();
        for upload in self.objects.uploads(&call.bucket)? {
            let name = &*upload.key;
            let here = name.starts_with(query.prefix)
                && *name > *query.after
                && next.is_none_or(|next| name <= next)
                && !known.contains(name)
                && upload.id == blocks::upload_id();
            if here && self.objects.get(&call.bucket, name).is_err() {
                entries.push(Entry::Uncommitted(upload.key.clone()));
            }
        }
        entries.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(())
    }
}

fn shown(entry: &Entry, include: Include, now: Timestamp) -> String {
    match entry {
        Entry::Prefix(name) => format!("<BlobPrefix>{}</BlobPrefix>", named(name)),
        Entry::Uncommitted(name) => {
            let properties = "<Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType>";
            format!("<Blob>{}<Properties>{properties}</Properties></Blob>", named(name))
        }
        Entry::Blobs(all) => all.iter().map(|object| blob(object, include, now)).collect(),
    }
}

fn blob(object: &Object, include: Include, now: Timestamp) -> String {
    let facts = Facts::of(&object.attributes);
    let mut text = named(&object.key);
    if let Some(snapshot) = &facts.snapshot {
        text.push_str(&element("Snapshot", snapshot));
    }
    let properties = wire::properties(object, &facts, include.copy, now);
    text.push_str(&format!("<Properties>{properties}</Properties>"));
    if include.metadata {
        text.push_str(&wire::metadata(&object.attributes.metadata));
    }
    if include.tags && !object.attributes.tags.is_empty() {
        text.push_str(&wire::tags(&object.attributes.tags));
    }
    format!("<Blob>{text}</Blob>")
}

/// A name; one that no document may hold is encoded, and says so.
fn named(name: &str) -> String {
    let is_plain = |one: char| one >= ' ' && one != '\u{fffe}' && one != '\u{ffff}';
    if name.chars().all(is_plain) {
        return element("Name", name);
    }
    let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    format!("<Name Encoded=\"true\">{encoded}</Name>")
}

fn unmarked(marker: &str) -> Result<String, Fault> {
    let text = URL_SAFE_NO_PAD.decode(marker).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| Fault::parameter("marker", marker))
}
