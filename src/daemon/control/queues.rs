//! `/_mlemu/queues`: what is in them, for people and tests that do not take it.

use super::{Fault, In, Query, unreadable};
use crate::daemon::invoke::{instead, raw};
use crate::daemon::world::World;
use axum::Json;
use axum::extract::Path;
use http::StatusCode;
use mlemu_core::Timestamp;
use mlemu_engine::queues::{self, Counts, Sight, SubscriptionId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Messages of a list when nothing is said, and at most.
const USUAL: usize = 10;
const MOST: usize = 1000;

/// How much is in a queue or a subscription.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueueLine {
    pub name: String,
    pub cloud: String,
    pub account: String,
    pub visible: usize,
    /// Received and not yet deleted.
    pub leased: usize,
    pub delayed: usize,
    /// Functions that are fed from it.
    pub consumers: usize,
    /// When time alone changes something, in microseconds since 1970.
    pub next_change: Option<i64>,
}

impl QueueLine {
    pub fn of(id: &SubscriptionId, counts: &Counts) -> Self {
        Self {
            name: name(id),
            cloud: id.topic.scope.cloud.to_string(),
            account: id.topic.scope.account.to_string(),
            visible: counts.visible,
            leased: counts.leased,
            delayed: counts.delayed,
            consumers: counts.consumers,
            next_change: counts.next_change.map(|at| at.0),
        }
    }
}

/// A message that nobody took by looking at it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MessageLine {
    pub id: String,
    /// A string when it is no JSON.
    pub body: Box<RawValue>,
    /// `visible`, `leased` or `delayed`.
    pub sight: String,
    /// When it is visible again, RFC 3339.
    pub until: Option<String>,
    /// How often it was received.
    pub received: u32,
}

/// A plain queue goes by its own name.
pub fn name(id: &SubscriptionId) -> String {
    if id.name.is_empty() { id.topic.name.to_string() } else { id.name.to_string() }
}

/// The queue or subscription of that name.
pub fn find(world: &World, wanted: &str) -> Result<SubscriptionId, Fault> {
    find_on(world, None, wanted)
}

/// The same, in one cloud if one is named.
pub fn find_on(world: &World, cloud: Option<&str>, wanted: &str) -> Result<SubscriptionId, Fault> {
    let mut all = world.queues.all_counts();
    all.retain(|(id, _)| cloud.is_none_or(|cloud| *id.topic.scope.cloud == *cloud));
    let found = all.iter().find(|(id, _)| name(id) == wanted).map(|(id, _)| id.clone());
    found.ok_or_else(|| {
        let known: Vec<String> = all.iter().map(|(id, _)| name(id)).collect();
        let known = if known.is_empty() { String::new() } else { instead(wanted, &known) };
        Fault(StatusCode::NOT_FOUND, format!("there is no queue `{wanted}`{known}"))
    })
}

pub fn messages(world: &World, id: &SubscriptionId, most: usize) -> Vec<MessageLine> {
    let seen = world.queues.peek(id, most).unwrap_or_default();
    let line = |peeked: queues::Peeked| {
        let (sight, until) = match peeked.sight {
            Sight::Visible => ("visible", None),
            Sight::Delayed { until } => ("delayed", Some(until)),
            Sight::Leased { until } => ("leased", Some(until)),
        };
        MessageLine {
            id: peeked.message.id.to_string(),
            body: raw(&peeked.message.body),
            sight: sight.into(),
            until: until.map(written),
            received: peeked.count,
        }
    };
    seen.into_iter().map(line).collect()
}

fn written(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0).map(|at| at.to_string()).unwrap_or_default()
}

pub async fn list(In(world): In) -> Json<Vec<QueueLine>> {
    Json(world.queues.all_counts().iter().map(|(id, counts)| QueueLine::of(id, counts)).collect())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    limit: Option<usize>,
}

pub async fn peek(
    In(world): In,
    Path(queue): Path<String>,
    Query(Limit { limit }): Query<Limit>,
) -> Result<Json<Vec<MessageLine>>, Fault> {
    let id = find(&world, &queue)?;
    Ok(Json(messages(&world, &id, limit.unwrap_or(USUAL).min(MOST))))
}

pub async fn purge(In(world): In, Path(queue): Path<String>) -> Result<StatusCode, Fault> {
    let id = find(&world, &queue)?;
    world.queues.purge(&id).map_err(|gone| Fault(StatusCode::NOT_FOUND, gone.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redrive {
    /// Where to; where they came from, when nothing is said.
    to: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Redriven {
    pub moved: usize,
    /// Visible ones that stayed, since nobody knows where they came from.
    pub left: usize,
}

/// Moves what is visible back to where it came from.
pub async fn redrive(
    In(world): In,
    Path(queue): Path<String>,
    Query(Redrive { to }): Query<Redrive>,
) -> Result<Json<Redriven>, Fault> {
    let id = find(&world, &queue)?;
    let to = to.map(|to| find(&world, &to)).transpose()?.map(|to| to.topic);
    if to.as_ref() == Some(&id.topic) {
        return Err(unreadable("a queue is not redriven into itself".into()));
    }
    let moved = world.queues.move_messages(&id, to.as_ref(), usize::MAX);
    let moved = moved.map_err(|gone| Fault(StatusCode::NOT_FOUND, gone.to_string()))?;
    Ok(Json(Redriven { moved: moved.moved, left: moved.left }))
}
