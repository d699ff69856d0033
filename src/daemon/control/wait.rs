//! `POST /_mlemu/wait`: answers when something is so, or says why it is not.

use super::invocations::{Line, Shown};
use super::queues::{self, MessageLine, QueueLine};
use super::{Fault, In, read, unreadable};
use crate::daemon::world::World;
use axum::Json;
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use mlemu_engine::history::Past;
use mlemu_engine::queues::SubscriptionId;
use mlemu_engine::settle::{Open, Which, Work};
use mlemu_engine::wait::{Ending, Invocations, Key, Stored, Until, Wait};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// How long a wait lasts when nothing is said, in milliseconds.
const PATIENCE: u64 = 10_000;
/// Messages of a queue that a diagnosis shows.
const SHOWN: usize = 10;
/// Lines of the last failure's log that a diagnosis shows.
const TAIL: usize = 50;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    #[serde(default)]
    pub until: Conditions,
    /// Only invocations that arrived after this cursor count.
    #[serde(default)]
    pub since: u64,
    /// On the wall clock, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Give up at once when nothing is under way that could make it come true.
    #[serde(default)]
    pub while_busy: bool,
}

/// All that are given must be so at the same time.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// Nothing is under way, in the account if one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<bool>,
    /// Nothing is under way of what this request caused: a request's id or its trace header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocations: Option<WantedInvocations>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<WantedObject>,
    /// Nothing is left in this queue, hidden messages included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_empty: Option<String>,
    /// Only what lives in this account, project or subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedInvocations {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// `any`, `failed`, or a status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(default = "one")]
    pub count: usize,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedObject {
    pub bucket: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    #[serde(default = "one")]
    pub count: usize,
}

fn one() -> usize {
    1
}

/// What was waited for, when it is so.
#[derive(Debug, Serialize, Deserialize)]
pub struct Waited {
    /// The newest invocation's number: give it as `since` to the next wait.
    pub cursor: u64,
    pub invocations: Vec<Line>,
    pub objects: Vec<ObjectLine>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct ObjectLine {
    pub key: String,
    /// In bytes.
    pub size: u64,
    pub etag: String,
}

/// What stands in the way of something.
#[derive(Debug, Serialize)]
pub struct Stuck {
    pub error: String,
    /// Nothing is under way: waiting longer would not have helped.
    pub idle: bool,
    pub under_way: Vec<Open>,
    /// Queues whose messages are under way or were waited for, with the first of them.
    pub queues: Vec<StuckQueue>,
    /// Nothing starts a function by itself, since somebody paused that.
    pub paused: bool,
    /// The newest invocation that failed, with the end of its log.
    pub last_failed: Option<Shown>,
}

/// A queue, and which of its messages is hidden until when.
#[derive(Debug, Serialize)]
pub struct StuckQueue {
    #[serde(flatten)]
    pub line: QueueLine,
    pub messages: Vec<MessageLine>,
}

impl StuckQueue {
    fn of(world: &World, id: &SubscriptionId) -> Option<Self> {
        let counts = world.queues.counts(id).ok()?;
        let messages = queues::messages(world, id, SHOWN);
        (!messages.is_empty()).then(|| Self { line: QueueLine::of(id, &counts), messages })
    }
}

impl Stuck {
    pub fn now(world: &World, error: String) -> Self {
        Self::since(world, error, 0)
    }

    fn since(world: &World, error: String, cursor: u64) -> Self {
        let under_way = world.engine.settle().open(&Which::Everything);
        let last_failed = last_failed(world, cursor).map(|past| Shown::tail(world, &past, TAIL));
        let named = |queue: &Arc<str>| {
            let is = |open: &Open| matches!(&open.work, Work::Message { queue: of, .. } if of == queue);
            under_way.iter().any(is)
        };
        let all = world.queues.all_counts();
        let held = all.iter().filter(|(id, counts)| counts.consumers > 0 && named(&id.topic.name));
        let queues = held.filter_map(|(id, _)| StuckQueue::of(world, id)).collect();
        let paused = world.engine.gate().is_closed();
        Self { error, idle: under_way.is_empty(), under_way, queues, paused, last_failed }
    }
}

/// Why it is not so.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    #[serde(flatten)]
    pub stuck: Stuck,
    #[serde(flatten)]
    pub so_far: Waited,
}

pub async fn wait(In(world): In, body: Bytes) -> Result<Response, Fault> {
    let asked: Asked = if body.is_empty() { Asked::default() } else { read(&body)? };
    let patience = Duration::from_millis(asked.timeout_ms.unwrap_or(PATIENCE));
    let mut wait = Wait::new(world.view(), until(&world, &asked)?);
    // On the machine's own time, whatever the emulated clock does.
    let in_time = tokio::time::timeout(patience, wait.run(asked.while_busy)).await.is_ok();
    if in_time && !wait.in_vain {
        return Ok(Json(waited(&world, &wait)).into_response());
    }
    let diagnosis = diagnose(&world, &asked, &wait, patience);
    Ok((StatusCode::REQUEST_TIMEOUT, Json(diagnosis)).into_response())
}

