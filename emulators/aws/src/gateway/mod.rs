//! Functions behind HTTP: the routes of API Gateway and functions' own URLs.
//!
//! A request is matched by host and path ([`table`], [`path`]), becomes an event ([`rest`] or [`lean`]), runs
//! through Lambda like any invocation, and its answer goes back ([`answer`], [`prelude`], [`url`]). Browsers
//! are told what the declared cross-origin rules say ([`cors`]).

mod answer;
mod arrived;
mod cors;
mod door;
mod lean;
mod path;
mod prelude;
mod rest;
mod table;
#[cfg(test)]
mod tests;
mod url;

use crate::iam::Iam;
use crate::lambda::Lambda;
use crate::lambda::body::{self, BodyFault};
use crate::lambda::catalog::UrlConfig;
use arrived::{Arrived, authority, split_port, text};
use axum::body::Body;
use axum::response::Response;
use cors::Policy;
use door::Door;
use http::request::Parts;
use http::{HeaderMap, Request, header};
use mlemu_core::FunctionId;
use mlemu_core::declare::{FunctionDeclaration, HttpForm};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use table::{Found, Route, Table};

/// Largest body that a route takes, in bytes.
const BODY: u64 = 10 * 1024 * 1024;

/// All routes and URLs of one Lambda.
pub struct Gateway {
    lambda: Arc<Lambda>,
    table: RwLock<Arc<Table>>,
}

/// Whom a request is for.
#[derive(Debug)]
pub struct Match {
    to: To,
    /// The path within the API: without its stage.
    path: String,
}

#[derive(Debug)]
enum To {
    Route {
        route: Arc<Route>,
        holes: Vec<(String, String)>,
    },
    Preflight {
        form: HttpForm,
        cors: Policy,
    },
    /// The API is there, the route is not.
    Nowhere(HttpForm),
    Url {
        function: FunctionId,
        config: UrlConfig,
    },
    NoUrl,
}

/// One route, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteView {
    pub method: String,
    pub path: String,
    pub function: FunctionId,
}

impl Gateway {
    pub fn new(lambda: Arc<Lambda>) -> Self {
        Self { lambda, table: RwLock::default() }
    }

    /// Serves the HTTP triggers of a function as they are declared now.
    pub fn declare(&self, function: &FunctionId, declared: &FunctionDeclaration) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        *table = Arc::new(table.with(function, declared));
    }

    pub fn forget(&self, function: &FunctionId) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        *table = Arc::new(table.without(function));
    }

    /// All routes, the most specific first.
    pub fn routes(&self) -> Vec<RouteView> {
        let view = |route: &Arc<Route>| RouteView {
            method: route.method.clone().unwrap_or_else(|| "ANY".into()),
            path: route.path.text.clone(),
            function: route.function.clone(),
        };
        self.table().routes().iter().map(view).collect()
    }

    /// Whom a request is for: by the host of a URL or an API, else by the path of a route.
    ///
    /// A route for everything must not take, nor vouch for the origin of, what is for another service: paths
    /// of the Lambda API and of mlemu's own, requests signed for a service, and buckets' own hosts are none
    /// of ours.
    pub fn matches(&self, parts: &Parts) -> Option<Match> {
        let (host, _) = split_port(authority(parts));
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let path = parts.uri.path();
        if let Some((id, "lambda-url")) = own_host(&host) {
            let to = self
                .lambda
                .url_by_id(id)
                .map_or(To::NoUrl, |(function, config)| To::Url { function, config });
            return Some(Match { to, path: path.to_owned() });
        }
        let asked = text(&parts.headers, header::ACCESS_CONTROL_REQUEST_METHOD.as_str());
        let table = self.table();
        if let Some((id, "execute-api")) = own_host(&host) {
            let form = table.api(id)?;
            let path = if form == HttpForm::Rest { without_stage(path) } else { Some(path) };
            let found = path.and_then(|path| table.find(Some(id), parts.method.as_str(), path, asked));
            let to = found.map_or(To::Nowhere(form), To::from);
            return Some(Match { to, path: path.unwrap_or_default().to_owned() });
        }
        if table.routes().is_empty() || !is_plain(&host) || is_elsewhere(parts) {
            return None;
        }
        let found = table.find(None, parts.method.as_str(), path, asked)?;
        Some(Match { to: found.into(), path: path.to_owned() })
    }

    /// Whether a page of the request's `Origin` may make this request, by the rules that its route or URL
    /// declares. Without rules: no.
    pub fn origin_allowed(&self, parts: &Parts) -> bool {
        let Some(origin) = text(&parts.headers, header::ORIGIN.as_str()) else { return false };
        match self.matches(parts).map(|matched| matched.to) {
            Some(To::Route { route, .. }) => route.cors.as_ref().is_some_and(|cors| cors.allows(origin)),
            Some(To::Preflight { cors, .. }) => cors.allows(origin),
            Some(To::Url { config, .. }) => {
                config.cors.as_ref().is_some_and(|cors| Policy::from(cors).allows(origin))
            }
            Some(To::Nowhere(_) | To::NoUrl) | None => false,
        }
    }

    /// Answers a request that [`Gateway::matches`] took.
    pub async fn handle(&self, matched: Match, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let origin = text(&parts.headers, header::ORIGIN.as_str()).map(str::to_owned);
        match matched.to {
            To::Nowhere(HttpForm::Rest) => answer::message(403, "Missing Authentication Token"),
            To::Nowhere(HttpForm::Lean) => answer::message(404, "Not Found"),
            To::NoUrl => door::forbidden(),
            To::Preflight { form, cors } => preflight(form, &cors, origin.as_deref()),
            To::Route { route, holes } => {
                let door = Door::Api(route.api.form);
                let mut response = match self.arrive(&parts, body, BODY, &matched.path).await {
                    Ok(arrived) => self.proxy(&route, &holes, &arrived).await,
                    Err(fault) => door.body_fault(fault),
                };
                if let (HttpForm::Lean, Some(cors), Some(origin)) = (route.api.form, &route.cors, &origin) {
                    cors.answer(origin, response.headers_mut());
                }
                response
            }
            To::Url { function, config } => self.handle_url(&function, &config, &parts, body, origin).await,
        }
    }

    async fn proxy(&self, route: &Route, holes: &[(String, String)], arrived: &Arrived) -> Response {
        let account = &self.lambda.settings().account;
        let event = match route.api.form {
            HttpForm::Rest => rest::event(arrived, route, holes, account),
            HttpForm::Lean => lean::event(
                arrived,
                &lean::Origin {
                    route_key: route_key(route),
                    api_id: &route.api.id,
                    account,
                    holes,
                    keeps_cookie: false,
                },
            ),
        };
        let door = Door::Api(route.api.form);
        let invoke = door::invoke(&route.function, arrived, &event, &self.lambda.functions().ids());
        let answered = match door::run(self.lambda.functions(), invoke, door.patience()).await {
            Ok(answered) => answered,
            Err(trouble) => return door.trouble(&trouble, arrived),
        };
        let proxied = match route.api.form {
            HttpForm::Rest => rest::answer(&answered.body),
            HttpForm::Lean => lean::answer(&answered.body, "text/plain;charset=UTF-8"),
        };
        door.said(proxied, arrived)
    }

    async fn arrive(&self, parts: &Parts, body: Body, limit: u64, path: &str) -> Result<Arrived, BodyFault> {
        let body = body::read(body, limit).await?;
        let at = self.lambda.functions().clock().now();
        let id = self.lambda.functions().ids().fresh("request");
        let arrived = Arrived::new(parts, body, at, self.lambda.settings().port(), id);
        Ok(Arrived { path: path.to_owned(), ..arrived })
    }

    fn table(&self) -> Arc<Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl From<Found> for To {
    fn from(found: Found) -> Self {
        match found {
            Found::Route { route, holes } => To::Route { route, holes },
            Found::Preflight { form, cors } => To::Preflight { form, cors },
            Found::NoMethod { form } => To::Nowhere(form),
        }
    }
}

