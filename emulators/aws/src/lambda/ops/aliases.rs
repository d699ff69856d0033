//! Create, Update, Get, List and DeleteAlias.
//!
//! Lambda Developer Guide, "Create an alias for a Lambda function" and "Implement Lambda canary deployments using a
//! weighted alias".

use super::super::catalog::{Alias, Entry};
use super::super::decode::{self, Call};
use super::super::encode;
use super::super::fault::{Code, Fault};
use super::super::target::{LATEST, Target};
use super::super::{Lambda, wire};
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use mlemu_engine::Routes;

const LONGEST_NAME: usize = 128;

pub async fn create(lambda: &Lambda, call: &Call<'_>, body: Body) -> Result<Response, Fault> {
    let request: wire::SetAlias = decode::document(body, "CreateAlias").await?;
    let missing = |member: &str| Fault::constraint("null", member, "Member must not be null");
    let name = request.name.clone().ok_or_else(|| missing("name"))?;
    check_name(&name)?;
    let version = request.function_version.clone().ok_or_else(|| missing("functionVersion"))?;
    let told = lambda.with_entry_mut(&call.target(&lambda.settings)?, |entry| {
        if entry.aliases.contains_key(&name) {
            let arn = lambda.settings.arn(&entry.id.name, Some(&name));
            return Err(Fault::new(Code::ResourceConflict, format!("Alias already exists: {arn}")));
        }
        let fresh = Alias { version, description: String::new(), aside: None, revision_id: String::new() };
        put(lambda, entry, &name, fresh, request)
    })?;
    encode::json(201, &told)
}

pub async fn update(lambda: &Lambda, call: &Call<'_>, body: Body) -> Result<Response, Fault> {
    let request: wire::SetAlias = decode::document(body, "UpdateAlias").await?;
    let name = name_of(call);
    let told = lambda.with_entry_mut(&call.target(&lambda.settings)?, |entry| {
        let known = entry.aliases.get(&name).cloned();
        let mut alias = known.ok_or_else(|| absent(lambda, &entry.id.name, &name))?;
        if request.revision_id.as_ref().is_some_and(|expected| *expected != alias.revision_id) {
            return Err(Fault::new(
                Code::PreconditionFailed,
                "The Revision Id provided does not match the latest Revision Id. Call the GetAlias API to retrieve the latest Revision Id",
            ));
        }
        if let Some(version) = &request.function_version {
            alias.version.clone_from(version);
        }
        put(lambda, entry, &name, alias, request)
    })?;
    encode::json(200, &told)
}

pub fn get(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let name = name_of(call);
    let told = lambda.with_entry(&call.target(&lambda.settings)?, |entry| {
        let alias = entry.aliases.get(&name).ok_or_else(|| absent(lambda, &entry.id.name, &name))?;
        Ok(told(lambda, entry, &name, alias))
    })?;
    encode::json(200, &told?)
}

pub fn list(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let version = call.query.get("FunctionVersion");
    let all = lambda.with_entry(&call.target(&lambda.settings)?, |entry| {
        let wanted = |alias: &Alias| version.is_none_or(|version| *alias.version == *version);
        let each = entry.aliases.iter().filter(|(_, alias)| wanted(alias));
        each.map(|(name, alias)| told(lambda, entry, name, alias)).collect::<Vec<_>>()
    })?;
    let (aliases, next_marker) = call.page()?.cut(all, |alias| alias.name.clone());
    encode::json(200, &wire::ListAliases { aliases, next_marker })
}

/// Deleting an alias that is not there succeeds, as it does at the vendor's.
pub fn delete(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let name = name_of(call);
    lambda.with_entry_mut(&call.target(&lambda.settings)?, |entry| {
        if entry.aliases.remove(&name).is_some() {
            entry.queued.remove(&name);
            entry.policies.remove(&name);
            lambda.functions.lead(&entry.id, &name, None);
        }
        Ok(())
    })?;
    Ok(encode::empty(StatusCode::NO_CONTENT))
}

