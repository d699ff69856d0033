//! Predictions of endpoints, as AI Platform and Vertex AI have them, and by the protocols of model servers that clients
//! of both use: TensorFlow Serving's REST and the second version of KServe's.
//!
//! [`routes`] says what a path is for, [`told`] has the documents about models, [`server`] the two protocols of
//! servers. What is behind an endpoint is the project's word and the engine's affair.
//!
//! Source: REST references of AI Platform Training and Prediction v1 and of Vertex AI v1; TensorFlow Serving, "RESTful
//! API"; the Open Inference Protocol, "Predict Protocol - Version 2".

mod routes;
mod server;
mod told;

use crate::functions::fault::{self, Fault};
use crate::functions::new_id;
use crate::place::Place;
use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use mlemu_core::{Cause, FunctionFailure, Timestamp};
use mlemu_engine::Engine;
use mlemu_engine::endpoints::{Answered, Asked, Endpoint, EndpointParts, Endpoints, Post, Unanswered};
use routes::Wanted;
use serde_json::{Value, json};
use std::time::Duration;

/// Largest request in bytes: Vertex AI's limit.
const LARGEST: usize = 1_500_000;
/// A model must answer in so much time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Endpoints of this cloud.
pub struct Predict {
    endpoints: Endpoints,
    engine: Engine,
    place: Place,
    /// When the daemon began: endpoints are as old.
    since: Timestamp,
}

/// Which variant is meant.
type Version<'a> = Option<&'a str>;

impl Predict {
    pub fn new(engine: &Engine, place: &Place, post: Post) -> Self {
        let clock = engine.parts().clock.clone();
        let since = clock.now();
        let endpoints = Endpoints::new(EndpointParts {
            engine: engine.clone(),
            scope: place.scope.clone(),
            clock,
            new_id,
            post,
            patience: PATIENCE,
        });
        Self { endpoints, engine: engine.clone(), place: place.clone(), since }
    }

    pub fn claims(method: &Method, path: &str) -> bool {
        routes::find(method, path).is_some()
    }

    pub fn declare(&self, endpoint: Endpoint) {
        self.endpoints.declare(endpoint);
    }

    /// Exactly these are there from now on.
    pub fn keep(&self, names: &[&str]) {
        for gone in self.endpoints.all().iter().filter(|one| !names.contains(&one.name.as_str())) {
            self.endpoints.forget(&gone.name);
        }
    }

    pub async fn handle(&self, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let Some(wanted) = routes::find(&parts.method, parts.uri.path()) else {
            return Fault::not_found("no such method").response();
        };
        let answered = self.answer(&wanted, &parts, body).await;
        let refused = |fault: Fault| {
            if wanted.is_of_server() { server::refused(&fault) } else { fault.response() }
        };
        answered.unwrap_or_else(refused)
    }

