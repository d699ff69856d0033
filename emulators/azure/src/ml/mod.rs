//! Online endpoints of Azure Machine Learning: a request is scored by the deployment whose turn it is, or which it names.
//!
//! The cloud gives each endpoint a host of its own and the path `/score`. Here, where one port has all of them, it is
//! `/onlineEndpoints/NAME/score`: no client knows the address but by its configuration.
//!
//! Source: Azure Machine Learning documentation, "Invoke the endpoint to score data with your model" and
//! "Authenticate clients for online endpoints".

mod fault;

use crate::functions::{Functions, new_id};
use crate::place::Place;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use fault::Fault;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use mlemu_core::declare::ResourceDeclaration;
use mlemu_core::{Cause, FunctionId, RequestHead, Scope};
use mlemu_engine::Engine;
use mlemu_engine::endpoints::{self, Answered, Asked, Backend, Endpoint, EndpointParts, Endpoints, Post};
use percent_encoding::percent_decode_str;
use std::sync::Arc;
use std::time::Duration;

/// The option of an endpoint with the key that its clients must show.
pub const KEY: &str = "key";
/// Largest request in bytes.
const LARGEST: usize = 10 * 1024 * 1024;
/// The longest that a deployment's `request_timeout_ms` may be.
const PATIENCE: Duration = Duration::from_secs(180);
const DEPLOYMENT: HeaderName = HeaderName::from_static("azureml-model-deployment");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");

/// The endpoints of a project.
pub(crate) struct OnlineEndpoints {
    endpoints: Endpoints,
    engine: Engine,
    scope: Arc<Scope>,
    /// Whose functions answer: nobody knows them before their workers have said what they have.
    functions: Arc<Functions>,
    /// Requests without a key are refused, also where the project names none.
    strict: bool,
}

impl OnlineEndpoints {
    pub fn new(functions: Arc<Functions>, engine: &Engine, place: &Place, post: Post, strict: bool) -> Self {
        let endpoints = Endpoints::new(EndpointParts {
            engine: engine.clone(),
            scope: place.scope.clone(),
            clock: engine.parts().clock.clone(),
            new_id,
            post,
            patience: PATIENCE,
        });
        Self { endpoints, engine: engine.clone(), scope: place.scope.clone(), functions, strict }
    }

    /// Whether a path is one of this service's.
    pub fn claims(path: &str) -> bool {
        endpoint_of(path).is_some()
    }

    /// Exactly these are there from now on.
    pub fn declare(&self, resources: &[&ResourceDeclaration]) -> Result<(), String> {
        let declared = || resources.iter().filter(|resource| resource.kind == endpoints::KIND);
        for gone in self.endpoints.all() {
            if declared().all(|resource| resource.name != gone.name) {
                self.endpoints.forget(&gone.name);
            }
        }
        for resource in declared() {
            let said = serde_json::from_str(&resource.properties).map_err(|error| error.to_string())?;
            self.endpoints.declare(said);
        }
        Ok(())
    }

    /// Whether all functions behind an endpoint are there: only their workers tell what an app has.
    fn is_known(&self, endpoint: &Endpoint) -> bool {
        endpoint.variants.iter().all(|variant| match &variant.backend {
            Backend::Function(name) => {
                self.engine.function(&FunctionId::new(self.scope.clone(), name)).is_some()
            }
            Backend::Reply { .. } | Backend::Http(_) => true,
        })
    }

    pub async fn handle(&self, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let id = new_id(self.engine.ids()).0;
        let answered = self.score(&parts, body, &id).await;
        let mut response = answered.unwrap_or_else(|fault| fault.response());
        put(&mut response, REQUEST_ID, &id);
        response
    }