/// Id and service of hosts such as `ID.lambda-url.REGION.localhost` and `ID.execute-api.REGION.on.aws`.
fn own_host(host: &str) -> Option<(&str, &str)> {
    let mut labels = host.split('.');
    let (id, service, _region) = (labels.next()?, labels.next()?, labels.next()?);
    let known = matches!(labels.collect::<Vec<_>>().as_slice(), ["localhost"] | ["on", "aws"]);
    (known && matches!(service, "lambda-url" | "execute-api")).then_some((id, service))
}

fn without_stage(path: &str) -> Option<&str> {
    let rest = path.strip_prefix('/')?.strip_prefix(rest::STAGE)?;
    if rest.is_empty() { Some("/") } else { rest.starts_with('/').then_some(rest) }
}

/// `GET /pets/{id}`, `ANY /{proxy+}` or `$default`.
fn route_key(route: &Route) -> String {
    let path = &route.path.text;
    if path.starts_with('$') {
        return path.clone();
    }
    format!("{} {path}", route.method.as_deref().unwrap_or("ANY"))
}

/// A host that names nobody: what has labels before it is a bucket's.
fn is_plain(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

fn is_elsewhere(parts: &Parts) -> bool {
    let path = parts.uri.path();
    Lambda::is_lambda_path(path) || path.starts_with("/_mlemu") || Iam::claims(parts) || is_signed(parts)
}

/// Signed for a service other than the gateway.
fn is_signed(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default();
    let header = text(&parts.headers, header::AUTHORIZATION.as_str()).unwrap_or_default();
    let in_header = header.starts_with("AWS4-") && !header.contains("/execute-api/");
    let in_query = query.contains("X-Amz-Signature=") || query.contains("AWSAccessKeyId=");
    in_header || in_query
}

fn preflight(form: HttpForm, cors: &Policy, origin: Option<&str>) -> Response {
    let mut headers = HeaderMap::new();
    match (form, origin) {
        (HttpForm::Rest, _) => cors.mock(&mut headers),
        (HttpForm::Lean, Some(origin)) => cors.preflight(origin, &mut headers),
        (HttpForm::Lean, None) => {}
    }
    let status = if form == HttpForm::Rest { 200 } else { 204 };
    answer::head(status, headers, Body::empty())
}