    async fn answer(&self, wanted: &Wanted, parts: &Parts, body: Body) -> Result<Response, Fault> {
        let ok = |document: &Value| fault::json(StatusCode::OK, document);
        let body = match Limited::new(body, LARGEST).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Err(Fault::invalid(format!(
                    "Request payload size exceeds the limit: {LARGEST} bytes."
                )));
            }
            Err(_) => return Err(Fault::invalid("the request broke off")),
        };
        let ask = Ask { head: parts, body };
        match wanted {
            Wanted::Models => Ok(ok(&told::models(self))),
            Wanted::Model(name) => Ok(ok(&told::model(self, &*self.find(name)?))),
            Wanted::Versions(name) => Ok(ok(&told::versions(self, &*self.find(name)?))),
            Wanted::Version(name, version) => Ok(ok(&told::version(self, &*self.find(name)?, version)?)),
            Wanted::Endpoints(location) => Ok(ok(&told::endpoints(self, location))),
            Wanted::Endpoint(location, name) => Ok(ok(&told::endpoint(self, location, &*self.find(name)?))),
            Wanted::ModelPredict(name, version) => {
                let endpoint = self.find(name)?;
                let version = version.as_deref().or(Some(told::usual(&endpoint)));
                let (_, predictions) = self.predictions(&ask, name, version).await?;
                Ok(ok(&json!({ "predictions": predictions })))
            }
            Wanted::EndpointPredict(location, name) => {
                let (variant, predictions) = self.predictions(&ask, name, None).await?;
                let mut document = told::deployed(self, location, &*self.find(name)?, &variant);
                document["predictions"] = predictions;
                Ok(ok(&document))
            }
            Wanted::Raw(_, name) => self.raw(&ask, name).await,
            Wanted::Server(asked) => server::answer(self, &ask, asked).await,
        }
    }

    fn find(&self, name: &str) -> Result<std::sync::Arc<Endpoint>, Fault> {
        self.endpoints.get(name).ok_or_else(|| no_endpoint(name))
    }

    /// What the model says, whatever it is, and who said it.
    async fn ask(
        &self,
        ask: &Ask<'_>,
        name: &str,
        version: Version<'_>,
        payload: Bytes,
    ) -> Result<Answered, Fault> {
        let header = |name: &str| ask.head.headers.get(name).and_then(|value| value.to_str().ok());
        let trace = header("x-cloud-trace-context").and_then(|said| said.split('/').next());
        let id = new_id(self.engine.ids());
        let asked = Asked {
            variant: version.map(str::to_owned),
            model: None,
            payload,
            content_type: header(header::CONTENT_TYPE.as_str()).map(str::to_owned),
            head: None,
            cause: Cause::Request(trace.map_or_else(|| id.0.clone(), Into::into)),
            stream: None,
        };
        let answered = self.endpoints.ask(name, asked).await.map_err(|why| unanswered(&why))?;
        let failed =
            answered.answer.head.as_ref().map(|head| head.status).filter(|status| !status.is_success());
        match failed {
            None => Ok(answered),
            Some(status) => {
                let said: Value = serde_json::from_slice(&answered.answer.body).unwrap_or_default();
                let words = said["error"].as_str().map(str::to_owned);
                let words =
                    words.unwrap_or_else(|| String::from_utf8_lossy(&answered.answer.body).into_owned());
                let message = format!("Prediction failed: {words}");
                Err(if status.is_client_error() { Fault::invalid(message) } else { Fault::failed(message) })
            }
        }
    }

    /// A request with `instances`, answered with as many predictions.
    async fn predictions(
        &self,
        ask: &Ask<'_>,
        name: &str,
        version: Version<'_>,
    ) -> Result<(String, Value), Fault> {
        let said: Value = serde_json::from_slice(&ask.body)
            .map_err(|error| Fault::invalid(format!("Invalid JSON payload received. {error}")))?;
        if !said["instances"].is_array() {
            return Err(Fault::invalid("the request must have a list of `instances`"));
        }
        let answered = self.ask(ask, name, version, ask.body.clone()).await?;
        Ok((answered.variant, predictions(&answered.answer.body)?))
    }

    /// As it came, and as it is answered.
    async fn raw(&self, ask: &Ask<'_>, name: &str) -> Result<Response, Fault> {
        let wrapped = wrapped(&ask.body);
        let body = wrapped.clone().unwrap_or_else(|| ask.body.clone());
        let answered = self.ask(ask, name, None, body).await?;
        let endpoint = self.find(name)?;
        let id = told::id_of(&endpoint, &answered.variant);
        let kind = answered.answer.content_type.unwrap_or_else(|| "application/json".into());
        let mut response = if wrapped.is_some() {
            let data = STANDARD.encode(&answered.answer.body);
            fault::json(StatusCode::OK, &json!({ "contentType": kind, "data": data }))
        } else {
            let mut response = Response::new(Body::from(answered.answer.body));
            put(&mut response, header::CONTENT_TYPE, &kind);
            response
        };
        put(&mut response, HeaderName::from_static("x-vertex-ai-endpoint-id"), name);
        put(&mut response, HeaderName::from_static("x-vertex-ai-deployed-model-id"), &id);
        Ok(response)
    }
}

/// What cannot be a header is left out.
fn put(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The body inside of what Google's library makes of one where it speaks REST: it gets its answer in the same form.
fn wrapped(body: &[u8]) -> Option<Bytes> {
    let said: Value = serde_json::from_slice(body).ok()?;
    let inner = said.as_object().filter(|said| said.len() == 1)?.get("httpBody")?;
    STANDARD.decode(inner["data"].as_str()?).ok().map(Bytes::from)
}

/// One request.
struct Ask<'a> {
    head: &'a Parts,
    body: Bytes,
}

/// The list of predictions in what a model answered, whichever way it says them.
fn predictions(body: &[u8]) -> Result<Value, Fault> {
    let mut said: Value = serde_json::from_slice(body)
        .map_err(|error| Fault::failed(format!("the model's answer is no JSON: {error}")))?;
    for (name, is_list) in [("predictions", true), ("prediction", false)] {
        if let Some(found) = said.get_mut(name) {
            let found = found.take();
            return Ok(if is_list { found } else { json!([found]) });
        }
    }
    Ok(if said.is_array() { said } else { json!([said]) })
}

fn no_endpoint(name: &str) -> Fault {
    Fault::not_found(format!(
        "`{name}` is not found: there is no [endpoints.{name}] with `provider = \"gcp\"`"
    ))
}

fn unanswered(why: &Unanswered) -> Fault {
    match why {
        Unanswered::NoEndpoint(name) => no_endpoint(name),
        Unanswered::NoVariant { .. } | Unanswered::NoModel { .. } => Fault::not_found(why.to_string()),
        Unanswered::WhichModel(_) => Fault::invalid(why.to_string()),
        Unanswered::Failed { failure, .. } => Fault::failed(format!("Prediction failed: {}", words(failure))),
        Unanswered::Refused { .. } | Unanswered::Struck { .. } | Unanswered::Unreachable { .. } => {
            let message = format!("The service is currently unavailable: {why}");
            Fault { status: StatusCode::SERVICE_UNAVAILABLE, code: "UNAVAILABLE", message }
        }
        Unanswered::Late { .. } => {
            Fault { status: StatusCode::GATEWAY_TIMEOUT, code: "DEADLINE_EXCEEDED", message: why.to_string() }
        }
    }
}

fn words(failure: &FunctionFailure) -> String {
    match failure {
        FunctionFailure::Reported { body, .. } if !body.is_empty() => {
            String::from_utf8_lossy(body).into_owned()
        }
        other => fault::sentence(other),
    }
}