    async fn score(&self, parts: &Parts, body: Body, id: &str) -> Result<Response, Fault> {
        let name = endpoint_of(parts.uri.path()).unwrap_or_default();
        let endpoint = self.endpoints.get(&name).ok_or_else(|| Fault::no_endpoint(&name))?;
        if !admits(&endpoint, self.strict, &parts.headers) {
            return Err(Fault::Unauthorized);
        }
        if parts.method != Method::POST {
            return Err(Fault::Method);
        }
        let body = match Limited::new(body, LARGEST).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(Fault::TooLarge(LARGEST)),
            Err(_) => return Err(Fault::BrokenOff),
        };
        if !self.is_known(&endpoint) {
            self.functions.known().await;
        }
        let answered = self.endpoints.ask(&name, asked(parts, body, id)).await;
        let Answered { variant, answer } = answered.map_err(|why| Fault::of(&why))?;
        let status = answer.head.as_ref().map(|head| head.status).filter(|status| !status.is_success());
        if let Some(status) = status {
            return Err(Fault::Model { status: status.as_u16(), deployment: variant, said: answer.body });
        }
        let kind = answer.content_type.unwrap_or_else(|| "application/json".into());
        let mut response = Response::new(Body::from(answer.body));
        put(&mut response, header::CONTENT_TYPE, &kind);
        put(&mut response, DEPLOYMENT, &variant);
        Ok(response)
    }
}

/// What the cloud asks a key for, the emulator lets pass unless the project names one, or wants any.
fn admits(endpoint: &Endpoint, strict: bool, headers: &HeaderMap) -> bool {
    let shown = headers.get(header::AUTHORIZATION).and_then(|shown| shown.to_str().ok());
    let shown = shown.and_then(|shown| shown.strip_prefix("Bearer ")).map(str::trim);
    match endpoint.options.get(KEY) {
        Some(key) => shown == Some(key),
        None => !strict || shown.is_some_and(|shown| !shown.is_empty()),
    }
}

/// What is asked of the endpoint, and what of the request its function sees.
fn asked(parts: &Parts, payload: Bytes, id: &str) -> Asked {
    let said = |name: &HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let trace = said(&HeaderName::from_static("traceparent")).and_then(|said| said.split('-').nth(1));
    let mut headers = parts.headers.clone();
    // What is for the endpoint alone, and of one connection.
    for name in [header::AUTHORIZATION, DEPLOYMENT, header::HOST, header::CONTENT_LENGTH] {
        headers.remove(name);
    }
    let target = PathAndQuery::from_static("/score");
    Asked {
        variant: said(&DEPLOYMENT).map(str::to_owned),
        model: None,
        payload,
        content_type: said(&header::CONTENT_TYPE).map(str::to_owned),
        head: Some(Arc::new(RequestHead { method: Method::POST, target, headers })),
        cause: Cause::Request(trace.unwrap_or(id).into()),
        stream: None,
    }
}

/// Of `/onlineEndpoints/NAME/score`.
fn endpoint_of(path: &str) -> Option<String> {
    let name = path.strip_prefix("/onlineEndpoints/")?.strip_suffix("/score")?;
    let name = percent_decode_str(name).decode_utf8().ok()?;
    (!name.is_empty() && !name.contains('/')).then(|| name.into_owned())
}

/// What cannot be a header is left out.
fn put(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn keys_are_asked_for_where_the_project_names_one_or_wants_any() {
        let endpoint = |options: Value| -> Endpoint {
            serde_json::from_value(json!({ "name": "e", "variants": [], "options": options })).unwrap()
        };
        let shown = |text: &str| {
            let value = HeaderValue::from_str(text).unwrap();
            HeaderMap::from_iter([(header::AUTHORIZATION, value)])
        };
        let (keyed, open) = (endpoint(json!({ "key": "sesame" })), endpoint(json!({})));
        assert!(admits(&keyed, false, &shown("Bearer sesame")));
        for wrong in ["Bearer sesam", "Bearer sesame2", "sesame", "Basic sesame", "Bearer "] {
            assert!(!admits(&keyed, false, &shown(wrong)), "{wrong}");
        }
        assert!(!admits(&keyed, false, &HeaderMap::new()));
        assert!(admits(&open, false, &HeaderMap::new()) && admits(&open, true, &shown("Bearer any")));
        assert!(!admits(&open, true, &HeaderMap::new()) && !admits(&open, true, &shown("Bearer ")));
    }

    #[test]
    fn paths_name_endpoints() {
        assert_eq!(endpoint_of("/onlineEndpoints/a%20b/score").as_deref(), Some("a b"));
        for other in ["/score", "/onlineEndpoints//score", "/onlineEndpoints/a/b/score", "/api/score", "/"] {
            assert_eq!(endpoint_of(other), None, "{other}");
        }
    }
}
