//! SageMaker Runtime: predictions of endpoints.
//!
//! REST JSON. A path names its operation in [`routes`]; [`ops`] answers it, [`streamed`] in parts. What is behind an
//! endpoint is the project's word and the engine's affair. Follows the Amazon SageMaker Runtime API reference (service model 2017-05-13).

mod fault;
mod ops;
mod routes;
mod streamed;

pub use routes::{Operation, coverage};

use crate::lambda::{Settings, body};
use crate::plug::new_id;
use crate::s3::S3;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use fault::{Code, Fault};
use http::request::Parts as Head;
use http::{HeaderMap, Request};
use mlemu_core::Cause;
use mlemu_engine::Engine;
use mlemu_engine::endpoints::{Asked, Endpoint, EndpointParts, Endpoints, Post};
use mlemu_engine::faults::Trouble;
use std::sync::Arc;
use std::time::Duration;

/// Largest request in bytes.
const LARGEST: u64 = 6 * 1024 * 1024;
/// A model must answer in so much time.
const PATIENCE: Duration = Duration::from_secs(60);

/// The whole service. A cheap handle; clones share one.
#[derive(Clone)]
pub struct SageMaker {
    front: Arc<Front>,
}

struct Front {
    engine: Engine,
    settings: Arc<Settings>,
    s3: S3,
    endpoints: Endpoints,
}

/// One request.
struct Call<'a> {
    endpoint: &'a str,
    headers: &'a HeaderMap,
    body: Bytes,
    cause: Cause,
}

impl Call<'_> {
    /// Of a header that the vendor begins with its own name.
    fn said(&self, name: &str) -> Option<String> {
        let value = self.headers.get(format!("x-amzn-sagemaker-{name}"))?.to_str().ok()?;
        Some(value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn content_type(&self) -> Option<String> {
        self.headers.get(http::header::CONTENT_TYPE)?.to_str().ok().map(str::to_owned)
    }

    fn asked(&self, payload: Bytes, content_type: Option<String>) -> Asked {
        Asked {
            variant: self.said("target-variant"),
            model: self.said("target-model"),
            payload: ops::as_json(payload),
            content_type,
            head: None,
            cause: self.cause.clone(),
            stream: None,
        }
    }
}

impl SageMaker {
    /// Asynchronous requests and their answers are in `s3`.
    pub fn new(engine: &Engine, settings: &Arc<Settings>, s3: &S3, post: Post) -> Self {
        let endpoints = Endpoints::new(EndpointParts {
            engine: engine.clone(),
            scope: settings.scope.clone(),
            clock: engine.parts().clock.clone(),
            new_id,
            post,
            patience: PATIENCE,
        });
        let (engine, settings, s3) = (engine.clone(), settings.clone(), s3.clone());
        let front = Front { engine, settings, s3, endpoints };
        Self { front: Arc::new(front) }
    }

    /// Whether the path of a request without a signature is one of this service's.
    pub fn claims(head: &Head) -> bool {
        routes::find(&head.method, head.uri.path()).is_some()
    }

    /// Operation and endpoint of a request.
    pub(crate) fn asked(head: &Head) -> Option<(String, String)> {
        let (operation, endpoint) = routes::find(&head.method, head.uri.path())?;
        Some((operation.name().to_owned(), endpoint))
    }

    /// How the service refuses what a test wants refused.
    pub(crate) fn troubled(trouble: Trouble, internal: &str) -> Response {
        let fault = match trouble {
            Trouble::Throttled => Fault::new(Code::NotReady, "The model is not ready: too many requests."),
            Trouble::Broken(_) | Trouble::Full => Fault::new(Code::Unavailable, internal),
        };
        fault.response()
    }

    pub fn declare(&self, endpoint: Endpoint) {
        self.front.endpoints.declare(endpoint);
    }

    pub fn forget(&self, name: &str) {
        self.front.endpoints.forget(name);
    }

    /// Answers one request, whatever is wrong with it.
    pub async fn handle(&self, request: Request<Body>) -> Response {
        let (head, body) = request.into_parts();
        let id = self.front.engine.ids().fresh("sagemaker request").uuid();
        let answered = self.answer(&head, &id, body).await;
        let mut response = answered.unwrap_or_else(|fault| fault.response());
        if let Ok(id) = id.parse() {
            response.headers_mut().insert("x-amzn-requestid", id);
        }
        response
    }

    async fn answer(&self, head: &Head, id: &str, body: Body) -> Result<Response, Fault> {
        let Some((operation, endpoint)) = routes::find(&head.method, head.uri.path()) else {
            let text = "mlemu has InvokeEndpoint, InvokeEndpointAsync and InvokeEndpointWithResponseStream";
            return Err(Fault::new(Code::UnknownOperation, text));
        };
        let body = body::read(body, LARGEST).await;
        let body = body.map_err(|fault| Fault::validation(format!("the request's body: {fault}")))?;
        let trace = head.headers.get("x-amzn-trace-id").and_then(|header| header.to_str().ok());
        let cause = Cause::Request(trace.map_or(id, crate::trace::of).into());
        let call = Call { endpoint: &endpoint, headers: &head.headers, body, cause };
        match operation {
            Operation::InvokeEndpoint => ops::invoke(&self.front, &call).await,
            Operation::InvokeEndpointAsync => ops::queue(&self.front, &call, id).await,
            Operation::InvokeEndpointWithResponseStream => streamed::run(&self.front, &call).await,
        }
    }
}
