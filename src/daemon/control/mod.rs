//! The control API: what the command line and tools ask of a running daemon.
//!
//! Everything lives under `/_mlemu/`, wants the daemon's token, and changes nothing on a GET. One file an area:
//! [`clock`], [`invocations`], [`mod@reset`], [`scopes`], [`stream`], [`wait`]. Every request is about one world: the
//! first, or that of the scope which it names.

pub mod clock;
pub mod faults;
pub mod invocations;
pub mod objects;
pub mod queues;
mod recordings;
pub mod reset;
pub mod schedules;
pub mod scopes;
mod seed;
mod stream;
pub mod wait;

use super::listener::Service;
use super::scope;
use super::world::World;
use super::worlds::{ScopeError, Worlds};
use crate::daemon::invoke::{Invoked, Refused, Wanted};
use axum::body::{Body, Bytes};
use axum::extract::{self, DefaultBodyLimit, FromRequestParts, Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{StatusCode, header};
use mlemu_core::Strain;
use mlemu_engine::Store;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tower::ServiceExt;

/// Largest event that the control API takes, in bytes; the function's own limit comes after.
const EVENT_LIMIT: usize = 64 * 1024 * 1024;

pub struct Control {
    router: Router,
    store: Option<Store>,
}

impl Control {
    pub fn new(worlds: Arc<Worlds>) -> Self {
        let guarded = Router::new()
            .route("/_mlemu/functions", get(functions))
            .route("/_mlemu/functions/{name}/invoke", post(invoke))
            .route("/_mlemu/invocations", get(invocations::list))
            .route("/_mlemu/invocations/{id}", get(invocations::one))
            .route("/_mlemu/invocations/{id}/event", get(invocations::event))
            .route("/_mlemu/invocations/{id}/replay", post(invocations::replay))
            .route("/_mlemu/clock", get(clock::show).post(clock::steer))
            .route("/_mlemu/functions/{name}/cold", post(reset::cold))
            .route("/_mlemu/reset", post(reset::reset))
            .route("/_mlemu/snapshots", get(reset::kept))
            .route("/_mlemu/snapshots/{name}", post(reset::keep))
            .route("/_mlemu/snapshots/{name}/restore", post(reset::restore))
            .route("/_mlemu/wait", post(wait::wait))
            .route("/_mlemu/stream", get(stream::follow))
            .route("/_mlemu/faults", get(faults::list).post(faults::add).delete(faults::clear))
            .route("/_mlemu/faults/{number}", delete(faults::remove))
            .route("/_mlemu/seed", post(seed::set))
            .route("/_mlemu/triggers/pause", post(faults::pause))
            .route("/_mlemu/triggers/resume", post(faults::resume))
            .route("/_mlemu/queues", get(queues::list))
            .route("/_mlemu/queues/{queue}/messages", get(queues::peek).post(objects::send))
            .route("/_mlemu/buckets/{bucket}/objects/{key}", get(objects::get).put(objects::put))
            .route("/_mlemu/queues/{queue}/purge", post(queues::purge))
            .route("/_mlemu/queues/{queue}/redrive", post(queues::redrive))
            .route("/_mlemu/schedules", get(schedules::list))
            .route("/_mlemu/schedules/{id}/fire", post(schedules::fire))
            .route("/_mlemu/recordings/start", post(recordings::start))
            .route("/_mlemu/recordings/stop", post(recordings::stop))
            .route("/_mlemu/scopes", get(scopes::list))
            .route("/_mlemu/scopes/{name}", put(scopes::make).delete(scopes::end))
            .route("/_mlemu/env", get(environment))
            .route("/_mlemu/stop", post(stop))
            .layer(DefaultBodyLimit::max(EVENT_LIMIT))
            .layer(middleware::from_fn_with_state(worlds.clone(), authorize));
        let store = worlds.store().cloned();
        let router = Router::new()
            .route("/_mlemu/health", get(health))
            .route("/_mlemu/openapi.json", get(openapi))
            .merge(guarded)
            .fallback(unknown)
            .with_state(worlds);
        Self { router, store }
    }
}

impl Service for Control {
    fn answer(&self, request: http::Request<Body>) -> BoxFuture<'_, Response> {
        let router = self.router.clone();
        let store = self.store.clone().filter(|_| request.method() != http::Method::GET);
        Box::pin(async move {
            let answer = router.oneshot(request).await.unwrap_or_else(|never| match never {});
            let Some(store) = store else { return answer };
            match store.written().await {
                Ok(()) => answer,
                Err(unwritten) => {
                    Fault(StatusCode::INSUFFICIENT_STORAGE, unwritten.to_string()).into_response()
                }
            }
        })
    }

    fn admits_origin(&self, _: &Parts) -> bool {
        false
    }

    fn apology(&self, strain: Strain, _: Option<&Parts>) -> Response {
        let (status, why) = match strain {
            Strain::Slow => (StatusCode::REQUEST_TIMEOUT, "the request did not arrive in time"),
            Strain::Crowded => {
                (StatusCode::SERVICE_UNAVAILABLE, "the control API has too many connections at work")
            }
        };
        Fault(status, why.into()).into_response()
    }
}

/// An error of the control API: a status and what to do about it.
pub struct Fault(pub StatusCode, pub String);

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        (self.0, Json(serde_json::json!({ "error": self.1 }))).into_response()
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        Self(refused.status(), refused.to_string())
    }
}

/// A request that cannot be understood.
fn unreadable(why: String) -> Fault {
    Fault(StatusCode::BAD_REQUEST, why)
}

