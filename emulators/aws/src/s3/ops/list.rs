//! Listings of objects: ListObjects, ListObjectsV2, ListObjectVersions.

use crate::s3::call::Call;
use crate::s3::encode::{self, Answer};
use crate::s3::fault::Fault;
use crate::s3::{Front, checksum, dates, versions, wire};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mlemu_engine::objects::{ListQuery, Listed, Object, Page};

const MOST: usize = 1000;

/// How keys are written: as they are, or percent-encoded.
#[derive(Clone, Copy)]
struct Spelling {
    encoded: bool,
}

impl Spelling {
    fn of(call: &Call) -> Result<Self, Fault> {
        match call.query.get("encoding-type") {
            None => Ok(Self { encoded: false }),
            Some("url") => Ok(Self { encoded: true }),
            Some(other) => {
                Err(Fault::argument("encoding-type", other, "Invalid Encoding Method specified in Request"))
            }
        }
    }

    fn write(self, key: &str) -> String {
        if self.encoded { encode::encode_key(key) } else { key.to_owned() }
    }

    fn name(self) -> Option<String> {
        self.encoded.then(|| "url".to_owned())
    }
}

fn page(front: &Front, call: &Call, after: &str, limit: usize) -> Result<Page, Fault> {
    let (prefix, delimiter) = (call.query.text("prefix"), call.query.text("delimiter"));
    Ok(front.objects().list(&call.bucket_id(), ListQuery { prefix, delimiter, after, limit })?)
}

fn prefixes(prefixes: &[String], spelling: Spelling) -> Vec<wire::CommonPrefix> {
    prefixes.iter().map(|prefix| wire::CommonPrefix { prefix: spelling.write(prefix) }).collect()
}

fn contents(call: &Call, object: &Object, spelling: Spelling, with_owner: bool) -> wire::Contents {
    let sum = object.content.checksums.first();
    wire::Contents {
        key: spelling.write(&object.key),
        last_modified: dates::iso(object.created),
        etag: encode::quoted(&object.content.etag),
        checksum_algorithm: sum.map(|sum| checksum::name(sum.kind)).into_iter().collect(),
        checksum_type: sum.map(|sum| checksum::kind_of_sum(sum.of_parts)),
        size: object.content.size(),
        owner: with_owner.then(|| encode::owner(&call.scope.account)),
        storage_class: encode::storage_class(object),
    }
}

/// What both listings have in common.
fn result(
    call: &Call,
    page: &Page,
    spelling: Spelling,
    limit: usize,
    with_owner: bool,
) -> wire::ListBucketResult {
    wire::ListBucketResult {
        name: call.bucket.clone(),
        prefix: spelling.write(call.query.text("prefix")),
        max_keys: limit,
        delimiter: call
            .query
            .get("delimiter")
            .filter(|text| !text.is_empty())
            .map(|text| spelling.write(text)),
        encoding_type: spelling.name(),
        is_truncated: page.next.is_some(),
        contents: page.objects.iter().map(|object| contents(call, object, spelling, with_owner)).collect(),
        common_prefixes: prefixes(&page.prefixes, spelling),
        ..wire::ListBucketResult::default()
    }
}

pub(in crate::s3) fn v1(front: &Front, call: &Call) -> Answer {
    let (spelling, limit) = (Spelling::of(call)?, call.number("max-keys", MOST, MOST)?);
    let marker = call.query.text("marker");
    let page = page(front, call, marker, limit)?;
    let has_delimiter = !call.query.text("delimiter").is_empty();
    encode::xml(&wire::ListBucketResult {
        marker: Some(spelling.write(marker)),
        // Clients do not decode it in this version of the listing.
        prefix: call.query.text("prefix").to_owned(),
        // Without a delimiter the last key is the next marker, and S3 does not repeat it.
        next_marker: page.next.as_deref().filter(|_| has_delimiter).map(|next| spelling.write(next)),
        ..result(call, &page, spelling, limit, true)
    })
}