pub fn until(world: &World, asked: &Asked) -> Result<Until, Fault> {
    let wanted = &asked.until;
    let accounts = wanted.account.as_deref().map(|account| vec![account.into()]);
    let named = wanted.invocations.is_some() || wanted.object.is_some() || wanted.queue_empty.is_some();
    let settled = match (&wanted.trace, wanted.idle.unwrap_or(!named)) {
        (Some(trace), _) => Some(Which::Trace(known_trace(world, trace)?)),
        (None, true) => Some(accounts.clone().map_or(Which::Everything, Which::Accounts)),
        (None, false) => None,
    };
    let invocations =
        wanted.invocations.as_ref().map(|wanted| invocations(world, asked, wanted)).transpose()?;
    let stored = wanted.object.as_ref().map(|object| stored(object, accounts)).transpose()?;
    let emptied = wanted.queue_empty.as_deref().map(|queue| queues::find(world, queue)).transpose()?;
    Ok(Until { settled, invocations, stored, emptied })
}

fn known_trace(world: &World, said: &str) -> Result<Arc<str>, Fault> {
    let trace = world.trace_of(said);
    if world.may_know(&trace) {
        return Ok(trace.into());
    }
    let why = format!(
        "no request of this scope has had the id `{said}`: give the id that an answer carries, or the trace header of its request"
    );
    Err(Fault(StatusCode::NOT_FOUND, why))
}

/// How invocations can be asked to have ended.
pub const STATUSES: [&str; 8] =
    ["ok", "error", "timeout", "exited", "out-of-memory", "too-large", "failed", "any"];

fn invocations(world: &World, asked: &Asked, wanted: &WantedInvocations) -> Result<Invocations, Fault> {
    let function = wanted.function.as_deref().map(|name| world.find(name)).transpose()?;
    let ending = match wanted.status.as_deref() {
        None | Some("any") => Ending::Any,
        Some("failed") => Ending::Failed,
        Some(word) if STATUSES.contains(&word) => Ending::As(word.into()),
        Some(other) => {
            let words = STATUSES.join(", ");
            return Err(unreadable(format!("`{other}` is no status; there are: {words}")));
        }
    };
    let trace = asked.until.trace.as_deref().map(|trace| world.trace_of(trace).into());
    Ok(Invocations { function, ending, trace, since: asked.since, count: wanted.count })
}

fn stored(object: &WantedObject, accounts: Option<Vec<Arc<str>>>) -> Result<Stored, Fault> {
    let key = match (&object.key, &object.prefix) {
        (Some(key), None) => Key::Exactly(key.clone()),
        (None, prefix) => Key::Prefix(prefix.clone().unwrap_or_default()),
        (Some(_), Some(_)) => return Err(unreadable("give `key` or `prefix` of an object, not both".into())),
    };
    Ok(Stored { bucket: object.bucket.clone(), accounts, key, count: object.count })
}

fn waited(world: &World, wait: &Wait) -> Waited {
    let line = |object: &Arc<mlemu_engine::objects::Object>| ObjectLine {
        key: object.key.to_string(),
        size: object.content.size(),
        etag: object.content.etag.to_string(),
    };
    Waited {
        cursor: world.engine.history().newest(),
        invocations: wait.ended.iter().map(|past| Line::of(past)).collect(),
        objects: wait.objects.iter().map(line).collect(),
    }
}

pub fn diagnose(world: &World, asked: &Asked, wait: &Wait, patience: Duration) -> Diagnosis {
    let mut stuck = Stuck::since(world, String::new(), asked.since);
    let mut missing = Vec::new();
    if !wait.is_settled() {
        missing.push(format!("{} under way", things(stuck.under_way.len())));
    }
    if let (false, Some(wanted)) = (wait.has_all_ends(), &asked.until.invocations) {
        let function = wanted.function.as_deref().unwrap_or("any function");
        let status = wanted.status.as_deref().unwrap_or("any");
        let (seen, count) = (wait.ended.len(), wanted.count);
        missing.push(format!("{seen} of {count} invocations of {function} ended (status: {status})"));
    }
    if let (false, Some(wanted)) = (wait.has_all_objects(), &asked.until.object) {
        let what = wanted.key.as_deref().or(wanted.prefix.as_deref()).unwrap_or_default();
        let (seen, count) = (wait.objects.len(), wanted.count);
        missing.push(format!("{seen} of {count} objects at {}/{what}", wanted.bucket));
    }
    if let (false, Some(queue)) = (wait.is_emptied(), &asked.until.queue_empty) {
        missing.push(format!("{queue} is not empty"));
        let known = stuck.queues.iter().any(|known| known.line.name == *queue);
        let found = queues::find(world, queue).ok().filter(|_| !known);
        stuck.queues.extend(found.and_then(|id| StuckQueue::of(world, &id)));
    }
    let why = if wait.in_vain {
        "waited in vain, nothing is under way any more".to_owned()
    } else {
        format!("not so after {} ms", patience.as_millis())
    };
    stuck.error = format!("{why}: {}", missing.join("; "));
    Diagnosis { stuck, so_far: waited(world, wait) }
}

fn things(count: usize) -> String {
    if count == 1 { "1 thing is".into() } else { format!("{count} things are") }
}

fn last_failed(world: &World, since: u64) -> Option<Arc<Past>> {
    let failed = |past: &Arc<Past>| past.status().is_some_and(|status| !status.is_ok());
    world.engine.history().after(since).into_iter().rev().find(failed)
}
