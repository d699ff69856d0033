//! `Events` of a function: each becomes a trigger, or a warning that names it.

use super::node::Node;
use super::properties::Properties;
use super::{Import, cors};
use crate::config::error::ConfigError;
use mlemu_core::declare::{HttpForm, QueueOptions, TriggerDeclaration};
use std::sync::Arc;
use std::time::Duration;

const DEFAULT_BATCH: u32 = 10;

pub fn triggers(
    import: &Import<'_>,
    function: &Properties<'_>,
) -> Result<Vec<TriggerDeclaration>, ConfigError> {
    let mut triggers = Vec::new();
    let Some(events) = function.raw("Events").and_then(|events| events.as_map()) else { return Ok(triggers) };
    for (name, event) in events.iter() {
        let kind = event.get("Type").and_then(|kind| kind.as_text()).unwrap_or_default();
        let properties = event.get("Properties").unwrap_or(event);
        let event = Properties::new(function.resolver, properties.clone());
        if is_off(&event) {
            continue;
        }
        match kind {
            "Api" => triggers.push(rest(import, &event)?),
            "HttpApi" => triggers.extend(http(import, &event)?),
            "S3" => triggers.push(bucket(&event)?),
            "SQS" => triggers.push(queue(&event, "Queue")?),
            "Schedule" => triggers.push(schedule(&event, "Schedule")?),
            // They are resources of their own.
            "SNS" | "EventBridgeRule" | "CloudWatchEvent" => {}
            "ScheduleV2" => triggers.push(schedule(&event, "ScheduleExpression")?),
            _ => event
                .resolver
                .warn(name.at, format!("event `{}` of type `{kind}` is not supported yet", name.text)),
        }
    }
    Ok(triggers)
}

/// Declared, and switched off.
fn is_off(event: &Properties<'_>) -> bool {
    event.flag("Enabled") == Some(false) || event.text("State").is_some_and(|state| state == "DISABLED")
}

fn rest(import: &Import<'_>, event: &Properties<'_>) -> Result<TriggerDeclaration, ConfigError> {
    let api = event.text("RestApiId").unwrap_or_else(|| "ServerlessRestApi".into());
    let form = HttpForm::Rest;
    Ok(TriggerDeclaration::Http {
        method: method(&required(event, "Method")?),
        path: path(event, required(event, "Path")?)?,
        cors: cors::of_api(import, &api, form),
        api,
        form,
    })
}

/// Without a path the event is the API's `$default` route, which takes whatever no other route takes: the root
/// and everything below it.
fn http(import: &Import<'_>, event: &Properties<'_>) -> Result<Vec<TriggerDeclaration>, ConfigError> {
    let api = event.text("ApiId").unwrap_or_else(|| "ServerlessHttpApi".into());
    let cors = cors::of_api(import, &api, HttpForm::Lean);
    let is_old = event.text("PayloadFormatVersion").is_some_and(|version| version == "1.0");
    let form = if is_old { HttpForm::Rest } else { HttpForm::Lean };
    let method = method(&event.text("Method").unwrap_or_else(|| "ANY".into()));
    let paths = match event.text("Path").filter(|path| path != "$default") {
        Some(path) => vec![self::path(event, path)?],
        None => vec!["/".into(), "/{proxy+}".into()],
    };
    let route = |path| TriggerDeclaration::Http {
        api: api.clone(),
        method: method.clone(),
        path,
        form,
        cors: cors.clone(),
    };
    Ok(paths.into_iter().map(route).collect())
}

fn schedule(event: &Properties<'_>, property: &str) -> Result<TriggerDeclaration, ConfigError> {
    Ok(TriggerDeclaration::Schedule { expression: required(event, property)? })
}

fn method(text: &str) -> String {
    match text.to_ascii_uppercase().as_str() {
        "*" | "X-AMAZON-APIGATEWAY-ANY-METHOD" => "ANY".into(),
        method => method.into(),
    }
}

fn path(event: &Properties<'_>, path: String) -> Result<String, ConfigError> {
    if path.starts_with('/') {
        Ok(path)
    } else {
        Err(event.error("Path", format!("a path begins with `/`, `{path}` does not")))
    }
}

fn bucket(event: &Properties<'_>) -> Result<TriggerDeclaration, ConfigError> {
    let bucket =
        event.identity("Bucket")?.ok_or_else(|| event.error("Bucket", "an S3 event needs a Bucket"))?;
    let filter = event.inside("Filter").and_then(|filter| filter.inside("S3Key"));
    Ok(notification(bucket, event.texts("Events"), filter.as_ref()))
}

/// A bucket trigger from its events and the `S3Key` filter, which buckets and functions declare alike.
pub fn notification(
    bucket: String,
    events: Vec<String>,
    filter: Option<&Properties<'_>>,
) -> TriggerDeclaration {
    let rules = filter.and_then(|filter| filter.get("Rules"));
    let rule = |wanted: &str| {
        let rules = rules.as_ref()?.as_list()?.iter();
        let mut named = rules.filter(|rule| {
            let name = rule.get("Name").and_then(|name| name.as_text());
            name.is_some_and(|name| name.eq_ignore_ascii_case(wanted))
        });
        named.next()?.get("Value")?.as_text().map(str::to_owned)
    };
    TriggerDeclaration::Bucket { bucket, events, prefix: rule("prefix"), suffix: rule("suffix") }
}

/// A queue trigger; `property` holds the ARN, or the address, of the queue.
pub fn queue(event: &Properties<'_>, property: &str) -> Result<TriggerDeclaration, ConfigError> {
    let arn =
        event.identity(property)?.ok_or_else(|| event.error(property, format!("{property} is missing")))?;
    let name = arn.rsplit([':', '/']).next().unwrap_or_default();
    let batch =
        event.number("BatchSize")?.map_or(DEFAULT_BATCH, |size| u32::try_from(size).unwrap_or(u32::MAX));
    Ok(TriggerDeclaration::Queue { queue: name.to_owned(), batch, options: options(event)? })
}

fn options(event: &Properties<'_>) -> Result<QueueOptions, ConfigError> {
    let scaling = event.inside("ScalingConfig");
    let concurrency = scaling.map(|scaling| scaling.number("MaximumConcurrency")).transpose()?.flatten();
    let filters = event.inside("FilterCriteria").and_then(|criteria| criteria.get("Filters"));
    let filters = filters.as_ref().and_then(|filters| filters.as_list()).unwrap_or_default();
    let pattern = |filter: &Arc<Node>| Properties::new(event.resolver, filter.clone()).text("Pattern");
    Ok(QueueOptions {
        window: event.number("MaximumBatchingWindowInSeconds")?.map(Duration::from_secs),
        concurrency: concurrency.map(|most| u32::try_from(most).unwrap_or(u32::MAX)),
        partial: event.texts("FunctionResponseTypes").iter().any(|kind| kind == "ReportBatchItemFailures"),
        filters: filters.iter().filter_map(pattern).collect(),
    })
}

fn required(event: &Properties<'_>, name: &str) -> Result<String, ConfigError> {
    event.text(name).ok_or_else(|| event.error(name, format!("{name} is missing")))
}
