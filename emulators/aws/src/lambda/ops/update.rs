//! UpdateFunctionCode, UpdateFunctionConfiguration.

use super::super::catalog::{Entry, Facts};
use super::super::decode::{self, Call};
use super::super::encode::{self, Described};
use super::super::fault::{Code, Fault};
use super::super::target::Target;
use super::super::{Lambda, validate, wire};
use super::{code, read, versions};
use crate::profile::{CREATE_REQUEST, MIB};
use axum::body::Body;
use axum::response::Response;
use mlemu_core::Source;
use mlemu_engine::Draft;
use std::time::Duration;

pub async fn code(lambda: &Lambda, call: &Call<'_>, body: Body) -> Result<Response, Fault> {
    let target = unqualified(call, lambda)?;
    let bytes = decode::whole(body, CREATE_REQUEST, "UpdateFunctionCode").await?;
    let mut request: wire::UpdateCode = decode::parse(&bytes)?;
    drop(bytes);
    validate::architectures(request.architectures.clone())?;
    lambda.with_entry(&target, |entry| check_revision(entry, request.revision_id.as_deref()))??;
    let source = code::bring(lambda, std::mem::take(&mut request.code)).await?;
    let described = if request.dry_run == Some(true) {
        lambda.described(&target)?
    } else {
        replace_code(lambda, &target, &request, source)?
    };
    encode::json(200, &read::described(lambda, described).await)
}

fn replace_code(
    lambda: &Lambda,
    target: &Target,
    request: &wire::UpdateCode,
    source: Source,
) -> Result<Described, Fault> {
    let mut catalog = lambda.catalog();
    let unknown = || Fault::no_function(&target.arn(&lambda.settings));
    let entry = catalog.get_mut(&target.name).ok_or_else(unknown)?;
    check_revision(entry, request.revision_id.as_deref())?;
    let view = lambda.functions.function(&entry.id).ok_or_else(unknown)?;
    let watch = matches!(source, Source::Folder(_));
    let latest = lambda.functions.publish(Draft { source, watch, ..lambda.draft_of(&view) });
    touch(lambda, &mut entry.latest);
    if let Some(architectures) = &request.architectures {
        entry.latest.architectures.clone_from(architectures);
    }
    if request.publish == Some(true) {
        let number = versions::add(lambda, entry, None)?;
        return versions::numbered(lambda, entry, number).ok_or_else(unknown);
    }
    Described::of(entry, target, latest, &lambda.settings).ok_or_else(unknown)
}

pub async fn configuration(lambda: &Lambda, call: &Call<'_>, body: Body) -> Result<Response, Fault> {
    let target = unqualified(call, lambda)?;
    let request: wire::UpdateConfiguration = decode::document(body, "UpdateFunctionConfiguration").await?;
    validate::configuration(&request.settings)?;
    request.role.as_deref().map_or(Ok(()), validate::role)?;
    let described = merge(lambda, &target, request)?;
    encode::json(200, &read::described(lambda, described).await)
}

fn merge(lambda: &Lambda, target: &Target, request: wire::UpdateConfiguration) -> Result<Described, Fault> {
    let mut catalog = lambda.catalog();
    let unknown = || Fault::no_function(&target.arn(&lambda.settings));
    let entry = catalog.get_mut(&target.name).ok_or_else(unknown)?;
    check_revision(entry, request.revision_id.as_deref())?;
    let view = lambda.functions.function(&entry.id).ok_or_else(unknown)?;
    let given = request.settings;
    let kept = lambda.sort("UpdateFunctionConfiguration", Some(&entry.id), given.rest)?;
    let mut draft = lambda.draft_of(&view);
    let before = (draft.runtime.clone(), draft.handler.clone(), draft.env.clone(), draft.limits.clone());
    set(&mut draft.runtime, given.runtime);
    set(&mut draft.handler, given.handler);
    set(&mut draft.env, given.environment.map(|environment| environment.variables));
    set(&mut draft.limits.timeout, given.timeout.map(|seconds| Duration::from_secs(seconds as u64)));
    set(&mut draft.limits.memory, given.memory_size.map(|size| size as u64 * MIB));
    set(&mut draft.limits.tmp, given.ephemeral_storage.map(|tmp| tmp.size as u64 * MIB));
    // What runs stays warm when only words about it change.
    let same =
        before == (draft.runtime.clone(), draft.handler.clone(), draft.env.clone(), draft.limits.clone());
    let latest = if same { view.latest } else { lambda.functions.publish(draft) };
    touch(lambda, &mut entry.latest);
    set(&mut entry.latest.role, request.role);
    set(&mut entry.latest.description, given.description);
    entry.latest.kept.extend(kept);
    Described::of(entry, target, latest, &lambda.settings).ok_or_else(unknown)
}

/// Only `$LATEST` changes: a version in the name is not looked at.
fn unqualified(call: &Call<'_>, lambda: &Lambda) -> Result<Target, Fault> {
    Ok(Target { qualifier: None, ..call.target(&lambda.settings)? })
}

fn set<T>(place: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *place = given;
    }
}

fn touch(lambda: &Lambda, facts: &mut Facts) {
    facts.modified = lambda.functions.clock().now();
    facts.revision_id = lambda.fresh_id();
}

/// A caller may say which state of the function it has seen.
pub fn check_revision(entry: &Entry, seen: Option<&str>) -> Result<(), Fault> {
    if seen.is_none_or(|seen| seen.is_empty() || seen == entry.latest.revision_id) {
        return Ok(());
    }
    Err(Fault::new(
        Code::PreconditionFailed,
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
    ))
}
