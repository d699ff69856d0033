//! PublishVersion, ListVersionsByFunction.

use super::super::catalog::Entry;
use super::super::decode::{self, Call};
use super::super::encode::{self, Described};
use super::super::fault::Fault;
use super::super::target::{LATEST, Target};
use super::super::{Lambda, wire};
use super::{read, update};
use axum::body::Body;
use axum::response::Response;

pub async fn publish(lambda: &Lambda, call: &Call<'_>, body: Body) -> Result<Response, Fault> {
    let target = call.target(&lambda.settings)?;
    let request: wire::PublishVersion = decode::document(body, "PublishVersion").await?;
    let described = {
        let mut catalog = lambda.catalog();
        let unknown = || Fault::no_function(&target.arn(&lambda.settings));
        let entry = catalog.get_mut(&target.name).ok_or_else(unknown)?;
        update::check_revision(entry, request.revision_id.as_deref())?;
        check_code(lambda, entry, request.code_sha256.as_deref())?;
        let number = add(lambda, entry, request.description)?;
        numbered(lambda, entry, number).ok_or_else(unknown)?
    };
    encode::json(201, &read::described(lambda, described).await)
}

pub async fn list(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let target = Target { qualifier: Some(LATEST.into()), ..call.target(&lambda.settings)? };
    let page = call.page()?;
    let plain = Target { qualifier: None, ..target.clone() };
    let mut found =
        vec![lambda.described(&target).map_err(|_| Fault::no_function(&plain.arn(&lambda.settings)))?];
    found.extend(lambda.described_versions(&target)?);
    let (found, next_marker) = page.cut(found, read::sort_key);
    let mut versions = Vec::new();
    for one in found {
        versions.push(read::described(lambda, one).await);
    }
    encode::json(200, &wire::ListVersions { versions, next_marker })
}

/// Publishes `$LATEST` as the next version, or gives the version that is no different from it.
pub fn add(lambda: &Lambda, entry: &mut Entry, description: Option<String>) -> Result<u64, Fault> {
    let latest = lambda.latest(&entry.id)?;
    if let Some(number) = entry.unchanged(&latest) {
        return Ok(number);
    }
    let number = entry.next;
    let pinned = lambda.functions.pin(&entry.id, &number.to_string());
    let pinned = pinned.ok_or_else(|| Fault::no_function(&lambda.arn_of(&entry.id)))?;
    entry.add_version(pinned, description, lambda.fresh_id());
    Ok(number)
}

/// One published version, under its qualified ARN.
pub fn numbered(lambda: &Lambda, entry: &Entry, number: u64) -> Option<Described> {
    let version = entry.versions.get(&number)?;
    let target = Target { name: entry.id.name.to_string(), qualifier: Some(number.to_string()) };
    Described::of(entry, &target, version.revision.clone(), &lambda.settings)
}

fn check_code(lambda: &Lambda, entry: &Entry, expected: Option<&str>) -> Result<(), Fault> {
    let Some(expected) = expected.filter(|expected| !expected.is_empty()) else { return Ok(()) };
    let actual = encode::code_sha256(&*lambda.latest(&entry.id)?);
    if expected == actual {
        return Ok(());
    }
    Err(Fault::parameter(format!(
        "CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST ({actual}). Please try again with the CodeSHA256 in $LATEST."
    )))
}
