//! Cloud Scheduler: jobs that fall due by the clock, and at once when somebody says so.
//!
//! [`cron`] says when, [`job`] what a job is and does. Each enabled job is one of the world's schedules. Targets of HTTP
//! are on this machine; App Engine's are not.
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
use job::{Attempt, Job};
use mlemu_core::{Cause, Clock, Scope, Timestamp};
use mlemu_engine::schedules::{Schedule, Schedules, Starts};
use mlemu_engine::settle::{Settle, Work};
use mlemu_engine::{Kept, Shelf};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

const LARGEST: usize = 1024 * 1024;

/// What the service lives on.
pub struct Parts {
    pub clock: Arc<dyn Clock>,
    pub settle: Settle,
    pub pubsub: PubSub,
    pub schedules: Arc<Schedules>,
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
    /// Attempts that are under way end with it.
    stop: CancellationToken,
    _stop: DropGuard,
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
            (&Method::GET, true, "") => self.show(name)?,
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
        let shown = |(_, entry): (&String, &Entry)| self.shown(&entry.job);
        json!({ "jobs": of_parent.map(shown).collect::<Vec<_>>() })
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
        self.show(&name)
    }

    /// A job that a project declares: it is as it is declared now.
    pub(crate) fn declare(&self, said: Value) -> Result<(), Fault> {
        let mut job = Job::read(said)?;
        job.declared = true;
        self.put(job);
        Ok(())
    }

    fn put(&self, job: Job) {
        let schedules = &self.shared.parts.schedules;
        if job.is_enabled() {
            schedules.put(self.schedule(&job));
        } else {
            schedules.remove(&job.name);
        }
        let stop = CancellationToken::new();
        let entry = Entry { _stop: stop.clone().drop_guard(), stop, job };
        self.jobs().insert(entry.job.name.clone(), entry);
    }

    fn schedule(&self, job: &Job) -> Schedule {
        let (shared, name) = (Arc::downgrade(&self.shared), job.name.clone());
        let start = move |at, cause| -> mlemu_core::Boxed<'static, ()> {
            if let Some(shared) = shared.upgrade() {
                Self { shared }.begin(&name, at, cause);
            }
            Box::pin(std::future::ready(()))
        };
        let when = job.schedule.clone();
        Schedule {
            id: job.name.as_str().into(),
            starts: Starts::Other { name: job.id().into(), start: Arc::new(start) },
            expression: job.expression(),
            next: Arc::new(move |after| when.next(after)),
        }
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

    fn show(&self, name: &str) -> Result<Value, Fault> {
        Ok(self.shown(&self.get(name)?))
    }

    fn shown(&self, job: &Job) -> Value {
        job.shown(self.shared.parts.schedules.coming(&job.name))
    }

    fn change(&self, name: &str, said: Value) -> Result<Value, Fault> {
        let job = self.get(name)?.changed(said)?;
        self.put(job);
        self.keep();
        self.show(name)
    }

    fn delete(&self, name: &str) -> Result<Value, Fault> {
        self.shared.parts.schedules.remove(name);
        let gone = self.jobs().remove(name);
        self.keep();
        gone.map(|_| json!({})).ok_or_else(|| Fault::not_found(format!("Job not found: {name}")))
    }

    /// Fires a job now; answers when it has.
    async fn run(&self, name: &str) -> Result<Value, Fault> {
        self.get(name)?;
        let trace = self.shared.parts.pubsub.queues().ids().fresh("trace").hex();
        let cause = Cause::Schedule(trace.as_str().into());
        if let Some(fired) = self.begin(name, self.shared.parts.clock.now(), cause) {
            // It cannot fail but by a panic, which has been printed.
            let _ = fired.await;
        }
        self.show(name)
    }

    /// Fires a job, unless it is gone: what comes of it is under way when this returns.
    fn begin(&self, name: &str, at: Timestamp, cause: Cause) -> Option<JoinHandle<()>> {
        let parts = &self.shared.parts;
        let (job, stop) = self.jobs().get(name).map(|entry| (entry.job.clone(), entry.stop.clone()))?;
        let work = Work::Due { what: name.into() };
        let pending = parts.settle.enter_waiting(&parts.scope, cause.trace(), work);
        let (mut moving, this) = (Some(parts.settle.moving()), self.clone());
        let firing = async move {
            let parts = &this.shared.parts;
            let began = parts.clock.now();
            let attempt =
                Attempt { pubsub: &parts.pubsub, post: &this.shared.post, clock: &*parts.clock, at, cause };
            let ending = job.fire(attempt, &parts.settle, &mut moving).await;
            // All of it before time may go on.
            this.note(&job.name, |job| job.attempted(began, &ending));
            drop((pending, moving));
        };
        Some(tokio::spawn(async move {
            // It ends early when the job is taken away meanwhile.
            stop.run_until_cancelled_owned(firing).await;
        }))
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
        self.withdraw("");
    }

    /// Takes back the jobs whose names begin so.
    pub(crate) fn withdraw(&self, prefix: &str) {
        self.jobs().retain(|name, _| {
            let stays = !name.starts_with(prefix);
            if !stays {
                self.shared.parts.schedules.remove(name);
            }
            stays
        });
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
