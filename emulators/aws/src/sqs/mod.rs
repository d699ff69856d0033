//! The SQS API over the queue core, in both of its protocols.
//!
//! A request becomes a `Call` with an `Input`, the table names its operation, and an operation answers or
//! faults; which protocol it came in is forgotten in between. Credentials only choose the account. Follows the
//! Amazon SQS API reference (service model 2012-11-05).

mod arrived;
mod attributes;
mod decode;
mod encode;
pub mod event;
mod fault;
mod md5;
mod message;
mod names;
mod ops;
mod receipt;
mod routes;
mod tasks;
#[cfg(test)]
mod tests;
mod wire;

pub use names::arn_of;
pub use routes::{Operation, coverage};

use crate::reach::{Letter, Lost, Reach};
use arrived::Arrived;
use axum::body::Body;
use axum::response::Response;
use encode::Protocol;
use fault::{Code, Fault};
use http::Request;
use http::request::Parts as Head;
use mlemu_core::{Boxed, Cause, HangUp, Scope, Sink, Subject, What};
use mlemu_engine::objects;
use mlemu_engine::queues::{NewMessage, Notes, Queues, SubscriptionId, TopicId, TopicView};
use sha2::Digest;
use std::sync::Arc;
use tasks::Tasks;
use thiserror::Error;

/// What SQS is made of.
#[derive(Clone)]
pub struct Parts {
    pub queues: Queues,
    pub sink: Arc<dyn Sink>,
    pub region: String,
    /// Of requests whose access key names none.
    pub account: String,
}

/// A declared queue that SQS would refuse.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct QueueFault {
    pub why: String,
}

impl From<Fault> for QueueFault {
    fn from(fault: Fault) -> Self {
        Self { why: fault.text }
    }
}

/// The whole service. A cheap handle; clones share one.
#[derive(Clone)]
pub struct Sqs {
    front: Arc<Front>,
}

struct Front {
    parts: Parts,
    scope: Arc<Scope>,
    tasks: Tasks,
}

/// One request, whatever it asks for.
struct Call {
    protocol: Protocol,
    request_id: String,
    /// As queue URLs name it: scheme, host and port.
    origin: String,
    scope: Arc<Scope>,
    cause: Cause,
    hang_up: Option<HangUp>,
}

impl Call {
    /// Completes when the client has hung up.
    async fn left(&self) {
        match &self.hang_up {
            Some(hang_up) => hang_up.wait().await,
            None => std::future::pending().await,
        }
    }
}

impl Front {
    fn queues(&self) -> &Queues {
        &self.parts.queues
    }

    fn scope_of(&self, account: &str) -> Arc<Scope> {
        if *account == *self.scope.account {
            return self.scope.clone();
        }
        Arc::new(Scope { account: account.into(), ..Scope::clone(&self.scope) })
    }

    /// The queue that a URL means, by the account and the name in it.
    fn queue(&self, url: &str) -> Result<TopicView, Fault> {
        let place = names::place(url).ok_or_else(Fault::no_queue)?;
        let scope = place.account.map_or_else(|| self.scope.clone(), |account| self.scope_of(account));
        self.queues().topic(&TopicId::new(&scope, place.name)).map_err(Fault::from)
    }

    /// The queue of an ARN, if it is one of ours.
    fn by_arn(&self, arn: &str) -> Option<TopicView> {
        let id = names::from_arn(arn, &self.scope)?;
        self.queues().topic(&id).ok()
    }
}

impl Sqs {
    pub fn new(parts: Parts) -> Self {
        let scope = Arc::new(Scope::new("aws", &parts.account, &parts.region));
        Self { front: Arc::new(Front { parts, scope, tasks: Tasks::default() }) }
    }

    /// Whether a request that says no service is for SQS: by its action's version, or by a queue's path in a
    /// form. Forms of S3 are multipart.
    pub fn claims(head: &Head) -> bool {
        arrived::claims(head)
    }

    /// Makes sure that a declared queue exists in the default account, with these attributes in SQS's
    /// spelling, and gives its place in the queue core.
    pub fn declare(&self, name: &str, attributes: &Notes) -> Result<SubscriptionId, QueueFault> {
        let id = TopicId::new(&self.front.scope, name);
        ops::queues::declare(&self.front, &id, attributes)?;
        Ok(id.only())
    }

