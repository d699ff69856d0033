//! Cloud Tasks: requests that go out later, again until they are taken, over the queue core.
//!
//! [`routes`] names what a path means, [`queue`] is how a queue behaves, [`round`] makes a task's request. Without
//! targets of App Engine, and without rate limits: nothing here is faster than this machine.
//!
//! Source: Cloud Tasks, "REST reference", version 2; "Create HTTP target tasks".

mod grpc;
mod queue;
mod round;
mod routes;
#[cfg(test)]
mod tests;

pub(crate) use routes::serves;

use crate::courier::Couriers;
use crate::functions::fault::{Fault, json};
use crate::place::Place;
use axum::body::Body;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use mlemu_core::{Cause, Scope, Timestamp};
use mlemu_engine::queues::{NewMessage, Notes, Queues, Sight, TopicId};
use mlemu_engine::{Kept, KeptGuard, Shelf};
use queue::Retries;
use round::TaskRound;
use routes::{Op, Target};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Of a task, in bytes.
const LARGEST: usize = 1024 * 1024;
const MOST_LISTED: usize = 1000;

/// The service.
pub struct Tasks {
    queues: Queues,
    place: Place,
    /// Queues as they were described, by their whole names.
    known: Kept<BTreeMap<String, Value>>,
    couriers: Couriers<TaskRound>,
}

/// The queues of one moment, without their tasks.
#[derive(Clone)]
pub struct Saved(BTreeMap<String, Value>);

impl Tasks {
    pub fn new(queues: Queues, place: Place, shelf: &Shelf) -> Self {
        let known = Kept::on(shelf.part("tasks"));
        Self { couriers: Couriers::new(queues.clone()), queues, place, known }
    }

    /// Whether a path is of this API, as the vendor has it or as its emulator does, without a version.
    pub fn claims(path: &str) -> bool {
        routes::target(path).is_some()
    }

    pub async fn handle(&self, request: Request<Body>) -> Response {
        self.answer(request).await.unwrap_or_else(|fault| fault.response())
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response, Fault> {
        let (parts, body) = request.into_parts();
        let unsupported = || Fault::unimplemented(&format!("{} {}", parts.method, parts.uri.path()));
        let target = routes::target(parts.uri.path()).ok_or_else(unsupported)?;
        let body = Limited::new(body, 2 * LARGEST).collect().await;
        let body = body.map_err(|error| Fault::invalid(error.to_string()))?.to_bytes();
        let said: Value = if body.is_empty() {
            json!({})
        } else {
            serde_json::from_slice(&body)
                .map(Value::Object)
                .map_err(|error| Fault::invalid(format!("Invalid JSON payload received. {error}")))?
        };
        let op = routes::operation(&parts.method, &target).ok_or_else(unsupported)?;
        self.run(op, &target, said).map(|document| json(StatusCode::OK, &document))
    }

    fn run(&self, op: Op, target: &Target, said: Value) -> Result<Value, Fault> {
        match op {
            Op::ListQueues => Ok(self.list_queues(&target.parent())),
            Op::CreateQueue => self.create_queue(&target.parent(), said),
            Op::GetQueue => self.queue(&target.queue()),
            Op::PatchQueue => self.patch_queue(&target.queue(), said),
            Op::DeleteQueue => self.delete_queue(&target.queue()),
            Op::Purge => {
                self.queue(&target.queue())?;
                self.queues.purge(&self.topic(&target.queue()).only()).map_err(gone)?;
                self.queue(&target.queue())
            }
            Op::Pause => self.patch_queue(&target.queue(), json!({ "state": "PAUSED" })),
            Op::Resume => self.patch_queue(&target.queue(), json!({ "state": "RUNNING" })),
            Op::CreateTask => self.create_task(&target.queue(), said),
            Op::ListTasks => Ok(json!({ "tasks": self.tasks(&target.queue())? })),
            Op::GetTask => self.task(target),
            Op::DeleteTask => {
                self.task(target)?;
                self.queues.discard(&self.topic(&target.queue()).only(), &target.task()).map_err(gone)?;
                Ok(json!({}))
            }
            Op::RunTask => {
                let task = self.task(target)?;
                self.queues.hurry(&self.topic(&target.queue()).only(), &target.task()).map_err(gone)?;
                Ok(task)
            }
        }
    }

    fn known(&self) -> KeptGuard<'_, BTreeMap<String, Value>> {
        self.known.lock()
    }

    /// Goes on with the queues that were there when the daemon ended.
    pub fn awake(&self) {
        self.restore(&self.saved());
    }

    /// The core's place for a queue; no topic of Pub/Sub is called so.
    fn topic(&self, queue: &str) -> TopicId {
        let project = queue.split('/').nth(1).unwrap_or_default();
        let own = &self.place.scope;
        let scope = Arc::new(Scope { account: project.into(), ..Scope::clone(own) });
        TopicId::new(&scope, &format!("tasks of {queue}"))
    }

    fn list_queues(&self, parent: &str) -> Value {
        let known = self.known();
        let prefix = format!("{parent}/queues/");
        let found: Vec<&Value> =
            known.iter().filter(|(name, _)| name.starts_with(&prefix)).map(|(_, queue)| queue).collect();
        json!({ "queues": found })
    }