/// Reads a request's document.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body)
        .map_err(|error| unreadable(format!("the request is not understood: {error}")))
}

/// What a request's query asks for; what it cannot be is refused as everything else is.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let read = extract::Query::from_request_parts(parts, state).await;
        let extract::Query(query) = read.map_err(|refused| unreadable(refused.body_text()))?;
        Ok(Self(query))
    }
}

/// The world that a request is about.
pub struct In(pub Arc<World>);

impl<S: Send + Sync> FromRequestParts<S> for In {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        let found = parts.extensions.get::<Arc<World>>().cloned();
        found.map(In).ok_or_else(|| Fault(StatusCode::NOT_FOUND, "there is no such scope".into()))
    }
}

/// Lets in who has the token, into the world that is named.
async fn authorize(State(worlds): State<Arc<Worlds>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes);
    let given = given.and_then(|value| value.strip_prefix(b"Bearer ")).unwrap_or_default();
    if !same(given, worlds.token.as_bytes()) {
        let why =
            "the control API wants `Authorization: Bearer TOKEN`; the command line reads the token itself";
        return Fault(StatusCode::UNAUTHORIZED, why.into()).into_response();
    }
    match enter(&worlds, request).await {
        Ok(request) => next.run(request).await,
        Err(fault) => fault.into_response(),
    }
}

/// Finds the world that `?scope=` or the header names. Only who changes something makes one that is not there.
async fn enter(worlds: &Worlds, mut request: Request) -> Result<Request, Fault> {
    let by_query = scope::taken_from_query(request.uri());
    let by_header =
        || request.headers().get(scope::HEADER).and_then(|name| name.to_str().ok().map(str::to_owned));
    let name = by_query.as_ref().map(|(name, _)| name.clone()).or_else(by_header);
    let world = match name {
        None => worlds.first.clone(),
        Some(name) if request.method() == http::Method::GET => {
            worlds.get(&name).ok_or(ScopeError::Unknown(name))?
        }
        Some(name) => worlds.named(&name).await?,
    };
    if let Some((_, uri)) = by_query {
        *request.uri_mut() = uri;
    }
    request.extensions_mut().insert(world);
    Ok(request)
}

impl From<ScopeError> for Fault {
    fn from(error: ScopeError) -> Self {
        Self(error.status(), error.to_string())
    }
}

/// Takes as long for a near miss as for a far one.
fn same(given: &[u8], wanted: &[u8]) -> bool {
    let differing = given.iter().zip(wanted).fold(0, |sum, (a, b)| sum | (a ^ b));
    given.len() == wanted.len() && differing == 0
}

async fn health(State(worlds): State<Arc<Worlds>>) -> impl IntoResponse {
    let (durability, failing) = match worlds.store() {
        None => ("memory", false),
        Some(store) => (store.durability().word(), store.is_failing()),
    };
    let status = if failing { "unwritten" } else { "ok" };
    Json(serde_json::json!({
        "status": status,
        "version": env!("CARGO_PKG_VERSION"),
        "durability": durability,
    }))
}

/// The one description of this API; tests hold the server to it.
const OPENAPI: &str = include_str!("openapi.json");

async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

async fn unknown() -> Fault {
    Fault(StatusCode::NOT_FOUND, "the control API has no such path".into())
}

/// One function as `mlemu ps` shows it.
#[derive(Debug, Serialize, Deserialize)]
pub struct FunctionLine {
    pub name: String,
    pub cloud: String,
    pub runtime: String,
    pub handler: String,
    /// In MiB.
    pub memory: u64,
    /// In seconds.
    pub timeout: f64,
    pub revision: u64,
    pub instances: usize,
    pub in_flight: usize,
    pub from: Option<String>,
    /// Where it is invoked by HTTP.
    #[serde(default)]
    pub url: Option<String>,
}

async fn functions(In(world): In) -> Json<Vec<FunctionLine>> {
    let urls = world.function_urls();
    let url = |name: &str| urls.iter().find(|(known, _)| known == name).map(|(_, url)| url.clone());
    let views = world.engine.all_functions();
    Json(
        views.iter().map(|view| FunctionLine { url: url(&view.id.name), ..FunctionLine::of(view) }).collect(),
    )
}

impl FunctionLine {
    pub fn of(view: &mlemu_engine::FunctionView) -> Self {
        let latest = &view.latest;
        Self {
            name: view.id.name.to_string(),
            cloud: view.id.scope.cloud.to_string(),
            runtime: latest.runtime.clone(),
            handler: latest.handler.clone(),
            memory: latest.limits.memory / (1024 * 1024),
            timeout: latest.limits.timeout.as_secs_f64(),
            revision: latest.number,
            instances: view.instances,
            in_flight: view.in_flight,
            from: view.from.clone(),
            url: None,
        }
    }
}

async fn invoke(
    In(world): In,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
    event: Bytes,
) -> Result<Json<Invoked>, Fault> {
    let invoked = world.invoke(&name, wanted, event).await;
    invoked.map(Json).map_err(Fault::from)
}

async fn environment(In(world): In) -> Json<mlemu_core::Environment> {
    Json(world.environment())
}

async fn stop(State(worlds): State<Arc<Worlds>>) -> StatusCode {
    worlds.stop.cancel();
    StatusCode::ACCEPTED
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn tokens_match_whole() {
        assert!(same(b"abc", b"abc"));
        for other in [&b"ab"[..], b"abd", b"abcd", b""] {
            assert!(!same(other, b"abc"));
        }
    }
}
