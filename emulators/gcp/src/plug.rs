//! The whole of this cloud behind one port: which service a request is for, and what a project declares.

use crate::framework::Signature;
use crate::framework::emulators;
use crate::functions::fault::{self, Fault};
use crate::functions::{Functions, deploy, new_id, routes};
use crate::neighbours;
use crate::place::Place;
use crate::predict::Predict;
use crate::pubsub::{self, Feed, PubSub};
use crate::registered::Codes;
use crate::scheduler::{self, Scheduler};
use crate::storage::{self, Storage, Subscription};
use crate::tasks::{self, Tasks};
use crate::tokens;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, StatusCode};
use mlemu_core::declare::{BucketDeclaration, FunctionDeclaration, TriggerDeclaration};
use mlemu_core::{Environment, FunctionFailure, FunctionId, Record, Strain};
use mlemu_engine::sources::{SourceParts, Sources};
use mlemu_engine::triggers::{TriggerParts, Triggers};
use mlemu_engine::{Engine, Ground};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use tokio::task::AbortHandle;

/// What a reset goes back to, beside the shared cores.
pub struct Saved {
    functions: deploy::All,
    pubsub: pubsub::Saved,
    storage: storage::Saved,
    tasks: tasks::Saved,
    jobs: scheduler::Saved,
}

/// The services, plugged together.
pub struct Gcp {
    pub(crate) engine: Engine,
    pub(crate) functions: Functions,
    storage: Storage,
    pubsub: PubSub,
    sources: Sources,
    tasks: Tasks,
    scheduler: Scheduler,
    pub(crate) predict: Predict,
    pub(crate) place: Place,
    watch: bool,
    /// What reads the change log for the triggers.
    reading: AbortHandle,
    /// Code that is asked for its functions.
    pub(crate) codes: Codes,
    /// For what goes on after its request was answered.
    pub(crate) this: Weak<Self>,
}

