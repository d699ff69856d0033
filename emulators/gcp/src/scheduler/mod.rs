//! Cloud Scheduler: jobs that fall due by the clock, and at once when somebody says so.
//!
//! [`cron`] says when, [`job`] what a job is and does. Targets of HTTP are on this machine; App Engine's are not.
//!
//! Source: Cloud Scheduler, "REST reference", version 1.

mod cron;
mod job;
#[cfg(test)]
mod tests;

use crate::courier::Post;
use crate::functions::fault::{Fault, json};
use crate::pubsub::PubSub;
use axum::body::Body;
use axum::response::Response;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use job::Job;
use mlemu_core::{Clock, Scope};
use mlemu_engine::settle::{Settle, Work};
use mlemu_engine::{Kept, Shelf};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::{CancellationToken, DropGuard};

const LARGEST: usize = 1024 * 1024;

/// What the service lives on.
pub struct Parts {
    pub clock: Arc<dyn Clock>,
    pub settle: Settle,
    pub pubsub: PubSub,
    pub scope: Arc<Scope>,
    /// Where jobs outlive the daemon.
    pub shelf: Shelf,
}

/// The service. A cheap handle; clones share it.
#[derive(Clone)]
pub struct Scheduler {
    shared: Arc<Shared>,
}

struct Shared {
    parts: Parts,
    post: Post,
    jobs: Mutex<BTreeMap<String, Entry>>,
    /// What was said of those that no project declares, by their names.
    kept: Kept<BTreeMap<String, Value>>,
}

struct Entry {
    job: Job,
    /// Keeps the one who waits for its time.
    _waiting: Option<DropGuard>,
}

/// The jobs of one moment.
#[derive(Clone)]
pub struct Saved(Vec<Job>);

impl Scheduler {
    pub fn new(parts: Parts) -> Self {
        let kept = Kept::on(parts.shelf.part("jobs"));
        Self { shared: Arc::new(Shared { parts, post: Post::new(), jobs: Mutex::default(), kept }) }
    }

    /// Whether a path is of this API.
    pub fn claims(path: &str) -> bool {
        target(path).is_some()
    }

