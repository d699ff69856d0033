//! Cloud Functions as its users see it: functions called by HTTP, and the API that lists and calls them.
//!
//! [`routes`] names what a path means, [`declare`] makes a project's functions, [`call`] runs one,
//! [`describe`] shows them as the v1 and v2 APIs do, and [`fault`] has the vendor's words for what went wrong.

mod call;
mod catalog;
mod declare;
pub(crate) mod deploy;
mod describe;
pub mod fault;
mod guess;
pub mod routes;

pub use call::new_id;
pub use catalog::Entry;

use crate::framework::Traits;
use crate::place::Place;
use axum::body::Body;
use axum::response::Response;
use catalog::Catalog;
use deploy::Deployments;
use fault::Fault;
use http::request::Parts;
use http::{Request, header};
use mlemu_core::{FunctionId, Record, Sink, Subject, What};
use mlemu_engine::objects::Objects;
use mlemu_engine::{Engine, Shelf};
use routes::{Admin, Target};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The service.
pub struct Functions {
    engine: Engine,
    place: Place,
    /// Files for instances.
    folder: PathBuf,
    catalog: Catalog,
    pub(crate) deployments: Deployments,
}

impl Functions {
    pub fn new(engine: Engine, place: Place, folder: PathBuf, objects: Objects, shelf: &Shelf) -> Self {
        let deployments = Deployments::new(objects, shelf);
        Self { engine, place, folder, catalog: Catalog::default(), deployments }
    }

    /// Where files for instances are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The function that a request is for, if it is for one.
    pub fn matches(&self, parts: &Parts) -> Option<Target> {
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        routes::target(host.unwrap_or_default(), &parts.uri, &self.place)
    }

    /// Calls a function by HTTP.
    pub async fn serve(&self, target: Target, request: Request<Body>) -> Response {
        match self.catalog.get(&target.function) {
            Some(entry) => self.http(&entry, target, request).await,
            None => fault::no_page(&target.function),
        }
    }

    /// The API of v1 and v2.
    pub async fn administer(&self, admin: Admin, request: Request<Body>) -> Response {
        let answered = match admin {
            Admin::List { version } => Ok(self.list(version)),
            Admin::Get { version, function } => self.describe(version, &function),
            Admin::Call { function } => self.call(&function, request.into_body()).await,
            Admin::Locations { version } => Ok(self.locations(version)),
            Admin::Unsupported { operation } => Err(self.unsupported(&operation)),
            // What changes functions is put together elsewhere.
            other => Err(self.unsupported(&format!("{other:?}"))),
        };
        match answered {
            Ok(document) => fault::json(http::StatusCode::OK, &document),
            Err(fault) => fault.response(),
        }
    }

    fn unsupported(&self, operation: &str) -> Fault {
        self.record(What::Unsupported { service: "cloudfunctions".into(), operation: operation.into() });
        Fault::unimplemented(operation)
    }

    /// Whether a web page may call the function that the request is for.
    pub fn admits_origin(&self, parts: &Parts) -> bool {
        let Some(origin) = parts.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()) else {
            return false;
        };
        self.matches(parts)
            .and_then(|target| self.catalog.get(&target.function))
            .is_some_and(|entry| entry.admits(origin))
    }

    pub fn traits_of(&self, function: &FunctionId) -> Option<Traits> {
        self.catalog.get(&function.name).map(|entry| entry.traits)
    }

    /// What Cloud Logging says for a record.
    pub fn lines(&self, record: &Record) -> Vec<String> {
        let traits = record.subject.function.as_ref().and_then(|function| self.traits_of(function));
        traits.map(|traits| crate::framework::lines::of(record, traits)).unwrap_or_default()
    }

    pub fn entry(&self, name: &str) -> Option<Arc<Entry>> {
        self.catalog.get(name)
    }

    fn record(&self, what: What) {
        let parts = self.engine.parts();
        parts.journal.send(parts.clock.now(), Subject::default(), what);
    }
}
