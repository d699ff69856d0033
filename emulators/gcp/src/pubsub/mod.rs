//! Pub/Sub over the queue core: a topic is one of the core's, and so is a subscription.
//!
//! [`wire`] has the vendor's messages, [`methods`] the table of operations that [`grpc`] and [`routes`] (REST)
//! both reach, [`ops`] their behaviour, [`registry`] what there is. [`streaming`] holds a subscriber's stream,
//! [`push`] sends messages to endpoints, [`feed`] and [`event`] give them to functions, [`fault`] has the vendor's
//! words for errors.
//!
//! Source: Pub/Sub, "Service APIs overview" (REST and RPC).

mod attempts;
mod event;
pub(crate) mod fault;
mod feed;
mod filter;
mod grpc;
mod methods;
pub(crate) mod names;
mod ops;
mod push;
mod receipt;
pub(crate) mod registry;
mod routes;
mod schema;
mod settings;
mod streaming;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

pub(crate) use routes::serves;

use crate::courier::Couriers;
use crate::place::Place;
use axum::body::Body;
use axum::response::Response;
use fault::Fault;
pub(crate) use feed::Feed;
use http::{Request, header};
use mlemu_core::{Scope, Sink, Subject, What};
use mlemu_engine::queues::{Queues, TopicId};
use mlemu_engine::{Kept, KeptGuard, Shelf};
use names::{Kind, Name};
use push::Pusher;
use registry::{Held, Registry};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
pub(crate) use wire::known::rfc3339;

/// What the service lives on.
pub struct Parts {
    pub queues: Queues,
    pub sink: Arc<dyn Sink>,
    pub place: Place,
    /// Where what there is outlives the daemon.
    pub shelf: Shelf,
}

/// The service. A cheap handle; clones share it.
#[derive(Clone)]
pub struct PubSub {
    shared: Arc<Shared>,
}

struct Shared {
    queues: Queues,
    sink: Arc<dyn Sink>,
    place: Place,
    registry: Kept<Registry>,
    shelf: Shelf,
    pushers: Couriers<Pusher>,
    /// The newest message id.
    message: AtomicU64,
}

impl PubSub {
    pub fn new(parts: Parts) -> Self {
        let Parts { queues, sink, place, shelf } = parts;
        let registry = Kept::on(shelf.part("pubsub"));
        // Ids of another day are others.
        let message = AtomicU64::new(queues.clock().now().0.unsigned_abs());
        let pushers = Couriers::new(queues.clone());
        Self { shared: Arc::new(Shared { queues, sink, place, registry, shelf, pushers, message }) }
    }

    /// Whether a path is of this API in REST.
    pub fn claims(path: &str) -> bool {
        routes::is_ours(path)
    }

    /// Whether a request is one of gRPC.
    pub fn is_grpc(request: &Request<Body>) -> bool {
        let kind = request.headers().get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
        kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
    }

    pub async fn rest(&self, request: Request<Body>) -> Response {
        routes::answer(self, request).await.unwrap_or_else(|fault| fault.response())
    }

    pub async fn grpc(&self, request: Request<Body>) -> Response {
        grpc::answer(self, request).await
    }

    pub(crate) fn queues(&self) -> &Queues {
        &self.shared.queues
    }

    fn shelf(&self) -> &Shelf {
        &self.shared.shelf
    }

    fn registry(&self) -> KeptGuard<'_, Registry> {
        self.shared.registry.lock()
    }

    /// Goes on with what was there when the daemon ended: the core has the messages, but not what only a description
    /// says of them.
    pub fn awake(&self) {
        let held: Vec<Held> = self.registry().subscriptions.values().cloned().collect();
        for Held { said, core } in held {
            if let (Some(core), Ok(settings)) = (core, self.settings(&said)) {
                // It was there a moment ago, and nobody else is awake.
                let _ = self.queues().configure(&core, |kept| *kept = settings);
            }
        }
        self.push_anew();
    }

    /// The core's place for a topic.
    pub(crate) fn topic_id(&self, name: &str) -> Result<TopicId, Fault> {
        let Name { project, id } = Name::of(Kind::Topic, name)?;
        Ok(TopicId::new(&self.scope(project), id))
    }

    /// Topics of any project are here.
    fn scope(&self, project: &str) -> Arc<Scope> {
        let own = &self.shared.place.scope;
        if project == &*own.account {
            return own.clone();
        }
        Arc::new(Scope { account: project.into(), ..Scope::clone(own) })
    }

    pub(crate) fn next_message_id(&self) -> String {
        let ids = self.shared.queues.ids();
        if ids.is_seeded() {
            // Sixteen digits, as the vendor's have.
            return (ids.fresh("message").number() % 9_000_000_000_000_000 + 1_000_000_000_000_000)
                .to_string();
        }
        self.shared.message.fetch_add(1, Ordering::Relaxed).to_string()
    }

    fn unsupported(&self, operation: &str) -> Fault {
        let what = What::Unsupported { service: "pubsub".into(), operation: operation.into() };
        self.shared.sink.send(self.shared.queues.clock().now(), Subject::default(), what);
        Fault::unimplemented(operation)
    }

    /// What is known now, to come back to.
    pub fn saved(&self) -> Saved {
        Saved(self.registry().clone())
    }

    /// Goes back to it; the core goes back by itself.
    pub fn restore(&self, saved: &Saved) {
        *self.registry() = saved.0.clone();
        self.push_anew();
    }

    /// Sends nothing to endpoints any more.
    pub fn stop(&self) {
        self.shared.pushers.stop();
    }
}

/// What there was at one moment, without the messages.
#[derive(Clone)]
pub struct Saved(Registry);