    fn create_queue(&self, parent: &str, said: Value) -> Result<Value, Fault> {
        let name = said["name"].as_str().unwrap_or_default().to_owned();
        let id = name.strip_prefix(&format!("{parent}/queues/")).unwrap_or_default();
        let is_id = |id: &str| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if id.is_empty() || id.len() > 100 || !is_id(id) {
            return Err(Fault::invalid(format!(
                "Queue name must be formatted: \"{parent}/queues/QUEUE_ID\""
            )));
        }
        let queue = queue::complete(said)?;
        let mut known = self.known();
        if known.contains_key(&name) {
            return Err(Fault::exists("Queue already exists"));
        }
        let settings = Retries::of(&queue)?.settings();
        self.queues.create_queue(&self.topic(&name), settings, Notes::new(), Notes::new()).map_err(gone)?;
        known.insert(name, queue.clone());
        drop(known);
        self.carry_anew();
        Ok(queue)
    }

    fn queue(&self, name: &str) -> Result<Value, Fault> {
        self.known().get(name).cloned().ok_or_else(|| Fault::not_found("Requested entity was not found."))
    }

    fn patch_queue(&self, name: &str, said: Value) -> Result<Value, Fault> {
        let mut queue = self.queue(name)?;
        queue::merge(&mut queue, said);
        queue["name"] = name.into();
        let queue = queue::complete(queue)?;
        let settings = Retries::of(&queue)?.settings();
        self.queues.configure(&self.topic(name).only(), |kept| *kept = settings).map_err(gone)?;
        self.known().insert(name.to_owned(), queue.clone());
        self.carry_anew();
        Ok(queue)
    }

    fn delete_queue(&self, name: &str) -> Result<Value, Fault> {
        self.queue(name)?;
        self.known().remove(name);
        self.carry_anew();
        self.queues.delete_topic(&self.topic(name)).map_err(gone)?;
        Ok(json!({}))
    }

    fn create_task(&self, queue: &str, said: Value) -> Result<Value, Fault> {
        self.queue(queue)?;
        let mut task = said["task"].clone();
        let url = task["httpRequest"]["url"].as_str().unwrap_or_default();
        if task.get("appEngineHttpRequest").is_some() {
            return Err(Fault::unimplemented("a target of App Engine"));
        }
        if !mlemu_core::is_here(url) {
            return Err(Fault::invalid(format!(
                "HttpRequest.url `{url}` must be http and of this machine: 127.0.0.1, [::1], localhost and *.localhost"
            )));
        }
        if let Some(body) = task["httpRequest"]["body"].as_str()
            && BASE64_STANDARD.decode(body).is_err()
        {
            return Err(Fault::invalid("HttpRequest.body must be base64"));
        }
        let now = self.queues.clock().now();
        let at = queue::time(&task["scheduleTime"])?.unwrap_or(now).max(now);
        let prefix = format!("{queue}/tasks/");
        let own = task["name"].as_str().filter(|name| !name.is_empty()).map(str::to_owned);
        if own.as_ref().is_some_and(|name| !name.starts_with(&prefix)) {
            return Err(Fault::invalid(format!("Task name must be formatted: \"{prefix}TASK_ID\"")));
        }
        let once = own.as_deref().map(Into::into);
        let name = own.unwrap_or_else(|| format!("{prefix}{}", self.queues.ids().fresh("task").number()));
        task["name"] = name.clone().into();
        task["createTime"] = queue::rfc3339(now).into();
        task["scheduleTime"] = queue::rfc3339(at).into();
        let delay = Duration::from_micros(at.0.abs_diff(now.0));
        let trace = self.queues.ids().fresh("trace").hex();
        let new = NewMessage {
            id: name.into(),
            once,
            delay: Some(delay),
            ..NewMessage::of(task.to_string(), Cause::Request(trace.into()))
        };
        let sent = self.queues.send(&self.topic(queue), new).map_err(gone)?;
        if sent.duplicate {
            return Err(Fault::exists("Requested entity already exists"));
        }
        task["view"] = "BASIC".into();
        Ok(task)
    }

    fn tasks(&self, queue: &str) -> Result<Vec<Value>, Fault> {
        self.queue(queue)?;
        let all = self.queues.peek(&self.topic(queue).only(), MOST_LISTED).map_err(gone)?;
        let shown = |one: &mlemu_engine::queues::Peeked| {
            let mut task: Value = serde_json::from_slice(&one.message.body).unwrap_or_default();
            task["dispatchCount"] = one.count.into();
            // Until it is tried, it is due when its creator said.
            if let (Sight::Delayed { until }, 1..) = (one.sight, one.count) {
                task["scheduleTime"] = queue::rfc3339(until).into();
            }
            task
        };
        Ok(all.iter().map(shown).collect())
    }

    fn task(&self, target: &Target) -> Result<Value, Fault> {
        let name = target.task();
        let found = self.tasks(&target.queue())?.into_iter().find(|task| task["name"] == *name);
        found.ok_or_else(|| Fault::not_found("Requested entity was not found."))
    }

    /// Works off the queues that run, as they are now.
    fn carry_anew(&self) {
        let known = self.known();
        let running = known.iter().filter(|(_, queue)| queue["state"] == "RUNNING");
        let rounds = running.filter_map(|(name, queue)| {
            let most = Retries::of(queue).ok()?.most_attempts;
            Some((name.clone(), TaskRound { from: self.topic(name).only(), queue: name.clone(), most }))
        });
        self.couriers.set(rounds);
    }

    pub fn saved(&self) -> Saved {
        Saved(self.known().clone())
    }

    pub fn restore(&self, saved: &Saved) {
        *self.known() = saved.0.clone();
        self.carry_anew();
    }

    pub fn stop(&self) {
        self.couriers.stop();
    }
}

/// Between two looks at the store it has changed.
fn gone(fault: mlemu_engine::queues::Fault) -> Fault {
    Fault::not_found(fault.to_string())
}

/// When something is, for headers: seconds since 1970 with a fraction.
fn seconds(at: Timestamp) -> String {
    format!("{}.{:06}", at.0.div_euclid(1_000_000), at.0.rem_euclid(1_000_000))
}
