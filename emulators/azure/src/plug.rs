//! The whole of this cloud behind one port, and what a project declares of it.

use crate::blob::BlobStorage;
use crate::events::Hearers;
use crate::events::subscription::Subscription;
use crate::functions::{self, Functions, FunctionsParts, Retrying, fault};
use crate::ml::OnlineEndpoints;
use crate::place::{CLOUD, Place};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::Request;
use http::request::Parts;
use mlemu_core::declare::{BucketDeclaration, FunctionDeclaration, ResourceDeclaration};
use mlemu_core::{Environment, FunctionFailure, FunctionId, Record, Strain};
use mlemu_engine::Ground;
use mlemu_engine::sources::{SourceParts, Sources};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// The option with the event subscriptions of a project: resources by their names, in JSON.
pub const SUBSCRIPTIONS: &str = "subscriptions";

/// Makes what a project declares, and goes on with what was kept.
fn subscribe(hearers: &Hearers, declared: &str) {
    let all: BTreeMap<String, Value> = serde_json::from_str(declared).unwrap_or_default();
    for (name, said) in all {
        // Whoever read the project's file has read these too.
        if let Ok(one) = Subscription::read(&name, &said) {
            let _ = hearers.declare(one);
        }
    }
    hearers.sync();
}

/// Says what is wrong with a declared subscription.
pub fn check_subscription(name: &str, said: &Value) -> Result<(), String> {
    Subscription::read(name, said).map(drop)
}

/// The services, plugged together.
pub struct Azure {
    functions: Arc<Functions>,
    endpoints: OnlineEndpoints,
    blobs: BlobStorage,
    place: Place,
    watch: bool,
}

impl Azure {
    pub fn new(ground: Ground) -> Arc<Self> {
        let place = Place::new(&ground.account, &ground.region, &ground.prefix);
        let parts = ground.engine.parts();
        let sources = Sources::new(SourceParts {
            queues: ground.queues.clone(),
            invoker: ground.engine.clone(),
            sink: parts.journal.clone(),
            new_id: functions::new_id,
            // One worker takes all that an app is given at a time, as in the cloud.
            cap: parts.policy.account_concurrency,
        });
        let blobs = BlobStorage::on(&ground);
        let own = blobs.accounts.scope(blobs.accounts.own());
        let sink = parts.journal.clone();
        let hearers = Hearers::new(ground.queues.clone(), blobs.clone(), sources.clone(), sink, own);
        subscribe(&hearers, ground.options.get(SUBSCRIPTIONS).map_or("", String::as_str));
        let connection = crate::storage::connection(&ground);
        let engine = ground.engine.clone();
        let functions = Arc::new(Functions::new(FunctionsParts {
            queues: ground.queues,
            sources,
            blobs: blobs.clone(),
            hearers,
            connection,
            engine: ground.engine,
            place: place.clone(),
            folder: ground.folder,
            schedules: ground.schedules,
            enforce_keys: ground.strict_auth,
        }));
        engine.cared_for_by(CLOUD, Retrying::new(&functions));
        let endpoints =
            OnlineEndpoints::new(functions.clone(), &engine, &place, ground.post, ground.strict_auth);
        Arc::new(Self { functions, endpoints, blobs, place, watch: ground.watch })
    }

    /// Told once where the listener is.
    pub fn bound(&self, address: SocketAddr) {
        self.place.set_address(address);
    }

    /// Whether an app lets in the web page that sends a request.
    pub fn admits_origin(&self, parts: &Parts) -> bool {
        self.functions.admits_origin(parts)
    }

    pub async fn answer(&self, request: Request<Body>) -> Response {
        if OnlineEndpoints::claims(request.uri().path()) {
            return self.endpoints.handle(request).await;
        }
        self.functions.serve(request).await
    }

    /// What a client is told that no service could hear out.
    pub fn apology(strain: Strain) -> Response {
        fault::strained(strain)
    }

    /// Makes a declared function app real. Must be called inside a tokio runtime: its first worker starts here.
    pub fn declare(&self, function: &FunctionDeclaration) -> Result<FunctionId, String> {
        self.functions.declare(function, self.watch).map_err(|refused| refused.to_string())
    }

    /// Makes a declared container exist, with the files of its folder in it.
    pub async fn declare_container(&self, declared: &BucketDeclaration) -> Result<(), String> {
        self.blobs.declare_container(declared).await
    }

    /// Makes declared queues exist.
    pub fn declare_queues<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
        self.functions.declare_queues(names)
    }

    /// Makes exactly these endpoints exist.
    pub fn declare_resources(&self, resources: &[&ResourceDeclaration]) -> Result<(), String> {
        self.endpoints.declare(resources)
    }

    pub fn withdraw(&self, function: &FunctionId) {
        self.functions.forget(function);
    }

    /// After the stores have gone back: who is told of blobs is what they say.
    pub fn resume(&self) {
        self.functions.resume();
    }

    /// Nothing feeds a function any more.
    pub fn stop(&self) {
        self.functions.stop();
    }

    /// Completes when every app's worker has said what it has, or cannot.
    pub async fn known(&self) {
        self.functions.known().await;
    }

    /// The host's lines for a record.
    pub fn lines(&self, record: &Record) -> Vec<String> {
        self.functions.lines(record)
    }

    /// The document that a caller gets for a failure.
    pub fn failure(failure: &FunctionFailure) -> Bytes {
        fault::document(failure)
    }

    pub fn function_url(&self, function: &FunctionId) -> Option<String> {
        self.functions.url(function)
    }

    /// Variables for client libraries and tools outside of functions.
    pub fn environment(&self) -> Environment {
        let mut env = Environment::from([("AZURE_FUNCTIONS_HOST".to_owned(), self.place.base())]);
        if let Some(key) = self.functions.master_key() {
            env.insert("AZURE_FUNCTIONS_MASTER_KEY".to_owned(), key.to_owned());
        }
        env
    }
}
