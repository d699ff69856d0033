//! Create, Get, List, Update and DeleteEventSourceMapping.

use super::super::decode::{self, Call};
use super::super::encode;
use super::super::fault::{Code, Fault};
use super::super::mapping::{self, Checked, Facts, Mappings};
use super::super::target::Target;
use super::super::{Lambda, wire};
use axum::body::Body;
use axum::response::Response;
use mlemu_core::FunctionId;

pub async fn create(lambda: &Lambda, body: Body) -> Result<Response, Fault> {
    let mappings = lambda.mappings()?;
    let request: wire::SetMapping = decode::document(body, "CreateEventSourceMapping").await?;
    let checked = mapping::check(&request)?;
    let source = mapping::source(request.event_source_arn.as_deref())?;
    let name = request.function_name.as_deref();
    let name = name.ok_or_else(|| Fault::constraint("null", "functionName", "Member must not be null"))?;
    let (target, qualifier) = lambda.pick(&Target::read(name, None, &lambda.settings)?)?;
    let from = mappings.sqs.resolve(source).ok_or_else(no_queue)?;
    refuse_existing(mappings, source, &target)?;
    let facts = Facts {
        source_arn: source.to_owned(),
        from,
        target,
        qualifier,
        batch: mapping::BATCH,
        window: 0,
        concurrency: None,
        filters: Vec::new(),
        partial: false,
        enabled: request.enabled.unwrap_or(true),
        modified: lambda.functions.clock().now(),
        kept: keep(lambda, "CreateEventSourceMapping", &request.rest),
    };
    let facts = merged(lambda, mappings, facts, checked)?;
    let uuid = lambda.functions.ids().fresh("mapping").uuid();
    mappings.put(&uuid, facts.clone());
    encode::json(202, &mapping::told(&lambda.settings, &uuid, &facts, "Creating"))
}

pub fn get(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let (uuid, facts) = find(lambda.mappings()?, call)?;
    encode::json(200, &mapping::told(&lambda.settings, &uuid, &facts, state(&facts)))
}

pub fn list(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let mappings = lambda.mappings()?;
    let source = call.query.get("EventSourceArn");
    let target = match call.query.get("FunctionName") {
        Some(name) => Some(Target::read(name, None, &lambda.settings)?),
        None => None,
    };
    let mut all = mappings.all();
    all.retain(|(_, facts)| {
        let same_source = source.is_none_or(|source| source == facts.source_arn);
        let same_target = target.as_ref().is_none_or(|target| *target.name == *facts.target.name);
        same_source && same_target
    });
    let (page, next_marker) = call.page()?.cut(all, |(uuid, _)| uuid.clone());
    let told = page.iter().map(|(uuid, facts)| mapping::told(&lambda.settings, uuid, facts, state(facts)));
    encode::json(200, &wire::ListMappings { event_source_mappings: told.collect(), next_marker })
}

pub async fn update(lambda: &Lambda, call: &Call<'_>, body: Body) -> Result<Response, Fault> {
    let mappings = lambda.mappings()?;
    let request: wire::SetMapping = decode::document(body, "UpdateEventSourceMapping").await?;
    let checked = mapping::check(&request)?;
    let (uuid, mut facts) = find(mappings, call)?;
    if let Some(name) = &request.function_name {
        (facts.target, facts.qualifier) = lambda.pick(&Target::read(name, None, &lambda.settings)?)?;
    }
    facts.enabled = request.enabled.unwrap_or(facts.enabled);
    facts.modified = lambda.functions.clock().now();
    facts.kept.extend(keep(lambda, "UpdateEventSourceMapping", &request.rest));
    let facts = merged(lambda, mappings, facts, checked)?;
    mappings.put(&uuid, facts.clone());
    let state = match request.enabled {
        Some(true) => "Enabling",
        Some(false) => "Disabling",
        None => "Updating",
    };
    encode::json(202, &mapping::told(&lambda.settings, &uuid, &facts, state))
}

pub fn delete(lambda: &Lambda, call: &Call<'_>) -> Result<Response, Fault> {
    let mappings = lambda.mappings()?;
    let (uuid, facts) = find(mappings, call)?;
    mappings.remove(&uuid);
    encode::json(202, &mapping::told(&lambda.settings, &uuid, &facts, "Deleting"))
}

fn find(mappings: &Mappings, call: &Call<'_>) -> Result<(String, Facts), Fault> {
    let uuid = call.path.first().cloned().unwrap_or_default();
    match mappings.get(&uuid) {
        Some(facts) => Ok((uuid, facts)),
        None => Err(Fault::new(Code::ResourceNotFound, "The resource you requested does not exist.")),
    }
}

fn state(facts: &Facts) -> &'static str {
    if facts.enabled { "Enabled" } else { "Disabled" }
}

fn no_queue() -> Fault {
    Fault::parameter(
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.",
    )
}

fn refuse_existing(mappings: &Mappings, source: &str, target: &FunctionId) -> Result<(), Fault> {
    let all = mappings.all();
    let same = all.iter().find(|(_, facts)| facts.source_arn == source && facts.target == *target);
    let Some((uuid, _)) = same else { return Ok(()) };
    let text = format!(
        "The event source arn (\" {source} \") and function (\" {} \") provided mapping already exists. Please update or delete the existing mapping with UUID {uuid}",
        target.name
    );
    Err(Fault::new(Code::ResourceConflict, text))
}

/// The facts with what was asked for, if that goes together.
fn merged(lambda: &Lambda, mappings: &Mappings, facts: Facts, checked: Checked) -> Result<Facts, Fault> {
    let facts = checked.onto(facts);
    mapping::together(&facts.source_arn, facts.batch, facts.window)?;
    let visibility = mappings.sqs.visibility(&facts.from).ok_or_else(no_queue)?;
    mapping::times(visibility, lambda.latest(&facts.target)?.limits.timeout.as_secs())?;
    Ok(facts)
}

/// Members that mean nothing for queues, or nothing here: told again, and said aloud.
fn keep(lambda: &Lambda, operation: &str, rest: &wire::Kept) -> wire::Kept {
    const SILENT: [&str; 4] = ["Tags", "KMSKeyArn", "MetricsConfig", "LoggingConfig"];
    for member in rest.keys().filter(|member| !SILENT.contains(&&***member)) {
        lambda.unsupported(None, &format!("{operation}({member})"));
    }
    let told = rest.iter().filter(|(member, _)| SILENT[1..].contains(&&***member));
    told.map(|(member, value)| (member.clone(), value.clone())).collect()
}
