//! Calls by HTTP: the route, the key, the function, its answer.

use super::fault;
use super::keys::Level;
use super::route::Route;
use super::start::Down;
use super::{Functions, cors, new_id, streamed};
use crate::app::App;
use crate::profile::PAYLOAD;
use crate::worker::index::{Index, Indexed};
use crate::worker::{PARAMS, URL};
use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Request, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use mlemu_core::{Answer, Cause, FunctionId, Invoke, Refusal, Reply, RequestHead};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The function that a request is for, and what its route captured.
struct Found {
    app: Arc<App>,
    index: Arc<Index>,
    at: usize,
    params: BTreeMap<String, String>,
}

impl Found {
    fn function(&self) -> &Indexed {
        &self.index.functions[self.at]
    }
}

impl Functions {
    pub(super) async fn call(&self, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let found = match self.find(&parts).await {
            Ok(Some(found)) => found,
            Ok(None) => return fault::not_found(),
            Err(Down::Failed(failure)) => return fault::down(&failure),
            Err(Down::Refused(refusal)) => return fault::refused(&refusal),
        };
        let page = cors::page(&parts.headers);
        if let Some(origin) = &page
            && !origin.to_str().is_ok_and(|origin| found.app.cors.allows(origin))
        {
            return fault::forbidden();
        }
        let app = found.app.clone();
        let mut response = self.admitted(found, parts, body).await;
        if let Some(origin) = page {
            app.cors.tell(&origin, response.headers_mut());
        }
        response
    }

    async fn admitted(&self, found: Found, parts: Parts, body: Body) -> Response {
        if self.parts.enforce_keys
            && !self.keys.admit(&parts, &found.function().name, level(found.function()))
        {
            return fault::unauthorized();
        }
        let app = found.app.clone();
        let Some(_room) = app.admit() else { return fault::crowded() };
        let mut response = match read(body).await {
            Ok(payload) => self.run(found, parts, payload).await,
            Err(refusal) => return fault::refused(&refusal),
        };
        response.headers_mut().extend(app.host.headers.iter().cloned());
        response
    }

    /// The most particular of the routes that fit.
    async fn find(&self, parts: &Parts) -> Result<Option<Found>, Down> {
        let mut down = None;
        let mut best: Option<(Route, Found)> = None;
        for app in self.apps() {
            let index = match self.started(&app).await {
                Ok(index) => index,
                Err(why) => {
                    down = Some(why);
                    continue;
                }
            };
            let routes = app.routes(&index);
            for (at, (function, route)) in index.functions.iter().zip(&*routes).enumerate() {
                let Some((route, params)) = fits(function, route.as_ref(), &app, parts) else { continue };
                if best.as_ref().is_none_or(|(known, _)| route.precedence() < known.precedence()) {
                    let found = Found { app: app.clone(), index: index.clone(), at, params };
                    best = Some((route.clone(), found));
                }
            }
        }
        match (best, down) {
            (Some((_, found)), _) => Ok(Some(found)),
            (None, Some(down)) => Err(down),
            (None, None) => Ok(None),
        }
    }

    async fn run(&self, found: Found, parts: Parts, payload: bytes::Bytes) -> Response {
        let id = new_id(self.parts.engine.ids());
        let target = FunctionId::new(found.app.id.scope.clone(), &found.function().name);
        let authority =
            parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
        let authority = authority.unwrap_or_else(|| self.parts.place.authority());
        let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let mut attributes = vec![(URL, format!("http://{authority}{path}"))];
        if let Ok(params) = serde_json::to_string(&found.params) {
            attributes.push((PARAMS, params));
        }
        let head = RequestHead { method: parts.method, target: path, headers: parts.headers };
        let cause = Cause::Request(trace(&head).map_or_else(|| id.0.clone(), Into::into));
        let call = Invoke::of(id, target, payload, cause);
        let invoke = Invoke { attributes, head: Some(Arc::new(head)), ..call };
        if found.index.streams {
            return streamed::call(self.parts.engine.clone(), invoke).await;
        }
        answered(self.parts.engine.invoke(invoke).await)
    }
}

/// What a caller gets who waited for the whole of it.
pub(super) fn answered(reply: Result<Reply, Refusal>) -> Response {
    match reply {
        Ok(Reply::Done(outcome)) => match outcome.result {
            Ok(answer) => passed_on(answer),
            Err(failure) => fault::failed(&failure),
        },
        Ok(Reply::Accepted | Reply::WouldRun) => fault::accepted(),
        Err(refusal) => fault::refused(&refusal),
    }
}

/// Of the caller's `traceparent`.
fn trace(head: &RequestHead) -> Option<String> {
    let said = head.headers.get("traceparent")?.to_str().ok()?;
    said.split('-').nth(1).filter(|trace| trace.len() == 32).map(str::to_owned)
}

fn fits<'a>(
    function: &Indexed,
    route: Option<&'a Route>,
    app: &App,
    parts: &Parts,
) -> Option<(&'a Route, BTreeMap<String, String>)> {
    let route = route.filter(|_| takes(function, &parts.method))?;
    let params = route.captures(parts.uri.path().trim_start_matches('/'))?;
    (!app.bindings.is_disabled(function)).then_some((route, params))
}

/// Where no method is said, every one is meant.
fn takes(function: &Indexed, method: &Method) -> bool {
    let methods =
        function.trigger.said.get("methods").and_then(Value::as_array).filter(|all| !all.is_empty());
    methods.is_none_or(|all| {
        all.iter().filter_map(Value::as_str).any(|known| known.eq_ignore_ascii_case(method.as_str()))
    })
}

fn level(function: &Indexed) -> Level {
    match function.trigger.text("authLevel").map(str::to_ascii_lowercase).as_deref() {
        Some("anonymous") => Level::Anonymous,
        Some("admin") => Level::Admin,
        _ => Level::Function,
    }
}

async fn read(body: Body) -> Result<bytes::Bytes, Refusal> {
    let most = usize::try_from(PAYLOAD).unwrap_or(usize::MAX);
    match Limited::new(body, most).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Refusal::TooLarge { size: PAYLOAD + 1, limit: PAYLOAD })
        }
        // The caller is gone: nobody reads this.
        Err(_) => Err(Refusal::Stopping),
    }
}

fn passed_on(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    if let Some(head) = answer.head {
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
    }
    response
}
