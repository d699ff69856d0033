//! Queue Storage: the REST API of queues and messages, over the engine's queue core.
//!
//! [`routes`] says what a request asks for, [`wire`] has the vendor's spelling, and [`feed`]
//! takes messages from a queue to a function and from a function to a queue.
//!
//! Source: Azure Storage documentation, "Queue Storage REST API".

pub(crate) mod feed;
mod ops;
pub(crate) mod routes;
#[cfg(test)]
mod tests;
mod wire;

use crate::storage::account::{Accounts, primary};
use crate::storage::address::Address;
use crate::storage::allow::{Bearer, Grant};
use crate::storage::answer::{self, RequestId};
use crate::storage::cors::Page;
use crate::storage::fault::{Fault, code};
use crate::storage::sas::{Resource, Service};
use crate::storage::{self, policy};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::Request;
use http::request::Parts;
use mlemu_core::declare::FunctionDeclaration;
use mlemu_core::{Environment, FunctionId, Scope, Strain, Timestamp};
use mlemu_engine::Ground;
use mlemu_engine::objects::Objects;
use mlemu_engine::queues::{Fault as Core, Message, Notes, Queues, Settings, TopicId};
use std::sync::Arc;
use std::time::Duration;

/// Where the vendor's own emulator listens.
pub const PORT: u16 = 10_001;
/// Largest request, in bytes: a message in base64 and XML.
const LARGEST: usize = 256 * 1024;
/// How long a message lives where nobody says.
const RETENTION: Duration = Duration::from_hours(7 * 24);
/// When a message ends that lives for ever: the last time of day that can be written.
const NEVER: Timestamp = Timestamp(253_402_207_200_000_000);
/// What a queue keeps of its stored policies.
const POLICIES: &str = "policies";

/// The operations of the vendor's API, all of which are here.
pub fn coverage() -> impl Iterator<Item = &'static str> {
    routes::NAMES.into_iter()
}

/// The service.
#[derive(Clone)]
pub struct QueueStorage {
    queues: Queues,
    /// What is said of the service as a whole.
    objects: Objects,
    accounts: Accounts,
    /// What points an SDK to this machine's storage.
    connection: Arc<str>,
    strict: bool,
}

impl QueueStorage {
    pub fn new(ground: Ground) -> Arc<Self> {
        let (accounts, connection) = (storage::accounts(&ground), storage::connection(&ground).into());
        let strict = ground.strict_auth;
        Arc::new(Self { queues: ground.queues, objects: ground.objects, accounts, connection, strict })
    }

    pub async fn answer(&self, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let id = RequestId(self.queues.ids().fresh("queue request").uuid());
        let page = self.page(&parts);
        let answered = match (page.as_ref().and_then(Page::preflight), answer::whole(body, LARGEST).await) {
            (Some(answered), _) => answered,
            (None, Ok(body)) => self.serve(&parts, body, &id).await,
            (None, Err(fault)) => Err(fault),
        };
        let mut response = answer::finished(answered, &parts, &id, self.queues.clock().now());
        if let Some(page) = page {
            page.tell(&mut response);
        }
        response
    }

    /// Whether the service's rules let in the web page that sends a request.
    pub fn admits_origin(&self, parts: &Parts) -> bool {
        self.page(parts).is_some_and(|page| page.is_known())
    }

    fn page<'a>(&self, parts: &'a Parts) -> Option<Page<'a>> {
        Page::of(parts, &self.objects, &self.accounts, Service::Queue)
    }

    async fn serve(&self, parts: &Parts, body: Bytes, id: &RequestId) -> Result<Response, Fault> {
        answer::check_version(parts)?;
        let address = Address::read(parts).ok_or(code::InvalidUri)?;
        let query = storage::address::query(parts);
        let asked = routes::asked(parts, &address, &query)?;
        let scope = self.accounts.scope(&address.account);
        let queue = address.split().0;
        let resource = Resource {
            service: Service::Queue,
            account: &address.account,
            container: queue,
            blob: "",
            snapshot: "",
        };
        let now = self.queues.clock().now();
        let bearer = Bearer { parts, query: &query, need: asked.need(), resource, now };
        let stored = |id: &str| {
            let view = self.queues.topic(&TopicId::new(&scope, queue)).ok()?;
            let all = policy::read(view.tags.get(POLICIES)?.as_bytes()).ok()?;
            all.into_iter().find(|policy| policy.id == id)
        };
        if bearer.grant(&self.accounts, self.strict, stored)? == Grant::Public {
            return Err(code::NoAuthenticationInformation.into());
        }
        let account = primary(&address.account).to_owned();
        let call = ops::Call { parts, query: &query, account, scope, cause: id.cause(parts), now };
        self.run(&call, asked, body).await
    }

    /// No function is of this service.
    pub fn declare(&self, function: &FunctionDeclaration) -> Result<FunctionId, String> {
        Err(format!("`{}`: functions are of `azure`", function.name))
    }

    /// Makes declared queues exist.
    pub fn declare_queues<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
        let scope: Arc<Scope> = self.accounts.scope(self.accounts.own());
        let made =
            |name| ensure(&self.queues, &TopicId::new(&scope, name)).map_err(|fault| fault.to_string());
        names.into_iter().try_for_each(made)
    }

    /// What a client is told that the service could not hear out.
    pub fn apology(strain: Strain) -> Response {
        storage::answer::apology(strain)
    }

    /// Variables for client libraries and tools outside of functions.
    pub fn environment(&self) -> Environment {
        Environment::from([("AZURE_STORAGE_CONNECTION_STRING".to_owned(), self.connection.to_string())])
    }
}

/// Makes a queue that is not there yet.
pub(crate) fn ensure(queues: &Queues, id: &TopicId) -> Result<(), Core> {
    match queues.create_queue(id, settings(), Notes::new(), Notes::new()) {
        Err(Core::TopicExists { .. }) => Ok(()),
        made => made,
    }
}

fn expires(message: &Message) -> Timestamp {
    message.expires.unwrap_or_else(|| message.enqueued.plus(RETENTION)).min(NEVER)
}

fn settings() -> Settings {
    Settings { retention: Some(RETENTION), ..Settings::default() }
}
