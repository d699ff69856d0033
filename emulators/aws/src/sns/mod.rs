//! The SNS API: topics, their subscriptions, and what is published.
//!
//! Query protocol: names and values of a form in, XML out. A request becomes a `Call`, [`routes`] names its
//! operation, [`ops`] answers it; what is published goes out in [`deliver`]. Follows the Amazon SNS API reference
//! (service model 2010-03-31).

mod call;
mod decode;
mod deliver;
mod encode;
mod envelope;
mod fault;
mod fifo;
mod filter;
mod names;
mod ops;
mod outgoing;
mod routes;
mod store;
#[cfg(test)]
mod tests;
mod wire;

pub use names::arn;
pub use ops::Declared;
pub use routes::{Operation, coverage};
pub use store::Saved;

use crate::lambda::Settings;
use crate::reach::{Letter, Lost, Reach};
use axum::body::Body;
use axum::response::Response;
use call::Call;
use fault::{Code, Fault};
use http::Request;
use http::request::Parts as Head;
use mlemu_core::{Clock, Sink, Subject, What};
use mlemu_engine::{Gate, Ids, Kept, KeptGuard, Settle, Shelf};
use std::sync::Arc;
use store::Store;

/// What SNS is made of.
#[derive(Clone)]
pub struct Parts {
    pub clock: Arc<dyn Clock>,
    pub ids: Ids,
    pub settle: Settle,
    pub gate: Gate,
    pub sink: Arc<dyn Sink>,
    pub settings: Arc<Settings>,
    pub reach: Arc<dyn Reach>,
    /// Where topics and subscriptions outlive the daemon.
    pub shelf: Shelf,
}

/// The whole service. A cheap handle; clones share one.
#[derive(Clone)]
pub struct Sns {
    front: Arc<Front>,
}

struct Front {
    parts: Parts,
    store: Kept<Store>,
    lines: fifo::Lines,
    post: outgoing::Post,
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

impl Sns {
    pub fn new(parts: Parts) -> Self {
        let store = Kept::on(parts.shelf.part("topics")).prepared(Store::awaken);
        let front = Front { parts, store, lines: fifo::Lines::default(), post: outgoing::Post::new() };
        Self { front: Arc::new(front) }
    }

    /// Whether a request that says no service is for SNS: by its action's version.
    pub fn claims(head: &Head) -> bool {
        call::claims(head)
    }

    /// Answers one request, whatever is wrong with it.
    pub async fn handle(&self, request: Request<Body>) -> Response {
        let (call, form) = match Call::read(request, &self.front.parts).await {
            Ok(read) => read,
            Err((call, fault)) => return encode::fault(&call, &fault),
        };
        let Some(operation) = Operation::named(&call.action) else {
            let text = format!("Could not find operation {}", call.action);
            return encode::fault(&call, &Fault::new(Code::InvalidAction, text));
        };
        match ops::run(&self.front, &call, operation, form).await {
            Ok(result) => encode::answer(&call, &result),
            Err(fault) => encode::fault(&call, &fault),
        }
    }

    /// Whether there is such a topic.
    pub fn has(&self, arn: &str) -> bool {
        self.front.store().topics.contains_key(arn)
    }

    /// Publishes what a service of ours writes.
    pub async fn publish(&self, arn: &str, letter: Letter) -> Result<(), Lost> {
        deliver::letter(&self.front, arn, letter).await.map_err(|fault| Lost::because(fault.text))
    }

    /// Makes what a project declares, or puts it into the form that it is declared in now.
    pub fn declare(&self, declared: Declared) -> Result<(), Lost> {
        ops::declare(&self.front, declared).map_err(|fault| Lost::because(fault.text))
    }

    /// Forgets a topic and who listens to it.
    pub fn forget(&self, arn: &str) {
        self.front.store().forget(arn);
    }

    /// Forgets that somebody listens to a topic.
    pub fn unsubscribe(&self, topic: &str, endpoint: &str) {
        let mut store = self.front.store();
        store.subscriptions.retain(|_, one| one.topic != topic || one.endpoint != endpoint);
    }

    /// All topics and subscriptions as they are now.
    pub fn saved(&self) -> Saved {
        self.front.store().saved()
    }

    pub fn restore(&self, saved: &Saved) {
        self.front.store().restore(saved);
        self.front.lines.forget();
    }
}
