//! The EventBridge API: buses, rules with their targets, and the events that go through them.
//!
//! AWS JSON 1.1. A request names its operation in [`routes`], [`ops`] answers it; what is put on a bus goes to the
//! targets of the rules that it fits, in [`deliver`]. Follows the Amazon EventBridge API reference (service model
//! 2015-10-07).

mod deliver;
mod event;
mod fault;
mod input;
mod ops;
mod routes;
mod store;
#[cfg(test)]
mod tests;
mod wire;

pub use event::Event;
pub use ops::Declared;
pub use routes::{Operation, coverage};
pub use store::Saved;

use crate::lambda::{Settings, body};
use crate::reach::{Letter, Lost, Reach};
use axum::body::Body;
use axum::response::Response;
use fault::{Code, Fault};
use http::request::Parts as Head;
use http::{HeaderValue, Request, StatusCode, header};
use mlemu_core::{Cause, Clock, Sink, Subject, What};
use mlemu_engine::schedules::Schedules;
use mlemu_engine::{Ids, Kept, KeptGuard, Shelf};
use serde_json::Value;
use std::sync::Arc;
use store::Store;

/// Largest request, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;
const TARGET: &str = "AWSEvents.";

/// What EventBridge is made of.
#[derive(Clone)]
pub struct Parts {
    pub clock: Arc<dyn Clock>,
    pub ids: Ids,
    pub sink: Arc<dyn Sink>,
    pub settings: Arc<Settings>,
    pub reach: Arc<dyn Reach>,
    /// Where rules by time wait.
    pub schedules: Arc<Schedules>,
    /// Where buses and rules outlive the daemon.
    pub shelf: Shelf,
}

/// The whole service. A cheap handle; clones share one.
#[derive(Clone)]
pub struct Events {
    front: Arc<Front>,
}

struct Front {
    parts: Parts,
    store: Kept<Store>,
}

/// One request, whatever it asks for.
struct Call {
    cause: Cause,
}

impl Front {
    /// Never held across an await.
    fn store(&self) -> KeptGuard<'_, Store> {
        self.store.lock()
    }

    fn warn(&self, text: String) {
        self.parts.sink.send(self.parts.clock.now(), Subject::default(), What::Warning { text });
    }
}

impl Events {
    pub fn new(parts: Parts) -> Self {
        let settings = parts.settings.clone();
        let store =
            Kept::on(parts.shelf.part("events")).prepared(|store: &mut Store| store.awaken(&settings));
        Self { front: Arc::new(Front { parts, store }) }
    }

    /// Answers one request, whatever is wrong with it.
    pub async fn handle(&self, request: Request<Body>) -> Response {
        let (head, body) = request.into_parts();
        let id = self.front.parts.ids.fresh("events request").uuid();
        let answer = self.answer(&head, &id, body).await;
        let (status, document) = match answer {
            Ok(document) => (200, document),
            Err(fault) => (fault.code.status(), fault.document()),
        };
        respond(status, &id, &document)
    }

    async fn answer(&self, head: &Head, id: &str, body: Body) -> Result<Value, Fault> {
        let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let name = target.and_then(|target| target.strip_prefix(TARGET)).unwrap_or_default();
        let operation = Operation::named(name).ok_or_else(|| Fault::new(Code::UnknownOperation, ""))?;
        let bytes = body::read(body, LARGEST).await;
        let bytes = bytes.map_err(|fault| Fault::new(Code::Serialization, fault.to_string()))?;
        let trace = head.headers.get("x-amzn-trace-id").and_then(|header| header.to_str().ok());
        let call = Call { cause: Cause::Request(trace.map_or(id, crate::trace::of).into()) };
        ops::run(&self.front, &call, operation, &bytes).await
    }

    /// Whether there is such a bus.
    pub fn has(&self, arn: &str) -> bool {
        self.front.store().bus(Some(arn)).is_ok()
    }

    /// Puts what a service of ours tells on a bus; the default one, if none is named.
    pub async fn put(&self, bus: Option<&str>, letter: Letter) -> Result<(), Lost> {
        let bus = self.front.store().bus(bus).map(|bus| bus.name.clone());
        let bus = bus.map_err(|fault| Lost::because(fault.text))?;
        let detail = letter.detail.clone().unwrap_or_default();
        let parts = &self.front.parts;
        let event =
            Event::new(parts.ids.fresh("event"), &parts.settings, parts.clock.now(), &detail, letter.text());
        deliver::to_rules(&self.front, &bus, &event, letter.cause).await;
        Ok(())
    }

    /// Rules by time that were there when the daemon ended wait for their times again.
    pub fn awake(&self) {
        let rules = self.front.store().rules();
        for rule in &rules {
            ops::rules::schedule(&self.front, rule);
        }
    }

    /// Makes what a project declares, or puts it into the form that it is declared in now.
    pub fn declare(&self, declared: Declared) -> Result<(), Lost> {
        ops::declare(&self.front, declared).map_err(|fault| Lost::because(fault.text))
    }

    /// Forgets a rule with its targets.
    pub fn forget(&self, bus: Option<&str>, name: &str) {
        ops::rules::forget(&self.front, bus, name);
    }

    /// All buses and rules as they are now.
    pub fn saved(&self) -> Saved {
        self.front.store().saved()
    }

    pub fn restore(&self, saved: &Saved) {
        let all = {
            let mut store = self.front.store();
            store.restore(saved);
            store.rules()
        };
        ops::rules::reschedule(&self.front, &all);
    }
}

fn respond(status: u16, id: &str, document: &Value) -> Response {
    let text = if document.is_null() { "{}".to_owned() } else { document.to_string() };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
