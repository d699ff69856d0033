//! Queue Storage: the REST API of queues and messages, over the engine's queue core.
//!
//! [`routes`] says what a request asks for, [`wire`] has the vendor's spelling, [`fault`] its errors, and [`feed`]
//! takes messages from a queue to a function and from a function to a queue.
//!
//! Source: Azure Storage documentation, "Queue Storage REST API".

mod fault;
pub(crate) mod feed;
mod ops;
mod routes;
mod trouble;
mod wire;

use crate::place::Place;
use axum::body::Body;
use axum::response::Response;
use fault::{Code, Fault};
use http::request::Parts;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Limited};
use mlemu_core::declare::FunctionDeclaration;
use mlemu_core::{Environment, FunctionId, Strain};
use mlemu_engine::Ground;
use mlemu_engine::faults::{Asked, Trouble};
use mlemu_engine::queues::{Fault as Core, Notes, Queues, Settings, TopicId};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Where the vendor's own emulator listens.
pub const PORT: u16 = 10_001;
/// The account that every SDK knows for an emulator, and its published key.
pub(crate) const ACCOUNT: &str = "devstoreaccount1";
pub(crate) const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// Largest request, in bytes: a message in base64 and XML.
const LARGEST: usize = 256 * 1024;
/// How long a message lives where nobody says.
const RETENTION: Duration = Duration::from_hours(7 * 24);

/// The service.
#[derive(Clone)]
pub struct QueueStorage {
    queues: Queues,
    place: Place,
    address: Arc<OnceLock<SocketAddr>>,
}

impl QueueStorage {
    pub fn new(ground: Ground) -> Arc<Self> {
        let place = Place::new(&ground.account, &ground.region, &ground.prefix);
        Arc::new(Self { queues: ground.queues, place, address: Arc::default() })
    }

    /// Told once where the listener is.
    pub fn bound(&self, address: SocketAddr) {
        let _ = self.address.set(address);
    }

    pub async fn answer(&self, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        if !self.place.is_account(routes::account(&parts)) {
            return Fault::from(Code::ResourceNotFound).response();
        }
        let request_id = self.queues.ids().fresh("queue request").uuid();
        let answered = match Limited::new(body, LARGEST).collect().await {
            Ok(body) => self.run(&parts, body.to_bytes(), &request_id).await,
            Err(_) => Err(Code::RequestBodyTooLarge.into()),
        };
        let mut response = answered.unwrap_or_else(|fault| fault.response());
        let headers = response.headers_mut();
        // Whatever version a client speaks, it is answered in: newer ones add what it would not ask for.
        let version = parts.headers.get("x-ms-version").cloned();
        headers.insert("x-ms-version", version.unwrap_or(HeaderValue::from_static("2026-10-06")));
        if let Some(id) = parts.headers.get("x-ms-client-request-id") {
            headers.insert("x-ms-client-request-id", id.clone());
        }
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            headers.insert("x-ms-request-id", id);
        }
        response
    }

    fn topic(&self, name: &str) -> TopicId {
        TopicId::new(&self.place.scope, name)
    }

    /// No function is of this service.
    pub fn declare(&self, function: &FunctionDeclaration) -> Result<FunctionId, String> {
        Err(format!("`{}`: functions are of `azure`", function.name))
    }

    /// Makes declared queues exist.
    pub fn declare_queues<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
        let made = |name| ensure(&self.queues, &self.topic(name)).map_err(|fault| fault.to_string());
        names.into_iter().try_for_each(made)
    }

    /// What a client is told that the service could not hear out.
    pub fn apology(strain: Strain) -> Response {
        Fault::from(match strain {
            Strain::Slow => Code::OperationTimedOut,
            Strain::Crowded => Code::ServerBusy,
        })
        .response()
    }

    /// What a request asks for, for tests that ask for trouble.
    pub fn asked(parts: &Parts) -> Asked {
        trouble::asked(parts)
    }

    /// How a request is refused because a test asked for it.
    pub fn troubled(trouble: Trouble) -> Response {
        trouble::answer(trouble)
    }

    /// The account that a request names, where it is not the one that every SDK knows.
    pub fn account(parts: &Parts) -> Option<&str> {
        Some(routes::account(parts)).filter(|account| !account.is_empty() && *account != ACCOUNT)
    }

    /// Variables for client libraries and tools outside of functions.
    pub fn environment(&self) -> Environment {
        let text = self.address.get().map(|address| connection(*address, self.place.prefix()));
        text.map(|text| ("AZURE_STORAGE_CONNECTION_STRING".to_owned(), text)).into_iter().collect()
    }
}

/// What points an SDK here.
pub(crate) fn connection(address: SocketAddr, prefix: &str) -> String {
    format!(
        "DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};QueueEndpoint=http://{address}{prefix}/{ACCOUNT};"
    )
}

/// Makes a queue that is not there yet.
pub(crate) fn ensure(queues: &Queues, id: &TopicId) -> Result<(), Core> {
    match queues.create_queue(id, settings(), Notes::new(), Notes::new()) {
        Err(Core::TopicExists { .. }) => Ok(()),
        made => made,
    }
}

fn settings() -> Settings {
    Settings { retention: Some(RETENTION), ..Settings::default() }
}
