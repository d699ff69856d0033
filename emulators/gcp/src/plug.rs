//! The whole of this cloud behind one port: which service a request is for, and what a project declares.

use crate::framework::Signature;
use crate::framework::emulators;
use crate::functions::fault::{self, Fault};
use crate::functions::{Functions, new_id, routes};
use crate::place::Place;
use crate::storage::{self, Storage, Subscription};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::Request;
use http::request::Parts;
use mlemu_core::declare::{BucketDeclaration, FunctionDeclaration, TriggerDeclaration};
use mlemu_core::{Environment, FunctionFailure, FunctionId, Record, Sink, Strain, Subject, What};
use mlemu_engine::triggers::{TriggerParts, Triggers};
use mlemu_engine::{Engine, Ground};
use std::net::SocketAddr;
use std::sync::Arc;

/// The services, plugged together.
pub struct Gcp {
    engine: Engine,
    functions: Functions,
    storage: Storage,
    place: Place,
    watch: bool,
}

impl Gcp {
    /// Must be called inside a tokio runtime: the triggers' reading task starts here.
    pub fn new(ground: Ground) -> Arc<Self> {
        let place = Place::new(&ground.account, &ground.region);
        let functions = Functions::new(ground.engine.clone(), place.clone(), ground.folder);
        let triggers = Triggers::new(ground.objects.clone());
        let parts = ground.engine.parts();
        let (clock, sink) = (parts.clock.clone(), parts.journal.clone());
        tokio::spawn(triggers.run(TriggerParts {
            invoker: ground.engine.clone(),
            clock: clock.clone(),
            sink: sink.clone(),
            new_id,
        }));
        let objects = ground.objects;
        let storage = Storage::new(storage::Parts { objects, triggers, clock, sink, place: place.clone() });
        Arc::new(Self { engine: ground.engine, functions, storage, place, watch: ground.watch })
    }

    /// Told once where the listener is; functions are pointed there from then on.
    pub fn bound(&self, address: SocketAddr) {
        self.place.set_address(address);
    }

    /// Functions come first: their paths begin with a project's name, which no API does.
    pub async fn answer(&self, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let target = self.functions.matches(&parts);
        let admin = routes::admin(&parts.method, parts.uri.path());
        let path = parts.uri.path().to_owned();
        let request = Request::from_parts(parts, body);
        match (target, admin) {
            (Some(target), _) => self.functions.serve(target, request).await,
            (None, Some(admin)) => self.functions.administer(admin, request).await,
            (None, None) if Storage::claims(&path) => self.storage.handle(request).await,
            (None, None) => Fault::not_found(format!("nothing of mlemu is at {path}")).response(),
        }
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
        let id = self.functions.declare(function, self.watch).map_err(|refused| refused.to_string())?;
        self.storage.unsubscribe(&id);
        for (index, trigger) in function.triggers.iter().enumerate() {
            self.subscribe(&id, index, trigger).map_err(|unknown| unknown.to_string())?;
        }
        self.warn_of_silent(&id, &function.triggers);
        Ok(id)
    }

    fn subscribe(
        &self,
        function: &FunctionId,
        index: usize,
        trigger: &TriggerDeclaration,
    ) -> Result<(), storage::UnknownEvent> {
        let TriggerDeclaration::Bucket { bucket, events, prefix, suffix } = trigger else { return Ok(()) };
        let signature = self.functions.traits_of(function).map(|traits| traits.signature);
        let subscription = Subscription {
            id: format!("{}-{index}", function.name),
            function: function.clone(),
            events: events.clone(),
            prefix: prefix.clone(),
            suffix: suffix.clone(),
            background: signature == Some(Signature::Background),
        };
        self.storage.subscribe(bucket, subscription)
    }

    /// Triggers that nothing fires yet are said aloud.
    fn warn_of_silent(&self, function: &FunctionId, triggers: &[TriggerDeclaration]) {
        for trigger in triggers {
            let what = match trigger {
                TriggerDeclaration::Queue { queue, .. } => format!("the topic `{queue}`"),
                TriggerDeclaration::Schedule { expression } => format!("the schedule `{expression}`"),
                TriggerDeclaration::Bucket { events, .. }
                    if events.iter().any(|event| never_fires(event)) =>
                {
                    format!("one of {}", events.join(", "))
                }
                _ => continue,
            };
            let text = format!("{what} does not invoke it: mlemu does not have that yet");
            let subject = Subject { function: Some(function.clone()), ..Subject::default() };
            let parts = self.engine.parts();
            parts.journal.send(parts.clock.now(), subject, What::Warning { text });
        }
    }

    pub fn withdraw(&self, function: &FunctionId) {
        self.storage.unsubscribe(function);
        self.functions.forget(function);
    }

    pub async fn declare_bucket(&self, bucket: &BucketDeclaration) -> Result<(), String> {
        let id = self.storage.declare_bucket(&bucket.name);
        match &bucket.seed {
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
        let mut env = emulators(address);
        let pairs = [
            ("GOOGLE_CLOUD_PROJECT", self.place.project().to_owned()),
            ("CLOUDSDK_CORE_PROJECT", self.place.project().to_owned()),
            ("CLOUDSDK_FUNCTIONS_REGION", self.place.region().to_owned()),
            ("CLOUDSDK_AUTH_DISABLE_CREDENTIALS", "true".into()),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDFUNCTIONS", format!("http://{address}/")),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", format!("http://{address}/storage/v1/")),
        ];
        env.extend(pairs.map(|(name, value)| (name.to_owned(), value)));
        env
    }
}

/// Buckets keep one version, and what is only described anew is no commit.
fn never_fires(event: &str) -> bool {
    ["archived", "archive", "metadataUpdated", "metadataUpdate"]
        .iter()
        .any(|kind| event.ends_with(&format!(".{kind}")))
}