    /// Sends the dead letters of a declared queue to another one, which is made if it is missing.
    pub fn redrive(&self, name: &str, dead: &str, after: u32) -> Result<(), QueueFault> {
        let id = TopicId::new(&self.front.scope, name);
        let queue = self.front.queues().topic(&id).map_err(Fault::from)?;
        let mut attributes = Notes::new();
        if dead.ends_with(names::FIFO) {
            attributes.insert("FifoQueue".into(), "true".into());
        }
        let dead = TopicId::new(&self.front.scope, dead);
        if self.front.queues().topic(&dead).is_err() {
            ops::queues::declare(&self.front, &dead, &attributes)?;
        }
        let policy = serde_json::json!({ "deadLetterTargetArn": arn_of(&dead), "maxReceiveCount": after });
        let attributes = Notes::from([("RedrivePolicy".to_owned(), policy.to_string())]);
        Ok(ops::queues::change(&self.front, &queue, &attributes)?)
    }

    /// The place of an ARN's queue, if it exists.
    pub fn resolve(&self, arn: &str) -> Option<SubscriptionId> {
        self.front.by_arn(arn).map(|queue| queue.id.only())
    }

    /// Where an ARN's queue would be. `None`: that is no queue's ARN of this region.
    pub fn place(&self, arn: &str) -> Option<TopicId> {
        names::from_arn(arn, &self.front.scope)
    }

    pub fn queues(&self) -> &Queues {
        self.front.queues()
    }

    /// Whether an ARN means a FIFO queue.
    pub fn is_fifo(arn: &str) -> bool {
        arn.ends_with(names::FIFO)
    }

    /// How long a queue's messages stay hidden that were received, in seconds.
    pub fn visibility(&self, id: &SubscriptionId) -> Option<u64> {
        self.front.queues().settings(id).ok().map(|settings| settings.lease.as_secs())
    }

    /// Sends a message that a service of ours writes; a FIFO queue wants a group.
    pub fn deliver(&self, arn: &str, letter: Letter) -> Result<(), QueueFault> {
        let queue = self.front.by_arn(arn).ok_or_else(Fault::no_queue)?;
        let fifo = attributes::is_fifo(&queue.notes);
        if fifo && letter.group.is_none() {
            return Err(Fault::missing("MessageGroupId").into());
        }
        let sender = ("SenderId", "AIDAJQR6QDGQ7PATMSYEY".to_owned());
        let by_body = || objects::hex(&sha2::Sha256::digest(&letter.body));
        let dedupe = fifo.then(|| letter.once.clone().unwrap_or_else(by_body));
        let message = NewMessage {
            notes: [sender].into(),
            attributes: letter.attributes.into(),
            group: letter.group.map(Arc::from),
            once: dedupe.clone().map(Arc::from),
            dedupe: dedupe.map(Arc::from),
            ..NewMessage::of(letter.body, letter.cause)
        };
        self.front.queues().send(&queue.id, message).map_err(Fault::from)?;
        Ok(())
    }

    /// Answers one request, whatever is wrong with it.
    pub async fn handle(&self, request: Request<Body>) -> Response {
        let front = &*self.front;
        let arrived = match Arrived::read(request, front).await {
            Ok(arrived) => arrived,
            Err((call, fault)) => return encode::fault(&call, &fault),
        };
        let Arrived { call, action, input } = arrived;
        let Some(operation) = Operation::named(&action) else {
            let what = What::Unsupported { service: "sqs".into(), operation: action.clone() };
            front.parts.sink.send(front.queues().clock().now(), Subject::default(), what);
            let text = format!("The action {action} is not valid for this endpoint.");
            return encode::fault(&call, &Fault::new(Code::InvalidAction, text));
        };
        let result = ops::run(&self.front, &call, operation, &input).await;
        result.unwrap_or_else(|fault| encode::fault(&call, &fault))
    }
}

/// Queues alone, for an S3 that has nothing else around it.
impl Reach for Sqs {
    fn has(&self, arn: &str) -> bool {
        self.resolve(arn).is_some()
    }

    fn send<'a>(&'a self, arn: &'a str, letter: Letter) -> Boxed<'a, Result<(), Lost>> {
        Box::pin(async move { self.deliver(arn, letter).map_err(|fault| Lost::because(fault.why)) })
    }
}