pub(in crate::s3) fn v2(front: &Front, call: &Call) -> Answer {
    let (spelling, limit) = (Spelling::of(call)?, call.number("max-keys", MOST, MOST)?);
    let token = call.query.get("continuation-token").filter(|token| !token.is_empty());
    let start = call.query.get("start-after");
    let after = match token {
        Some(token) => unwrap_token(token)?,
        None => start.unwrap_or_default().to_owned(),
    };
    let page = page(front, call, &after, limit)?;
    let with_owner = call.query.get("fetch-owner") == Some("true");
    encode::xml(&wire::ListBucketResult {
        start_after: start.map(|start| spelling.write(start)),
        continuation_token: call.query.get("continuation-token").map(str::to_owned),
        next_continuation_token: page.next.as_deref().map(|next| URL_SAFE_NO_PAD.encode(next)),
        key_count: Some(page.objects.len() + page.prefixes.len()),
        ..result(call, &page, spelling, limit, with_owner)
    })
}

fn unwrap_token(token: &str) -> Result<String, Fault> {
    let key = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    key.filter(|key| !key.is_empty()).ok_or_else(|| {
        Fault::argument("continuation-token", token, "The continuation token provided is incorrect")
    })
}

pub(in crate::s3) fn versions(front: &Front, call: &Call) -> Answer {
    let (spelling, limit) = (Spelling::of(call)?, call.number("max-keys", MOST, MOST)?);
    let (prefix, delimiter) = (call.query.text("prefix"), call.query.text("delimiter"));
    let (after, within) = (call.query.text("key-marker"), call.query.text("version-id-marker"));
    if after.is_empty() && !within.is_empty() {
        let message = "A version-id marker cannot be specified without a key marker.";
        return Err(Fault::argument("version-id-marker", within, message));
    }
    let name = if within.is_empty() { None } else { Some(versions::name(within)?) };
    let query = ListQuery { prefix, delimiter, after, limit };
    let page = front.objects().list_versions(&call.bucket_id(), query, name)?;
    let (next, next_within) = match page.next {
        Some((key, name)) => (Some(spelling.write(&key)), name.map(versions::text)),
        None => (None, None),
    };
    encode::xml(&wire::ListVersionsResult {
        name: call.bucket.clone(),
        prefix: spelling.write(prefix),
        key_marker: spelling.write(after),
        version_id_marker: within.to_owned(),
        is_truncated: next.is_some(),
        next_key_marker: next,
        next_version_id_marker: next_within,
        max_keys: limit,
        delimiter: call.query.get("delimiter").map(|text| spelling.write(text)),
        encoding_type: spelling.name(),
        entries: page.versions.iter().map(|listed| version_entry(call, listed, spelling)).collect(),
        common_prefixes: prefixes(&page.prefixes, spelling),
        ..wire::ListVersionsResult::default()
    })
}

fn version_entry(call: &Call, listed: &Listed, spelling: Spelling) -> wire::VersionEntry {
    let key = spelling.write(listed.version.key());
    let id = versions::text(listed.version.name());
    let is_latest = listed.is_newest;
    let last_modified = dates::iso(listed.version.created());
    let owner = encode::owner(&call.scope.account);
    let Some(object) = listed.version.object() else {
        return wire::VersionEntry::DeleteMarker(wire::MarkerEntry {
            key,
            id,
            is_latest,
            last_modified,
            owner,
        });
    };
    let sum = object.content.checksums.first();
    wire::VersionEntry::Version(wire::Version {
        key,
        id,
        is_latest,
        last_modified,
        etag: encode::quoted(&object.content.etag),
        checksum_algorithm: sum.map(|sum| checksum::name(sum.kind)).into_iter().collect(),
        checksum_type: sum.map(|sum| checksum::kind_of_sum(sum.of_parts)),
        size: object.content.size(),
        owner,
        storage_class: encode::storage_class(object),
    })
}