impl Gcp {
    /// Must be called inside a tokio runtime: the triggers' reading task starts here.
    pub fn new(ground: Ground) -> Arc<Self> {
        let place = Place::new(&ground.account, &ground.region).behind(&ground.prefix);
        let functions = Functions::new(
            ground.engine.clone(),
            place.clone(),
            ground.folder,
            ground.objects.clone(),
            &ground.shelf,
        );
        let triggers = Triggers::new(ground.objects.clone());
        let parts = ground.engine.parts();
        let (clock, sink) = (parts.clock.clone(), parts.journal.clone());
        let reading = tokio::spawn(triggers.run(TriggerParts {
            invoker: ground.engine.clone(),
            clock: clock.clone(),
            sink: sink.clone(),
            new_id,
        }));
        let reading = reading.abort_handle();
        let objects = ground.objects;
        let sources = Sources::new(SourceParts {
            queues: ground.queues.clone(),
            invoker: ground.engine.clone(),
            sink: sink.clone(),
            new_id,
            cap: parts.policy.local_cap.unwrap_or(parts.policy.account_concurrency),
        });
        let pubsub = PubSub::new(pubsub::Parts {
            queues: ground.queues.clone(),
            sink: sink.clone(),
            place: place.clone(),
            shelf: ground.shelf.clone(),
        });
        let scheduler = Scheduler::new(scheduler::Parts {
            clock: clock.clone(),
            settle: ground.engine.settle().clone(),
            pubsub: pubsub.clone(),
            schedules: ground.schedules,
            scope: place.scope.clone(),
            shelf: ground.shelf.clone(),
        });
        let tasks = Tasks::new(ground.queues, place.clone(), &ground.shelf);
        let told = pubsub.clone();
        let (shelf, here) = (ground.shelf, place.clone());
        let service_account = ground.options.get("service_account").map(PathBuf::from);
        let storage = Storage::new(storage::Parts {
            objects,
            triggers,
            clock,
            sink,
            place: here,
            pubsub: told,
            shelf,
            service_account,
            strict: ground.strict_auth,
        });
        let predict = Predict::new(&ground.engine, &place, ground.post);
        let (engine, watch) = (ground.engine, ground.watch);
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            codes: Codes::default(),
            engine,
            functions,
            storage,
            pubsub,
            sources,
            tasks,
            scheduler,
            predict,
            place,
            watch,
            reading,
        })
    }

    /// Goes on with what was there when the daemon ended.
    pub fn awake(&self) {
        self.pubsub.awake();
        self.storage.awake();
        self.tasks.awake();
        self.scheduler.awake();
        self.redeploy(&deploy::All::default());
    }

    /// Told once where the listener is; functions are pointed there from then on.
    pub fn bound(&self, address: SocketAddr) {
        self.place.set_address(address);
    }

    /// Functions come first: their paths begin with a project's name, which no API does.
    pub async fn answer(&self, request: Request<Body>) -> Response {
        if PubSub::is_grpc(&request) && Tasks::is_grpc(request.uri().path()) {
            return self.tasks.grpc(request).await;
        }
        if PubSub::is_grpc(&request) {
            return self.pubsub.grpc(request).await;
        }
        let (parts, body) = request.into_parts();
        let target = self.functions.matches(&parts);
        let admin = routes::admin(&parts.method, parts.uri.path());
        let path = parts.uri.path().to_owned();
        let is_other = target.is_none() && admin.is_none();
        let asked_around = is_other.then(|| neighbours::answer(&parts.method, &path)).flatten();
        let is_xml = is_other && !Storage::claims(&path) && self.storage.claims_xml(&parts);
        let request = Request::from_parts(parts, body);
        match (target, admin) {
            (Some(target), _) => {
                if self.functions.entry(&target.function).is_none() {
                    self.known().await;
                }
                self.functions.serve(target, request).await
            }
            (None, Some(admin)) => self.administer(admin, request).await,
            (None, None) if asked_around.is_some() => {
                fault::json(StatusCode::OK, &asked_around.unwrap_or_default())
            }
            (None, None) if tokens::claims(request.method(), &path) => {
                tokens::answer(request.into_body(), self.engine.parts().clock.machine()).await
            }
            (None, None) if Predict::claims(request.method(), &path) => self.predict.handle(request).await,
            (None, None) if PubSub::claims(&path) => self.pubsub.rest(request).await,
            (None, None) if Tasks::claims(&path) => self.tasks.handle(request).await,
            (None, None) if Scheduler::claims(&path) => self.scheduler.handle(request).await,
            (None, None) if Storage::claims(&path) => self.storage.handle(request).await,
            (None, None) if is_xml => self.storage.handle_xml(request).await,
            (None, None) => Fault::not_found(format!("nothing of mlemu is at {path}")).response(),
        }
    }

    /// Where a function is reached by HTTP.
    pub fn function_url(&self, function: &FunctionId) -> String {
        self.place.url_of(&function.name)
    }

    /// The path below which everything is the function's, e.g. `/demo-mlemu/us-central1/score`.
    pub fn root_of(&self, function: &str) -> String {
        self.place.path_of(function)
    }

    /// Whether a host is the one of this project's functions, e.g. `us-central1-demo-mlemu.cloudfunctions.net`.
    pub fn is_host(&self, host: &str) -> bool {
        routes::is_host(host, &self.place)
    }

    pub fn admits_origin(&self, parts: &Parts) -> bool {
        self.functions.admits_origin(parts)
    }

    /// What a client is told that no service could hear out.
    pub fn apology(strain: Strain) -> Response {
        Fault::strained(strain).response()
    }

    /// Makes a declared function real, with its triggers.
    pub fn declare(&self, function: &FunctionDeclaration) -> Result<FunctionId, String> {
        self.declare_watched(function, self.watch)
    }

    pub(crate) fn declare_watched(
        &self,
        function: &FunctionDeclaration,
        watch: bool,
    ) -> Result<FunctionId, String> {
        let id = self.functions.declare(function, watch).map_err(|refused| refused.to_string())?;
        self.storage.unsubscribe(&id);
        self.pubsub.unfeed(&id, &self.sources);
        self.scheduler.withdraw(&self.job_prefix(&id));
        for (index, trigger) in function.triggers.iter().enumerate() {
            self.subscribe(&id, index, trigger, &function.options)?;
        }
        Ok(id)
    }

    fn subscribe(
        &self,
        function: &FunctionId,
        index: usize,
        trigger: &TriggerDeclaration,
        options: &BTreeMap<String, String>,
    ) -> Result<(), String> {
        let signature = self.functions.traits_of(function).map(|traits| traits.signature);
        let background = signature == Some(Signature::Background);
        match trigger {
            TriggerDeclaration::Bucket { bucket, events, prefix, suffix } => {
                let subscription = Subscription {
                    id: format!("{}-{index}", function.name),
                    function: function.clone(),
                    events: events.clone(),
                    prefix: prefix.clone(),
                    suffix: suffix.clone(),
                    pattern: options.get("path_pattern").cloned(),
                    background,
                };
                self.storage.subscribe(bucket, subscription).map_err(|unknown| unknown.to_string())
            }
            TriggerDeclaration::Queue { queue, .. } => {
                let retry = options.get("retry").is_some_and(|retry| retry == "true");
                let (function, topic) = (function.clone(), queue.clone());
                let feed = Feed { function, index, topic, retry, background };
                self.pubsub.feed(feed, &self.sources).map_err(|fault| fault.message)
            }
            TriggerDeclaration::Schedule { expression } => {
                let is_event = signature.is_some_and(Signature::is_event);
                self.schedule(function, index, expression, is_event.then_some(background))
            }
            _ => Ok(()),
        }
    }

    /// A job of its own calls the function, or publishes to a topic of its own for a function of events, `event`
    /// saying whether it is one of the first generation.
    fn schedule(
        &self,
        function: &FunctionId,
        index: usize,
        expression: &str,
        event: Option<bool>,
    ) -> Result<(), String> {
        let mut job = serde_json::json!({
            "name": format!("{}{index}", self.job_prefix(function)),
            "schedule": scheduler::unwrapped(expression),
        });
        if let Some(background) = event {
            let topic = self.pubsub.topic_name(&format!("schedule-{function}"));
            job["pubsubTarget"] = serde_json::json!({ "topicName": topic, "data": "e30=" });
            let feed = Feed { function: function.clone(), index, topic, retry: false, background };
            self.pubsub.feed(feed, &self.sources).map_err(|fault| fault.message)?;
        } else {
            job["httpTarget"] = serde_json::json!({ "uri": self.place.url_of(&function.name) });
        }
        self.scheduler.declare(job).map_err(|fault| fault.message)
    }

    fn job_prefix(&self, function: &FunctionId) -> String {
        let (project, region) = (self.place.project(), self.place.region());
        format!("projects/{project}/locations/{region}/jobs/schedule-{function}-")
    }

    /// Makes declared topics exist.
    pub fn declare_topics<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
        for name in names {
            self.pubsub.ensure_topic(&self.pubsub.topic_name(name)).map_err(|fault| fault.message)?;
        }
        Ok(())
    }

    /// What of this cloud is in none of the shared cores.
    pub fn saved(&self) -> Saved {
        Saved {
            functions: self.functions.deployments.known().clone(),
            pubsub: self.pubsub.saved(),
            storage: self.storage.saved(),
            tasks: self.tasks.saved(),
            jobs: self.scheduler.saved(),
        }
    }

    pub fn restore(&self, saved: &Saved) {
        let were = std::mem::replace(&mut *self.functions.deployments.known(), saved.functions.clone());
        self.redeploy(&were);
        self.pubsub.restore(&saved.pubsub);
        self.storage.restore(&saved.storage);
        self.tasks.restore(&saved.tasks);
        self.scheduler.restore(&saved.jobs);
    }

    /// Nothing starts a function by itself any more.
    pub fn stop(&self) {
        self.reading.abort();
        self.codes.stop.cancel();
        self.sources.stop();
        self.scheduler.stop();
        self.tasks.stop();
        self.pubsub.stop();
    }

    pub fn withdraw(&self, function: &FunctionId) {
        self.storage.unsubscribe(function);
        self.pubsub.unfeed(function, &self.sources);
        self.scheduler.withdraw(&self.job_prefix(function));
        self.functions.forget(function);
    }

    pub async fn declare_bucket(&self, bucket: &BucketDeclaration) -> Result<(), String> {
        let is_kept = self.storage.keeps(&bucket.name);
        let id = self.storage.declare_bucket(&bucket.name);
        match &bucket.seed {
            // Its files were put there once; what became of them since is the developer's.
            Some(_) if is_kept => Ok(()),
            Some(folder) => self.storage.seed(&id, folder).await.map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    /// Cloud Logging's lines for a record.
    pub fn lines(&self, record: &Record) -> Vec<String> {
        self.functions.lines(record)
    }

    /// The document that a caller gets for a failure.
    pub fn failure(failure: &FunctionFailure) -> Bytes {
        fault::sentence(failure).into()
    }

    /// Variables for client libraries and tools outside of functions.
    pub fn environment(&self, address: SocketAddr) -> Environment {
        let mut env = emulators(address, self.place.prefix());
        let base = format!("http://{address}{}/", self.place.prefix());
        let pairs = [
            ("GOOGLE_CLOUD_PROJECT", self.place.project().to_owned()),
            ("CLOUDSDK_CORE_PROJECT", self.place.project().to_owned()),
            ("CLOUDSDK_FUNCTIONS_REGION", self.place.region().to_owned()),
            ("CLOUDSDK_AUTH_DISABLE_CREDENTIALS", "true".into()),
            ("PUBSUB_PROJECT_ID", self.place.project().to_owned()),
            // No server of metadata answers here: clients must not look for one.
            ("METADATA_SERVER_DETECTION", "none".into()),
            ("CLOUD_TASKS_EMULATOR_HOST", address.to_string()),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDTASKS", base.clone()),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDSCHEDULER", base.clone()),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB", base.clone()),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_SERVICEUSAGE", base.clone()),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDBUILD", base.clone()),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER", base.clone()),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN", base.clone()),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", format!("{base}storage/v1/")),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDFUNCTIONS", base),
        ];
        env.extend(pairs.map(|(name, value)| (name.to_owned(), value)));
        env
    }
}
