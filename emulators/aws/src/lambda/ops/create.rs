//! CreateFunction.

use super::super::catalog::Entry;
use super::super::encode::{self, Described};
use super::super::fault::{Code, Fault};
use super::super::target::{LATEST, Target};
use super::super::{Lambda, decode, validate, wire};
use super::{code, read, versions};
use crate::profile;
use crate::profile::{CREATE_REQUEST, MIB};
use axum::body::Body;
use axum::response::Response;
use mlemu_core::Source;
use mlemu_engine::Draft;
use std::time::Duration;

pub async fn run(lambda: &Lambda, body: Body) -> Result<Response, Fault> {
    let bytes = decode::whole(body, CREATE_REQUEST, "CreateFunction").await?;
    let mut request: wire::CreateFunction = decode::parse(&bytes)?;
    drop(bytes);
    let target = check(lambda, &request)?;
    refuse_existing(lambda, &target.name)?;
    let code = request.code.take().unwrap_or_default();
    let source = code::bring(lambda, code).await?;
    let described = add(lambda, &target, request, source)?;
    if let Ok(mappings) = lambda.mappings() {
        mappings.revive(&lambda.id_of(&target.name));
    }
    encode::json(201, &read::described(lambda, described).await)
}

/// Everything that can be said of a request before its code is opened.
fn check(lambda: &Lambda, request: &wire::CreateFunction) -> Result<Target, Fault> {
    let missing = |member: &str| Fault::constraint("null", member, "Member must not be null");
    let name = request.function_name.as_deref().ok_or_else(|| missing("functionName"))?;
    let target = Target::read(name, None, &lambda.settings)?;
    validate::role(request.role.as_deref().ok_or_else(|| missing("role"))?)?;
    let code = request.code.as_ref().ok_or_else(|| missing("code"))?;
    let is_image = request.package_type.as_deref() == Some("Image") || code.image_uri.is_some();
    if is_image {
        lambda.unsupported(None, "CreateFunction(PackageType=Image)");
        return Err(Fault::new(Code::NotImplemented, "mlemu does not run container images yet"));
    }
    if request.settings.runtime.is_none() || request.settings.handler.is_none() {
        return Err(Fault::parameter(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ));
    }
    validate::configuration(&request.settings)?;
    validate::architectures(request.architectures.clone())?;
    Ok(target)
}

fn refuse_existing(lambda: &Lambda, name: &str) -> Result<(), Fault> {
    if lambda.catalog().has(name) {
        return Err(Fault::new(Code::ResourceConflict, format!("Function already exist: {name}")));
    }
    Ok(())
}

/// Puts a checked function into the engine and the catalog, both or neither.
fn add(
    lambda: &Lambda,
    target: &Target,
    request: wire::CreateFunction,
    source: Source,
) -> Result<Described, Fault> {
    let given = request.settings;
    let kept = lambda.sort("CreateFunction", None, given.rest)?;
    let megabytes = |given: Option<i64>, otherwise: u64| given.map_or(otherwise, |size| size as u64 * MIB);
    let limits = profile::limits(
        megabytes(given.memory_size, profile::DEFAULT_MEMORY),
        given.timeout.map_or(profile::DEFAULT_TIMEOUT, |timeout| Duration::from_secs(timeout as u64)),
        megabytes(given.ephemeral_storage.map(|tmp| tmp.size), profile::DEFAULT_TMP),
    );
    let id = lambda.id_of(&target.name);
    let draft = Draft {
        id: id.clone(),
        label: LATEST.into(),
        watch: matches!(source, Source::Folder(_)),
        source,
        runtime: given.runtime.unwrap_or_default(),
        handler: given.handler.unwrap_or_default(),
        env: given.environment.unwrap_or_default().variables,
        limits,
        client: lambda.client.clone(),
        from: None,
    };
    let description = given.description.unwrap_or_default();
    let role = request.role.unwrap_or_default();
    let mut catalog = lambda.catalog();
    if catalog.has(&target.name) {
        return Err(Fault::new(Code::ResourceConflict, format!("Function already exist: {}", target.name)));
    }
    let latest = lambda.functions.publish(draft);
    let mut entry = Entry::new(id, lambda.facts(role, description, request.architectures, kept));
    entry.tags = request.tags.unwrap_or_default();
    let plain = Target { name: target.name.clone(), qualifier: None };
    let described = if request.publish == Some(true) {
        versions::add(lambda, &mut entry, None).map(|number| versions::numbered(lambda, &entry, number))?
    } else {
        Described::of(&entry, &plain, latest, &lambda.settings)
    };
    catalog.insert(entry);
    let described = described.ok_or_else(|| Fault::no_function(&plain.arn(&lambda.settings)))?;
    Ok(Described { arn: plain.arn(&lambda.settings), ..described })
}
