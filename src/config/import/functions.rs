//! `AWS::Serverless::Function` and `AWS::Lambda::Function`: one becomes a declaration.

use super::Import;
use super::properties::Properties;
use super::template::Resource;
use super::{code, cors, events, globals, known, resources};
use crate::config::MIN_INSTANCES;
use crate::config::error::ConfigError;
use crate::config::limits::{self, MIB};
use mlemu_core::declare::{FunctionDeclaration, TriggerDeclaration};
use mlemu_core::function::Environment;
use std::time::Duration;

/// Reads one function. `None`: it cannot run here, a warning says why.
pub fn function(
    import: &Import<'_>,
    resource: &Resource<'_>,
) -> Result<Option<FunctionDeclaration>, ConfigError> {
    let resolver = &import.resolver;
    let properties = Properties::new(resolver, globals::properties(resolver, resource));
    let id = resource.id;
    known::check(resolver, resource);
    if is_image(&properties) {
        properties.warn(format!("function `{id}` is left out: images are not supported"));
        return Ok(None);
    }
    let Some(runtime) = properties.identity("Runtime")? else {
        return Err(import.error(resource, format!("function `{id}` has no Runtime")));
    };
    if let Some(fault) = limits::runtime_fault("aws", &runtime) {
        resolver.warn(
            properties.raw("Runtime").map_or(properties.node.at, |node| node.at),
            format!("{id}: {fault}"),
        );
    }
    let handler = match properties.identity("Handler")? {
        Some(handler) => handler,
        None if runtime.starts_with("provided") => "bootstrap".into(),
        None => return Err(import.error(resource, format!("function `{id}` has no Handler"))),
    };
    let Some(source) = code::source(import, resource, &properties, &runtime)? else { return Ok(None) };
    if properties.raw("Layers").is_some() {
        properties.warn(format!("the layers of `{id}` are not applied; layers are not supported yet"));
    }
    let name = resolver.physical_name(resource).unwrap_or_else(|| id.to_owned());
    if let Some(fault) = limits::function_name_fault("aws", &name) {
        return Err(properties.error("FunctionName", fault));
    }
    let memory = properties.number_or("MemorySize", &format!("{id} gets 128 MB"))?;
    Ok(Some(FunctionDeclaration {
        cloud: "aws".into(),
        alias: (name != id).then(|| id.to_owned()),
        name,
        runtime,
        handler,
        source,
        memory: Some(checked(
            &properties,
            "MemorySize",
            memory.map(|size| size.saturating_mul(MIB)),
            128 * MIB,
            limits::memory_fault,
        )?),
        timeout: Some(timeout(&properties, id)?),
        tmp: storage(&properties)?,
        env: environment(&properties),
        concurrency: properties
            .number("ReservedConcurrentExecutions")?
            .map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
        triggers: triggers(import, &properties)?,
        options: resources::dead_letters(&properties)
            .map(|target| ("DeadLetterConfig".to_owned(), target))
            .into_iter()
            .chain(provisioned(&properties)?)
            .collect(),
        from: import.provenance(resource),
    }))
}

/// Instances that are kept; the vendor has them for an alias, which here leads to the same code.
fn provisioned(properties: &Properties<'_>) -> Result<Option<(String, String)>, ConfigError> {
    let Some(config) = properties.inside("ProvisionedConcurrencyConfig") else { return Ok(None) };
    let count = config.number("ProvisionedConcurrentExecutions")?;
    Ok(count.map(|count| (MIN_INSTANCES.to_owned(), count.to_string())))
}

fn is_image(properties: &Properties<'_>) -> bool {
    properties.text("PackageType").is_some_and(|kind| kind == "Image")
        || properties.raw("ImageUri").is_some()
        || properties.raw("Code").is_some_and(|code| code.get("ImageUri").is_some())
}

fn timeout(properties: &Properties<'_>, id: &str) -> Result<Duration, ConfigError> {
    let seconds = properties.number_or("Timeout", &format!("{id} gets 3 s"))?;
    let timeout = seconds.map(Duration::from_secs);
    checked(properties, "Timeout", timeout, Duration::from_secs(3), limits::timeout_fault)
}

fn storage(properties: &Properties<'_>) -> Result<Option<u64>, ConfigError> {
    let Some(storage) = properties.inside("EphemeralStorage") else { return Ok(None) };
    let Some(size) = storage.number("Size")? else { return Ok(None) };
    checked(&storage, "Size", Some(size.saturating_mul(MIB)), 0, limits::tmp_fault).map(Some)
}

/// A value within the vendor's limits, or the default.
fn checked<T: Copy>(
    properties: &Properties<'_>,
    name: &str,
    value: Option<T>,
    default: T,
    fault: fn(&str, T) -> Option<String>,
) -> Result<T, ConfigError> {
    match value.and_then(|value| fault("aws", value)) {
        Some(fault) => Err(properties.error(name, fault)),
        None => Ok(value.unwrap_or(default)),
    }
}

fn environment(properties: &Properties<'_>) -> Environment {
    // Set by the vendor's own local tool; handlers ask for it to find out where they run.
    let mut env = Environment::from([("AWS_SAM_LOCAL".to_owned(), "true".to_owned())]);
    let variables = properties.inside("Environment").and_then(|environment| environment.get("Variables"));
    if let Some(variables) = variables.as_ref().and_then(|node| node.as_map()) {
        for (key, value) in variables.iter() {
            env.extend(properties.resolver.written(value).map(|value| (key.text.clone(), value)));
        }
    }
    env
}

fn triggers(
    import: &Import<'_>,
    properties: &Properties<'_>,
) -> Result<Vec<TriggerDeclaration>, ConfigError> {
    let mut triggers = events::triggers(import, properties)?;
    if let Some(url) = properties.inside("FunctionUrlConfig") {
        triggers.push(self::url(&url));
    }
    Ok(triggers)
}

/// A function URL, from the properties of `FunctionUrlConfig` or of an `AWS::Lambda::Url`.
pub fn url(properties: &Properties<'_>) -> TriggerDeclaration {
    let streaming = properties.text("InvokeMode").is_some_and(|mode| mode == "RESPONSE_STREAM");
    TriggerDeclaration::Url { cors: cors::read(properties, "Cors"), streaming }
}