fn name_of(call: &Call<'_>) -> String {
    call.path.get(1).cloned().unwrap_or_default()
}

/// Checks an alias and lets it lead.
pub fn put(
    lambda: &Lambda,
    entry: &mut Entry,
    name: &str,
    mut alias: Alias,
    request: wire::SetAlias,
) -> Result<wire::Alias, Fault> {
    if let Some(description) = request.description {
        alias.description = description;
    }
    if let Some(routing) = request.routing_config {
        alias.aside = aside(routing)?;
    }
    check(lambda, entry, &alias)?;
    alias.revision_id = lambda.fresh_id();
    let routes = Routes { to: alias.version.clone(), aside: alias.aside.clone() };
    lambda.functions.lead(&entry.id, name, Some(routes));
    let told = told(lambda, entry, name, &alias);
    entry.aliases.insert(name.to_owned(), alias);
    Ok(told)
}

/// Lets an alias stand for the newest version, whatever that is.
pub fn lead_to_latest(lambda: &Lambda, target: &Target, name: &str) -> Result<(), Fault> {
    check_name(name)?;
    let plain = Target { qualifier: None, ..target.clone() };
    lambda.with_entry_mut(&plain, |entry| {
        let alias = Alias {
            version: LATEST.into(),
            description: String::new(),
            aside: None,
            revision_id: String::new(),
        };
        put(lambda, entry, name, alias, wire::SetAlias::default()).map(drop)
    })
}

fn aside(routing: wire::RoutingConfig) -> Result<Option<(String, f64)>, Fault> {
    let mut weights = routing.additional_version_weights.into_iter();
    let (first, more) = (weights.next(), weights.next());
    if more.is_some() {
        return Err(Fault::parameter("Number of items in AdditionalVersionWeights cannot be greater than 1"));
    }
    match first {
        Some((_, share)) if !(0.0..=1.0).contains(&share) => Err(Fault::constraint(
            &share.to_string(),
            "routingConfig.additionalVersionWeights",
            "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]",
        )),
        other => Ok(other),
    }
}

fn check(lambda: &Lambda, entry: &Entry, alias: &Alias) -> Result<(), Fault> {
    let exists = |version: &str| {
        version == LATEST || version.parse::<u64>().is_ok_and(|number| entry.versions.contains_key(&number))
    };
    let versions = [Some(&alias.version), alias.aside.as_ref().map(|(version, _)| version)];
    if let Some(unknown) = versions.into_iter().flatten().find(|version| !exists(version)) {
        let arn = lambda.settings.arn(&entry.id.name, Some(unknown));
        return Err(Fault::no_function(&arn));
    }
    let Some((other, _)) = &alias.aside else { return Ok(()) };
    if alias.version == LATEST || other == LATEST {
        return Err(Fault::parameter(
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ));
    }
    if *other == alias.version {
        return Err(Fault::parameter(format!(
            "Invalid function version {other}. Function version {other} is already included in routing configuration."
        )));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), Fault> {
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    if letters && !is_number && (1..=LONGEST_NAME).contains(&name.len()) {
        return Ok(());
    }
    let expected = "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)";
    Err(Fault::constraint(name, "name", expected))
}

fn absent(lambda: &Lambda, function: &str, name: &str) -> Fault {
    let arn = lambda.settings.arn(function, Some(name));
    Fault::new(Code::ResourceNotFound, format!("Cannot find alias arn: {arn}"))
}

fn told(lambda: &Lambda, entry: &Entry, name: &str, alias: &Alias) -> wire::Alias {
    wire::Alias {
        alias_arn: lambda.settings.arn(&entry.id.name, Some(name)),
        name: name.to_owned(),
        function_version: alias.version.clone(),
        description: alias.description.clone(),
        routing_config: alias
            .aside
            .clone()
            .map(|weight| wire::RoutingConfig { additional_version_weights: [weight].into() }),
        revision_id: alias.revision_id.clone(),
    }
}
