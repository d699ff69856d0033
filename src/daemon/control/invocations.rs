//! What became of invocations: a list with cursors, one with everything that is known, and one run again.

use super::{Fault, In, Query, unreadable};
use crate::daemon::invoke::{Invoked, Wanted, raw};
use crate::daemon::world::World;
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use axum::response::IntoResponse;
use http::{StatusCode, header};
use mlemu_core::outcome::{Phase, StartKind};
use mlemu_core::{Cause, InvocationId, LogLine, Usage};
use mlemu_engine::history::{Course, Past};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;

/// Entries of a list when nothing is said, and at most.
const USUAL: usize = 100;
const MOST: usize = 1000;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    pub function: Option<String>,
    /// `queued`, `running`, or how it ended.
    pub status: Option<String>,
    pub trace: Option<String>,
    /// Only those that arrived after this cursor.
    #[serde(default)]
    pub since: u64,
    pub limit: Option<usize>,
}

impl Filter {
    /// As the query of a request.
    pub fn query(&self) -> String {
        let texts = [("function", &self.function), ("status", &self.status), ("trace", &self.trace)];
        let coded = |text: &String| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, coded(text.as_ref()?))));
        let numbers =
            [("since", Some(self.since.to_string())), ("limit", self.limit.map(|most| most.to_string()))];
        let numbers = numbers.into_iter().filter_map(|(name, number)| Some((name, number?)));
        texts.chain(numbers).map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join("&")
    }
}

/// One invocation in a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// Counts the arrivals: a cursor.
    pub number: u64,
    pub id: InvocationId,
    pub function: String,
    pub cloud: String,
    pub account: String,
    /// `queued`, `running`, `ok`, `error`, `timeout`, `exited`, `out-of-memory` or `too-large`.
    pub status: String,
    /// The request that began the chain; empty where mlemu itself did.
    pub trace: String,
    /// `request`, `occurrence`, `schedule` or `mlemu`.
    pub cause: String,
    /// Microseconds since 1970.
    pub arrived: i64,
    pub ended: Option<i64>,
    /// From handing over the event to the answer, in milliseconds.
    pub handler_ms: Option<f64>,
    pub cold: Option<bool>,
    /// Of the init that it waited for, in milliseconds.
    pub init_ms: Option<f64>,
    /// In bytes.
    pub peak_memory: Option<u64>,
    /// In bytes.
    pub memory_limit: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Lines {
    pub invocations: Vec<Line>,
    /// Give it as `since` to get what comes after these.
    pub cursor: u64,
}

/// One phase of an invocation, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseLine {
    pub phase: &'static str,
    pub ms: f64,
    /// It was not measured: the cloud would take so long.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
}

/// One invocation with everything that is known of it.
#[derive(Debug, Serialize)]
pub struct Shown {
    #[serde(flatten)]
    pub line: Line,
    pub revision: Option<String>,
    pub instance: Option<u64>,
    pub event: Box<RawValue>,
    pub result: Option<Box<RawValue>>,
    pub usage: Option<Usage>,
    pub phases: Vec<PhaseLine>,
    pub log: Vec<LogLine>,
    /// Older lines that were too many to keep.
    pub log_lost: usize,
}

impl Line {
    pub fn of(past: &Past) -> Self {
        Self::from(past, &past.course())
    }

    fn from(past: &Past, course: &Course) -> Self {
        let ended = course.ended.as_ref();
        let usage = ended.and_then(|ended| ended.usage.as_ref());
        let open = if course.begun.is_some() { "running" } else { "queued" };
        let scope = &past.function.scope;
        Self {
            number: past.number,
            id: past.id.clone(),
            function: past.function.name.to_string(),
            cloud: scope.cloud.to_string(),
            account: scope.account.to_string(),
            status: ended.map_or(open, |ended| ended.status.word()).into(),
            trace: past.trace().to_string(),
            cause: match past.cause {
                Cause::Request(_) => "request",
                Cause::Occurrence { .. } => "occurrence",
                Cause::Schedule(_) => "schedule",
                Cause::Mlemu => "mlemu",
            }
            .into(),
            arrived: past.arrived.0,
            ended: ended.map(|ended| ended.at.0),
            handler_ms: usage.map(|usage| millis(usage.handler)),
            cold: usage.map(|usage| usage.start == StartKind::Cold),
            init_ms: usage.and_then(|usage| usage.init).map(|init| millis(init.duration)),
            peak_memory: usage.map(|usage| usage.peak_memory),
            memory_limit: usage.map(|usage| usage.memory_limit),
        }
    }
}

