//! Put, Update, Get, List and DeleteFunctionEventInvokeConfig.

use super::super::catalog::QueuedConfig;
use super::super::decode::{self, Call};
use super::super::encode;
use super::super::fault::{Code, Fault};
use super::super::target::{LATEST, Target};
use super::super::{Lambda, wire};
use crate::sqs::Sqs;
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use std::ops::RangeInclusive;

const RETRIES: RangeInclusive<i64> = 0..=2;
/// In seconds.
const AGE: RangeInclusive<i64> = 60..=21_600;

pub async fn put(lambda: &Lambda, call: &Call<'_>, body: Body) -> Result<Response, Fault> {
    let given: wire::SetQueuedConfig = decode::document(body, "PutFunctionEventInvokeConfig").await?;
    set(lambda, &call.target(&lambda.settings)?, given, Before::Forgotten)
}

pub async fn update(lambda: &Lambda, call: &Call<'_>, body: Body) -> Result<Response, Fault> {
    let given: wire::SetQueuedConfig = decode::document(body, "UpdateFunctionEventInvokeConfig").await?;
    set(lambda, &call.target(&lambda.settings)?, given, Before::Kept)
}

pub fn get(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let target = call.target(&lambda.settings)?;
    lambda.pick(&target)?;
    let found = lambda.with_entry(&target, |entry| {
        let config = entry.queued.get(place(&target))?;
        Some(told(lambda, &entry.id.name, place(&target), config))
    })?;
    encode::json(200, &found.ok_or_else(|| absent(lambda, &target))?)
}

pub fn list(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let target = call.target(&lambda.settings)?;
    let all = lambda.with_entry(&target, |entry| {
        let each = entry.queued.iter();
        each.map(|(at, config)| told(lambda, &entry.id.name, at, config)).collect::<Vec<_>>()
    })?;
    let (configs, next_marker) = call.page()?.cut(all, |config| config.function_arn.clone());
    encode::json(200, &wire::ListQueuedConfigs { function_event_invoke_configs: configs, next_marker })
}

pub fn delete(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let target = call.target(&lambda.settings)?;
    lambda.pick(&target)?;
    let gone = lambda.with_entry_mut(&target, |entry| Ok(entry.queued.remove(place(&target))))?;
    gone.ok_or_else(|| absent(lambda, &target))?;
    Ok(encode::empty(StatusCode::NO_CONTENT))
}

/// What was said before, where nothing is said now.
#[derive(Clone, Copy, PartialEq)]
pub enum Before {
    Kept,
    Forgotten,
}

/// Checks a configuration and makes it real.
pub fn set(
    lambda: &Lambda,
    target: &Target,
    given: wire::SetQueuedConfig,
    before: Before,
) -> Result<Response, Fault> {
    let retries = within(given.maximum_retry_attempts, "maximumRetryAttempts", &RETRIES)?;
    let age = within(given.maximum_event_age_in_seconds, "maximumEventAgeInSeconds", &AGE)?;
    if retries.is_none() && age.is_none() && given.destination_config.is_none() {
        return Err(Fault::parameter(
            "You must specify at least one of error handling or destination setting.",
        ));
    }
    let (id, _) = lambda.pick(target)?;
    let to = given.destination_config.unwrap_or_default();
    let (success, failure) = (to.on_success.destination, to.on_failure.destination);
    for (arn, of_failures) in [(&success, false), (&failure, true)] {
        if let Some(arn) = arn {
            check_destination(lambda, &id, arn, of_failures)?;
        }
    }
    let modified = lambda.functions.clock().now();
    let told = lambda.with_entry_mut(target, |entry| {
        let old = entry.queued.get(place(target)).cloned();
        let old = match (before, old) {
            (Before::Kept, None) => return Err(absent(lambda, target)),
            (Before::Kept, Some(old)) => old,
            (Before::Forgotten, _) => QueuedConfig::default(),
        };
        let config = QueuedConfig {
            retries: retries.or(old.retries),
            age: age.or(old.age),
            on_success: success.or(old.on_success),
            on_failure: failure.or(old.on_failure),
            modified,
        };
        let told = told(lambda, &entry.id.name, place(target), &config);
        entry.queued.insert(place(target).to_owned(), config);
        Ok(told)
    })?;
    encode::json(200, &told)
}

fn within(value: Option<i64>, member: &str, range: &RangeInclusive<i64>) -> Result<Option<u32>, Fault> {
    let Some(value) = value else { return Ok(None) };
    if range.contains(&value) {
        return Ok(u32::try_from(value).ok());
    }
    let (word, bound) =
        if value < *range.start() { ("greater", range.start()) } else { ("less", range.end()) };
    let expected = format!("Member must have value {word} than or equal to {bound}");
    Err(Fault::constraint(&value.to_string(), member, &expected))
}

/// Buckets are told of failures alone.
fn check_destination(
    lambda: &Lambda,
    id: &mlemu_core::FunctionId,
    arn: &str,
    of_failures: bool,
) -> Result<(), Fault> {
    let invalid = || Fault::parameter(format!("The destination ARN {arn} is invalid."));
    match arn.split(':').nth(2) {
        Some("lambda") => {
            let target = Target::read(arn, None, &lambda.settings).map_err(|_| invalid())?;
            if *target.name == *id.name {
                return Err(Fault::parameter("You can't specify the function as a destination for itself."));
            }
            Ok(())
        }
        Some("sqs" | "sns" | "events") if !Sqs::is_fifo(arn) => Ok(()),
        Some("s3") if of_failures => Ok(()),
        _ => Err(invalid()),
    }
}

fn place(target: &Target) -> &str {
    target.qualifier.as_deref().unwrap_or(LATEST)
}

fn absent(lambda: &Lambda, target: &Target) -> Fault {
    let arn = lambda.settings.arn(&target.name, Some(place(target)));
    Fault::new(Code::ResourceNotFound, format!("The function {arn} doesn't have an EventInvokeConfig"))
}

fn told(lambda: &Lambda, name: &str, place: &str, config: &QueuedConfig) -> wire::QueuedConfig {
    wire::QueuedConfig {
        last_modified: config.modified.millis() as f64 / 1000.0,
        function_arn: lambda.settings.arn(name, Some(place)),
        maximum_retry_attempts: config.retries,
        maximum_event_age_in_seconds: config.age,
        destination_config: wire::DestinationConfig {
            on_success: wire::Destination { destination: config.on_success.clone() },
            on_failure: wire::Destination { destination: config.on_failure.clone() },
        },
    }
}
