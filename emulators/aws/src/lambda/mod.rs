//! The Lambda API: which functions exist, how they are deployed, and how they are asked to run.
//!
//! A request goes [`routes`] (path to operation), [`decode`], the operation in [`ops`], [`encode`];
//! [`wire`] has the vendor's spelling and [`fault`] its errors. What runs belongs to the engine (seen through
//! [`functions::Functions`]); what only this vendor keeps is in [`catalog`]. How a failed invocation reads
//! is in [`ending`].

pub mod aftermath;
pub mod attribute;
pub(crate) mod body;
pub mod catalog;
mod declare;
mod decode;
mod encode;
pub mod ending;
pub(crate) mod eventstream;
#[cfg(test)]
pub(crate) mod fake;
pub mod fault;
pub mod functions;
mod kept;
mod lookup;
pub mod mapping;
mod ops;
pub(crate) mod query;
pub mod routes;
pub mod settings;
pub(crate) mod streaming;
pub mod target;
#[cfg(test)]
mod tests;
mod validate;
pub mod wire;

pub use functions::Functions;
pub use settings::Settings;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use catalog::Catalog;
use decode::Call;
use fault::{Code, Fault};
use http::{HeaderValue, Request};
use kept::Keeping;
use mapping::Mappings;
use mlemu_core::{Boxed, Cause, FunctionId, InvocationId, Invoke, Mode, Revision, Runtime, Subject, What};
use routes::Operation;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use target::Target;
use thiserror::Error;

/// Why a package could not be fetched from the object store.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FetchFault {
    #[error("The specified bucket does not exist")]
    NoSuchBucket,
    #[error("The specified key does not exist.")]
    NoSuchKey,
    #[error("The specified version does not exist.")]
    NoSuchVersion,
    #[error("{0}")]
    Other(String),
}

/// Reads an object: bucket, key, version.
pub type FetchObject =
    Arc<dyn Fn(String, String, Option<String>) -> Boxed<'static, Result<Bytes, FetchFault>> + Send + Sync>;

/// The Lambda of one account and region.
pub struct Lambda {
    functions: Arc<dyn Functions>,
    client: Arc<dyn Runtime>,
    settings: Arc<Settings>,
    fetch_object: FetchObject,
    catalog: Mutex<Catalog>,
    /// Sizes of source folders as of a revision's number.
    sizes: Mutex<HashMap<PathBuf, (u64, u64)>>,
    mappings: Option<Mappings>,
    keeping: Keeping,
}

impl Lambda {
    /// `client` speaks the runtime protocol with the instances; `fetch_object` gets packages out of buckets.
    pub fn new(
        functions: Arc<dyn Functions>,
        client: Arc<dyn Runtime>,
        settings: Arc<Settings>,
        fetch_object: FetchObject,
    ) -> Self {
        let (catalog, sizes) = (Mutex::default(), Mutex::default());
        Self {
            functions,
            client,
            settings,
            fetch_object,
            catalog,
            sizes,
            mappings: None,
            keeping: Keeping::default(),
        }
    }

    /// The same with event source mappings.
    pub fn with_mappings(self, mappings: Mappings) -> Self {
        Self { mappings: Some(mappings), ..self }
    }

    pub(crate) fn mappings(&self) -> Result<&Mappings, Fault> {
        let absent = || Fault::new(Code::NotImplemented, "There are no event sources here.");
        self.mappings.as_ref().ok_or_else(absent)
    }

    /// Whether the Lambda API answers for this path.
    pub fn is_lambda_path(path: &str) -> bool {
        routes::is_ours(path)
    }

    /// Answers one request of the API; every failure is an answer too.
    pub async fn handle(&self, request: Request<Body>) -> Response {
        let id = self.functions.ids().fresh("request").uuid();
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or_default();
        let answer = match routes::find(&parts.method, parts.uri.path(), query) {
            Some(found) => {
                let call = Call::new(&id, &parts, found.parts);
                let answer = ops::run(self, found.operation, &call, body).await;
                self.keep_after(found.operation);
                answer
            }
            None => Err(Fault::new(
                Code::UnknownOperation,
                format!("Lambda has no operation {} {}", parts.method, parts.uri.path()),
            )),
        };
        let mut response = answer.unwrap_or_else(|fault| fault.response());
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert("x-amzn-requestid", id);
        }
        response
    }

    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    pub fn functions(&self) -> &Arc<dyn Functions> {
        &self.functions
    }

    /// The unqualified ARN of a function.
    pub fn arn_of(&self, id: &FunctionId) -> String {
        self.settings.arn(&id.name, None)
    }

    /// The function that a name, its other name, a partial ARN or an ARN means, if it exists.
    pub fn resolve(&self, reference: &str) -> Option<FunctionId> {
        let target = Target::read(reference, None, &self.settings).ok()?;
        let catalog = self.catalog();
        let entry = catalog.get(&target.name)?;
        entry.which(&target)?;
        Some(entry.id.clone())
    }

    /// Starts a function on an event without waiting for it; `reference` as callers name functions.
    pub async fn start(&self, reference: &str, payload: Bytes, cause: Cause) -> Result<(), Fault> {
        let target = Target::read(reference, None, &self.settings)?;
        let (id, qualifier) = self.pick(&target)?;
        let call = InvocationId(self.functions.ids().fresh("invocation").uuid().into());
        let invoke = Invoke { qualifier, mode: Mode::Queue, ..Invoke::of(call, id, payload, cause) };
        let reply = self.functions.invoke(invoke).await;
        reply.map(drop).map_err(|refusal| Fault::refused(&refusal, &target.arn(&self.settings)))
    }

    /// The function whose URL has this id, and how that URL is configured.
    pub(crate) fn url_by_id(&self, url_id: &str) -> Option<(FunctionId, catalog::UrlConfig)> {
        let catalog = self.catalog();
        let entry = catalog
            .iter()
            .filter(|entry| entry.url.is_some())
            .find(|entry| self.settings.url_id(&entry.id.name) == url_id)?;
        Some((entry.id.clone(), entry.url.clone()?))
    }

    fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest revision as the engine has it: a saved file may have made one.
    fn latest(&self, id: &FunctionId) -> Result<Arc<Revision>, Fault> {
        let view = self.functions.function(id);
        view.map(|view| view.latest).ok_or_else(|| Fault::no_function(&self.arn_of(id)))
    }

    /// Tells the records that somebody needs what is not there.
    fn unsupported(&self, function: Option<&FunctionId>, operation: &str) {
        let subject = Subject { function: function.cloned(), ..Subject::default() };
        let what = What::Unsupported { service: "lambda".into(), operation: operation.into() };
        self.functions.record(subject, what);
    }

    fn not_implemented(&self, operation: Operation) -> Fault {
        self.unsupported(None, operation.name());
        Fault::new(Code::NotImplemented, format!("mlemu does not have Lambda's {} yet", operation.name()))
    }
}