    pub async fn handle(&self, request: Request<Body>) -> Response {
        self.answer(request).await.unwrap_or_else(|fault| fault.response())
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response, Fault> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let unsupported = || Fault::unimplemented(&format!("{} {path}", parts.method));
        let (name, verb) = target(&path).ok_or_else(unsupported)?;
        let body = Limited::new(body, LARGEST).collect().await;
        let body = body.map_err(|error| Fault::invalid(error.to_string()))?.to_bytes();
        let said: Value = if body.is_empty() {
            json!({})
        } else {
            serde_json::from_slice(&body)
                .map(Value::Object)
                .map_err(|error| Fault::invalid(format!("Invalid JSON payload received. {error}")))?
        };
        let is_one = name.split('/').count() == 6;
        let document = match (&parts.method, is_one, verb) {
            (&Method::GET, false, "") => self.list(name),
            (&Method::POST, false, "") => self.create(name, said)?,
            (&Method::GET, true, "") => self.get(name)?.shown(),
            (&Method::PATCH, true, "") => self.change(name, said)?,
            (&Method::DELETE, true, "") => self.delete(name)?,
            (&Method::POST, true, "pause") => self.change(name, json!({ "state": "PAUSED" }))?,
            (&Method::POST, true, "resume") => self.change(name, json!({ "state": "ENABLED" }))?,
            (&Method::POST, true, "run") => self.run(name).await?,
            _ => return Err(unsupported()),
        };
        Ok(json(StatusCode::OK, &document))
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.shared.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn list(&self, parent: &str) -> Value {
        let jobs = self.jobs();
        let of_parent = jobs
            .iter()
            .filter(|(name, _)| name.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/')));
        json!({ "jobs": of_parent.map(|(_, entry)| entry.job.shown()).collect::<Vec<_>>() })
    }

    fn create(&self, parent: &str, mut said: Value) -> Result<Value, Fault> {
        if said["name"].as_str().is_none_or(str::is_empty) {
            said["name"] =
                format!("{parent}/job-{}", self.shared.parts.pubsub.queues().ids().fresh("job").hex()).into();
        }
        let name = said["name"].as_str().unwrap_or_default().to_owned();
        if name
            .strip_prefix(parent)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_none_or(|id| id.is_empty() || id.contains('/'))
        {
            return Err(Fault::invalid(format!("Job name must be formatted: \"{parent}/JOB_ID\"")));
        }
        if self.jobs().contains_key(&name) {
            return Err(Fault::exists(format!("Job {name} already exists.")));
        }
        let job = Job::read(said)?;
        self.put(job);
        self.keep();
        Ok(self.get(&name)?.shown())
    }

    /// A job that a project declares: it is as it is declared now.
    pub(crate) fn declare(&self, said: Value) -> Result<(), Fault> {
        let mut job = Job::read(said)?;
        job.declared = true;
        self.put(job);
        Ok(())
    }

    fn put(&self, mut job: Job) {
        job.next = job.due_after(self.shared.parts.clock.now());
        let waiting = job.is_enabled().then(|| {
            let (stop, this, name) = (CancellationToken::new(), self.clone(), job.name.clone());
            let stopped = stop.clone();
            tokio::spawn(async move { stopped.run_until_cancelled(this.wait(name)).await });
            stop.drop_guard()
        });
        self.jobs().insert(job.name.clone(), Entry { job, _waiting: waiting });
    }

    /// Writes what has changed.
    fn keep(&self) {
        let jobs = self.jobs();
        let own = jobs.values().map(|entry| &entry.job).filter(|job| !job.declared);
        let said: BTreeMap<_, _> = own.map(|job| (job.name.clone(), job.said().clone())).collect();
        let mut kept = self.shared.kept.lock();
        if *kept != said {
            *kept = said;
        }
    }

    /// Goes on with the jobs that were there when the daemon ended.
    pub fn awake(&self) {
        let kept = self.shared.kept.lock().clone();
        // Each was read once before.
        kept.into_values().filter_map(|said| Job::read(said).ok()).for_each(|job| self.put(job));
    }

    fn get(&self, name: &str) -> Result<Job, Fault> {
        let found = self.jobs().get(name).map(|entry| entry.job.clone());
        found.ok_or_else(|| Fault::not_found(format!("Job not found: {name}")))
    }

    fn change(&self, name: &str, said: Value) -> Result<Value, Fault> {
        let job = self.get(name)?.changed(said)?;
        self.put(job);
        self.keep();
        Ok(self.get(name)?.shown())
    }

    fn delete(&self, name: &str) -> Result<Value, Fault> {
        let gone = self.jobs().remove(name);
        self.keep();
        gone.map(|_| json!({})).ok_or_else(|| Fault::not_found(format!("Job not found: {name}")))
    }

    /// Fires a job now; answers when it has.
    async fn run(&self, name: &str) -> Result<Value, Fault> {
        self.fire(&self.get(name)?).await;
        Ok(self.get(name)?.shown())
    }

    /// Fires a job each time it falls due.
    async fn wait(self, name: String) {
        loop {
            let Ok(job) = self.get(&name) else { return };
            let Some(next) = job.next else { return };
            let due = self.shared.parts.clock.until(next).await;
            self.fire(&job).await;
            self.note(&name, |job| job.next = job.due_after(next));
            drop(due);
        }
    }

    async fn fire(&self, job: &Job) {
        let parts = &self.shared.parts;
        let trace: Arc<str> = parts.pubsub.queues().ids().fresh("trace").hex().into();
        let work = Work::Due { what: job.name.as_str().into() };
        let _pending = parts.settle.enter(&parts.scope, trace.clone(), work);
        let began = parts.clock.now();
        let status = job.fire(&parts.pubsub, &self.shared.post, &*parts.clock, trace).await;
        self.note(&job.name, |job| job.attempted(began, &status));
    }

    fn note(&self, name: &str, change: impl FnOnce(&mut Job)) {
        if let Some(entry) = self.jobs().get_mut(name) {
            change(&mut entry.job);
        }
    }

    pub fn saved(&self) -> Saved {
        Saved(self.jobs().values().map(|entry| entry.job.clone()).collect())
    }

    pub fn restore(&self, saved: &Saved) {
        self.stop();
        saved.0.iter().cloned().for_each(|job| self.put(job));
        self.keep();
    }

    /// Nothing falls due any more.
    pub fn stop(&self) {
        self.jobs().clear();
    }

    /// Takes back the jobs whose names begin so.
    pub(crate) fn withdraw(&self, prefix: &str) {
        self.jobs().retain(|name, _| !name.starts_with(prefix));
    }
}

/// A schedule as project files have it, for which all clouds write `cron(...)` and `rate(...)`.
pub(crate) fn unwrapped(expression: &str) -> String {
    let inside = |word: &str| expression.strip_prefix(word)?.strip_prefix('(')?.strip_suffix(')');
    match (inside("rate"), inside("cron")) {
        (Some(rate), _) => format!("every {rate}"),
        // The other vendor's sixth field is the year, and `?` its word for any day.
        (_, Some(cron)) => cron.replace('?', "*").split_whitespace().take(5).collect::<Vec<_>>().join(" "),
        _ => expression.to_owned(),
    }
}

/// The name of a job, or of the collection, and what shall be done. `None`: it is another API's.
fn target(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/v1/").or_else(|| path.strip_prefix("/v1beta1/"))?;
    let (name, verb) = match rest.rsplit_once(':') {
        Some((name, verb)) if !verb.contains('/') => (name, verb),
        _ => (rest, ""),
    };
    let segments: Vec<&str> = name.split('/').collect();
    match segments.as_slice() {
        ["projects", _, "locations", _, "jobs"] | ["projects", _, "locations", _, "jobs", _] => {
            Some((name, verb))
        }
        _ => None,
    }
}