fn millis(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

impl Shown {
    pub fn of(world: &World, past: &Past) -> Self {
        let course = past.course();
        let ended = course.ended.as_ref();
        let usage = ended.and_then(|ended| ended.usage.clone());
        let result = ended.map(|ended| match &ended.result {
            Ok(answer) => raw(&answer.body),
            Err(failure) => raw(&world.cloud(&past.function).failure(failure, &past.id.0)),
        });
        Self {
            line: Line::from(past, &course),
            revision: course.begun.as_ref().map(|begun| begun.revision.to_string()),
            instance: course.begun.as_ref().map(|begun| begun.instance.0),
            event: raw(&past.event),
            result,
            phases: usage.as_ref().map(phases).unwrap_or_default(),
            usage,
            log: course.log.into_iter().collect(),
            log_lost: course.log_lost,
        }
    }

    /// With the newest `lines` of its log only.
    pub fn tail(world: &World, past: &Past, lines: usize) -> Self {
        let mut shown = Self::of(world, past);
        let more = shown.log.len().saturating_sub(lines);
        shown.log.drain(..more);
        shown.log_lost += more;
        shown
    }
}

/// In the order in which they came. An init inside of the handler's time is shown before the handler without it.
fn phases(usage: &Usage) -> Vec<PhaseLine> {
    let mut phases = vec![PhaseLine { phase: "queued", ms: millis(usage.queued), simulated: false }];
    let mut handler = usage.handler;
    if let Some(init) = usage.init {
        if let Some(simulated) = init.simulated {
            phases.push(PhaseLine { phase: "placement", ms: millis(simulated.placement), simulated: true });
            phases.push(PhaseLine { phase: "fetch", ms: millis(simulated.fetch), simulated: true });
        }
        phases.push(PhaseLine { phase: "init", ms: millis(init.duration), simulated: false });
        if init.phase == Phase::Invoke {
            handler = handler.saturating_sub(init.duration);
        }
    }
    phases.push(PhaseLine { phase: "handler", ms: millis(handler), simulated: false });
    phases
}

pub async fn list(In(world): In, Query(filter): Query<Filter>) -> Result<Json<Lines>, Fault> {
    let function = filter.function.as_deref().map(|name| world.find(name)).transpose()?;
    let trace = filter.trace.as_deref().map(|trace| world.trace_of(trace));
    let fits = |past: &Arc<Past>| {
        function.as_ref().is_none_or(|function| *function == past.function)
            && trace.as_ref().is_none_or(|trace| **trace == *past.trace())
    };
    let limit = filter.limit.unwrap_or(USUAL).min(MOST);
    let past = world.engine.history().after(filter.since).into_iter().filter(fits);
    let lines = past.map(|past| Line::of(&past));
    let lines = lines.filter(|line| filter.status.as_ref().is_none_or(|status| *status == line.status));
    let invocations: Vec<_> = lines.take(limit).collect();
    let full = invocations.len() == limit;
    let last = invocations.last().map_or(filter.since, |line| line.number);
    let cursor = if full { last } else { world.engine.history().newest() };
    Ok(Json(Lines { invocations, cursor }))
}

pub async fn one(In(world): In, Path(id): Path<String>) -> Result<Json<Shown>, Fault> {
    let past = find(&world, &id)?;
    Ok(Json(Shown::of(&world, &past)))
}

/// The event as it was, byte for byte.
pub async fn event(In(world): In, Path(id): Path<String>) -> Result<impl IntoResponse, Fault> {
    let event = find(&world, &id)?.event.clone();
    Ok(([(header::CONTENT_TYPE, "application/json")], event))
}

/// Runs it again, with the same event or the one that is sent, and waits for the outcome.
pub async fn replay(In(world): In, Path(id): Path<String>, edited: Bytes) -> Result<Json<Invoked>, Fault> {
    let past = find(&world, &id)?;
    if !edited.is_empty() && serde_json::from_slice::<serde::de::IgnoredAny>(&edited).is_err() {
        return Err(unreadable("the event to send instead is not JSON".into()));
    }
    let event = if edited.is_empty() { past.event.clone() } else { edited };
    let wanted = Wanted { qualifier: past.qualifier.clone(), queue: false };
    let invoked = world.run(&past.function, wanted, event).await;
    invoked.map(Json).map_err(Fault::from)
}

fn find(world: &World, id: &str) -> Result<Arc<Past>, Fault> {
    let newest = || world.engine.history().after(0).pop();
    let found = if id == "last" { newest() } else { world.engine.history().get(id) };
    found.ok_or_else(|| Fault(StatusCode::NOT_FOUND, format!("there is no invocation `{id}`, or no longer")))
}
