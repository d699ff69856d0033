//! STS and the few IAM calls that tools make before CreateFunction.
//!
//! Kept and told again; nothing is enforced. Query protocol: names and values of a form in, XML
//! out (IAM API reference, "Making query requests"; STS API reference, "Actions").

mod policies;
mod roles;
mod sts;
#[cfg(test)]
mod tests;
mod xml;

use crate::lambda::body::{self, BodyFault};
use crate::lambda::query::Pairs;
use crate::lambda::{Functions, Settings};
use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode, header};
use mlemu_core::{Subject, What};
use mlemu_engine::{Kept, Shelf};
use policies::Policy;
use roles::Role;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;
use xml::{element, text};

/// Largest form, in bytes.
const FORM: u64 = 1024 * 1024;
const STS_VERSION: &str = "2011-06-15";
const IAM_VERSION: &str = "2010-05-08";

/// Roles and policies of one account.
pub struct Iam {
    settings: Arc<Settings>,
    functions: Arc<dyn Functions>,
    store: Kept<Store>,
}

/// What there was at one moment.
#[derive(Clone)]
pub struct Saved(Store);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Store {
    roles: BTreeMap<String, Role>,
    /// By ARN.
    policies: BTreeMap<String, Policy>,
}

/// An error that the callers' tools know by its code.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{code}: {text}")]
struct Fault {
    status: u16,
    code: &'static str,
    text: String,
}

impl Fault {
    fn new(status: u16, code: &'static str, text: impl Into<String>) -> Self {
        Self { status, code, text: text.into() }
    }

    fn missing(what: &str) -> Self {
        Self::new(404, "NoSuchEntity", format!("{what} cannot be found."))
    }

    fn exists(what: &str) -> Self {
        Self::new(409, "EntityAlreadyExists", format!("{what} already exists."))
    }
}

/// What an action answers: the inside of its result element.
type Answer = Result<String, Fault>;

/// A form with what an action needs beside it.
struct Call<'a> {
    form: &'a Pairs,
    settings: &'a Settings,
    /// `2026-01-01T00:00:00Z`
    now: String,
    /// The same an hour later.
    later: String,
}

impl Call<'_> {
    fn want(&self, name: &str) -> Result<&str, Fault> {
        let given = self.form.get(name).filter(|value| !value.is_empty());
        given.ok_or_else(|| {
            Fault::new(400, "ValidationError", format!("1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"))
        })
    }

    /// A name that can stand in an ARN.
    fn want_name(&self, member: &str) -> Result<&str, Fault> {
        let name = self.want(member)?;
        let good = name.len() <= 128
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte));
        if good {
            return Ok(name);
        }
        let text = format!(
            "The specified value for {member} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
        );
        Err(Fault::new(400, "ValidationError", text))
    }

    fn get(&self, name: &str) -> &str {
        self.form.get(name).unwrap_or_default()
    }
}

impl Iam {
    /// Roles and policies outlive the daemon on `shelf`.
    pub fn new(settings: Arc<Settings>, functions: Arc<dyn Functions>, shelf: &Shelf) -> Self {
        Self { settings, functions, store: Kept::on(shelf.part("roles")) }
    }

    /// All roles and policies as they are now.
    pub fn saved(&self) -> Saved {
        Saved(self.store.lock().clone())
    }

    pub fn restore(&self, saved: &Saved) {
        *self.store.lock() = saved.0.clone();
    }

    /// Whether a request that nobody signed is for STS or IAM: a form, or an action of their versions.
    pub fn claims(parts: &Parts) -> bool {
        let query = parts.uri.query().unwrap_or_default();
        let asked = query.contains(STS_VERSION) || query.contains(IAM_VERSION);
        parts.uri.path() == "/" && (is_form(parts) || (asked && query.contains("Action=")))
    }

    /// Answers one action; every failure is an answer too.
    pub async fn handle(&self, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let id = self.functions.ids().fresh("request").uuid();
        let form = match body::read(body, FORM).await {
            Ok(form) => form,
            Err(fault) => return answer(&id, Err(too_long(fault)), "", STS_VERSION),
        };
        let query = parts.uri.query().unwrap_or_default();
        let form = Pairs::read(&format!("{query}&{}", String::from_utf8_lossy(&form)));
        let action = form.get("Action").unwrap_or_default().to_owned();
        let is_sts = sts::ACTIONS.contains(&action.as_str());
        let result = self.run(&action, &form);
        answer(&id, result, &action, if is_sts { STS_VERSION } else { IAM_VERSION })
    }

    fn run(&self, action: &str, form: &Pairs) -> Answer {
        let now = jiff::Timestamp::from_microsecond(self.functions.clock().now().0).unwrap_or_default();
        let civil = |at: jiff::Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let later = now.checked_add(jiff::SignedDuration::from_hours(1)).unwrap_or(now);
        let call = Call { form, settings: &self.settings, now: civil(now), later: civil(later) };
        if let Some(answer) = sts::run(action, &call) {
            return answer;
        }
        let mut kept = self.store.lock();
        let mut store = kept.clone();
        let answer = roles::run(action, &call, &mut store);
        let answer = answer.or_else(|| policies::run(action, &call, &mut store));
        if *kept != store {
            *kept = store;
        }
        drop(kept);
        if let Some(answer) = answer {
            return answer;
        }
        let what = What::Unsupported { service: "iam".into(), operation: action.to_owned() };
        self.functions.record(Subject::default(), what);
        Err(Fault::new(501, "NotImplemented", format!("mlemu does not have the action {action} yet")))
    }
}

/// Whether the request comes from a client of the query protocol.
pub(crate) fn is_form(parts: &Parts) -> bool {
    let kind = parts.headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"))
}

/// What clients of the query protocol read when there is nothing to answer them.
pub(crate) fn error(status: u16, code: &'static str, why: &str) -> Response {
    answer("", Err(Fault::new(status, code, why)), "", IAM_VERSION)
}

fn too_long(fault: BodyFault) -> Fault {
    Fault::new(413, "RequestEntityTooLarge", fault.to_string())
}

fn answer(id: &str, result: Answer, action: &str, version: &str) -> Response {
    let service = if version == STS_VERSION { "sts" } else { "iam" };
    let space = format!("https://{service}.amazonaws.com/doc/{version}/");
    let (status, document) = match result {
        Ok(inside) => {
            // Actions without a result have no result element.
            let result =
                if inside.is_empty() { String::new() } else { element(&format!("{action}Result"), &inside) };
            let metadata = element("ResponseMetadata", &text("RequestId", id));
            (200, xml::document(&format!("{action}Response"), &space, &(result + &metadata)))
        }
        Err(fault) => {
            let blame = if fault.status < 500 { "Sender" } else { "Receiver" };
            let error = text("Type", blame) + &text("Code", fault.code) + &text("Message", &fault.text);
            let inside = element("Error", &error) + &text("RequestId", id);
            (fault.status, xml::document("ErrorResponse", &space, &inside))
        }
    };
    let mut response = Response::new(Body::from(document));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}
