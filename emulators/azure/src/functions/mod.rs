//! Azure Functions as its users see it: function apps behind routes, and the host's own API.
//!
//! [`declare`] makes a project's apps, [`start`] sees to it that an app's functions are known, [`http`] takes calls by
//! their [`route`], [`streamed`] those whose answers come in pieces, [`admin`] is the API of tools, [`keys`] who may call, [`cors`] from which pages, [`timer`] what starts
//! by time, [`tries`] what runs again, [`webhooks`] and [`grid`] what Event Grid does, and [`fault`] has the vendor's
//! words for what went wrong.

mod admin;
pub(crate) mod cors;
mod declare;
pub mod fault;
mod grid;
mod http;
mod keys;
pub(crate) mod route;
mod start;
mod streamed;
mod timer;
mod tries;
mod webhooks;

use crate::app::App;
use crate::blob::BlobStorage;
use crate::events::Hearers;
use crate::place::Place;
use crate::worker::index::{Index, Indexed};
use ::http::Request;
use axum::body::Body;
use axum::response::Response;
pub use declare::{CORS, CORS_CREDENTIALS, HOST_FILE};
use keys::Keys;
use mlemu_core::{FunctionId, InvocationId, Record};
use mlemu_engine::queues::Queues;
use mlemu_engine::schedules::Schedules;
use mlemu_engine::sources::Sources;
use mlemu_engine::{Engine, Ids};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
pub(crate) use tries::Retrying;

/// Paths of the host's own API, and whether they are here.
pub fn coverage() -> impl Iterator<Item = (&'static str, bool)> {
    admin::HERE.map(|path| (path, true)).into_iter().chain(admin::MISSING.map(|path| (path, false)))
}

/// Triggers that something here fires; any other is started by hand.
pub const TRIGGERS: [&str; 5] =
    ["blobTrigger", "eventGridTrigger", "httpTrigger", "queueTrigger", "timerTrigger"];
/// Bindings beside triggers.
pub const BINDINGS: [&str; 4] = ["blob (in)", "blob (out)", "http (out)", "queue (out)"];

/// As invocations are named.
pub fn new_id(ids: &Ids) -> InvocationId {
    InvocationId(ids.fresh("invocation").uuid().into())
}

/// What it lives on.
pub struct FunctionsParts {
    pub engine: Engine,
    pub place: Place,
    /// Files for instances.
    pub folder: PathBuf,
    pub schedules: Arc<Schedules>,
    pub queues: Queues,
    pub sources: Sources,
    pub(crate) blobs: BlobStorage,
    pub(crate) hearers: Hearers,
    /// What points an SDK to this machine's storage.
    pub connection: String,
    /// Callers need the keys that `authLevel` asks for.
    pub enforce_keys: bool,
}

/// The service.
pub struct Functions {
    parts: FunctionsParts,
    keys: Keys,
    /// By their names.
    apps: RwLock<BTreeMap<String, Arc<App>>>,
}

impl Functions {
    pub fn new(parts: FunctionsParts) -> Self {
        Self { parts, keys: Keys::new(), apps: RwLock::default() }
    }

    /// Everything that comes to the listener.
    pub async fn serve(&self, request: Request<Body>) -> Response {
        let path = request.uri().path();
        if path == "/" {
            return fault::page(WELCOME);
        }
        if let Some(name) = grid::subscription(path).map(str::to_owned) {
            return self.administer(admin::Admin::Subscription(name), request).await;
        }
        if let Some(asked) = admin::route(request.method(), path) {
            return self.administer(asked, request).await;
        }
        match self.preflight(request.method(), request.headers()) {
            Some(response) => response,
            None => self.call(request).await,
        }
    }

    fn apps(&self) -> Vec<Arc<App>> {
        self.apps.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The app that a record's function is of.
    fn app_of(&self, function: &FunctionId) -> Option<Arc<App>> {
        let apps = self.apps();
        let own = apps.iter().find(|app| app.id == *function);
        let found = own.or_else(|| apps.iter().find(|app| has(app.index().as_deref(), &function.name)));
        found.cloned()
    }

    /// What the host's console says for a record.
    pub fn lines(&self, record: &Record) -> Vec<String> {
        let app = record.subject.function.as_ref().and_then(|function| self.app_of(function));
        let past = record.subject.invocation.as_ref().and_then(|id| self.parts.engine.history().get(&id.0));
        app.map(|app| crate::worker::lines::of(record, &app, &self.parts.place, past.as_deref()))
            .unwrap_or_default()
    }

    /// Where a function is called by HTTP.
    pub fn url(&self, function: &FunctionId) -> Option<String> {
        let app = self.app_of(function)?;
        let index = app.index()?;
        let found = index.get(&function.name).filter(|found| found.trigger.is("httpTrigger"))?;
        Some(url_of(found, &app, &self.parts.place))
    }

    /// After the stores have gone back: who is told of blobs is what they say.
    pub fn resume(&self) {
        self.parts.hearers.sync();
    }

    /// Nothing feeds a function any more.
    pub fn stop(&self) {
        self.parts.hearers.stop();
        self.parts.sources.stop();
    }

    /// The key that opens everything, where keys are enforced.
    pub fn master_key(&self) -> Option<&str> {
        self.parts.enforce_keys.then(|| self.keys.master())
    }
}

const WELCOME: &str = "<!DOCTYPE html><html><head><title>mlemu</title></head><body><h1>Your function app is up and running</h1></body></html>\n";

fn has(index: Option<&Index>, name: &str) -> bool {
    index.is_some_and(|index| index.functions.iter().any(|function| function.name == name))
}

/// The path of a function of HTTP, with its route as it is written.
pub(crate) fn path_of(function: &Indexed, app: &App) -> String {
    let route = function.trigger.text("route").unwrap_or(&function.name).trim_matches('/').to_owned();
    let parts = [app.host.prefix().to_owned(), route];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

pub(crate) fn url_of(function: &Indexed, app: &App, place: &Place) -> String {
    format!("{}/{}", place.base(), path_of(function, app))
}
