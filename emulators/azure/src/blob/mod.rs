//! Blob Storage: the REST API of containers and blobs, over the engine's object core.
//!
//! [`routes`] says what a request asks for, [`call`] who asks and for what, [`ops`] does it. [`facts`] is what is known
//! of a blob beside its bytes, with its [`lease`]; [`conditions`] are those of requests, [`headers`] and [`wire`] have
//! the vendor's spelling, [`receive`] takes bodies in. `events` (beside it) tells of changes, `bindings` takes blobs to functions
//! and from them.
//!
//! Source: Azure Storage documentation, "Blob Storage REST API".

mod call;
mod conditions;
pub(crate) mod facts;
mod headers;
mod lease;
mod ops;
mod receive;
pub(crate) mod routes;
#[cfg(test)]
pub(crate) mod tests;
mod wire;

use crate::storage;
use crate::storage::account::Accounts;
use crate::storage::address::Address;
use crate::storage::answer::{self, RequestId};
use crate::storage::cors::Page;
use crate::storage::fault::{Fault, code};
use crate::storage::sas::Service;
use axum::body::Body;
use axum::response::Response;
use call::Call;
use http::Request;
use http::request::Parts;
use mlemu_core::declare::{BucketDeclaration, FunctionDeclaration};
use mlemu_core::{Clock, Environment, FunctionId, Strain};
use mlemu_engine::Ground;
use mlemu_engine::objects::{BucketId, Objects};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

/// Where the vendor's own emulator listens.
pub const PORT: u16 = 10_000;

/// The operations of the vendor's API, and whether they are here.
pub fn coverage() -> impl Iterator<Item = (&'static str, bool)> {
    let here = routes::Operation::ALL.iter().map(|operation| (operation.name(), true));
    here.chain(["PreflightBlobRequest"].map(|name| (name, true)))
        .chain(routes::MISSING.map(|name| (name, false)))
}

/// The service. A cheap handle; clones share everything.
#[derive(Clone)]
pub struct BlobStorage {
    pub(crate) objects: Objects,
    pub(crate) accounts: Accounts,
    clock: Arc<dyn Clock>,
    strict: bool,
    address: Arc<OnceLock<SocketAddr>>,
    /// What points an SDK to this machine's storage.
    connection: Arc<str>,
}

impl BlobStorage {
    pub fn new(ground: Ground) -> Arc<Self> {
        Arc::new(Self::on(&ground))
    }

    /// The service on a cloud's ground, also for those who use it without its listener.
    pub(crate) fn on(ground: &Ground) -> Self {
        let address = OnceLock::new();
        if let Some(at) = ground.fronts.get(crate::BLOB_FRONT) {
            let _ = address.set(*at);
        }
        Self {
            objects: ground.objects.clone(),
            accounts: storage::accounts(ground),
            connection: storage::connection(ground).into(),
            clock: ground.engine.parts().clock.clone(),
            strict: ground.strict_auth,
            address: Arc::new(address),
        }
    }

    /// Told once where the listener is.
    pub fn bound(&self, address: SocketAddr) {
        let _ = self.address.set(address);
    }

    /// Where blobs of the scope's own account are, as events and functions name it.
    pub(crate) fn base(&self) -> String {
        let at = self.address.get().copied().unwrap_or_else(|| ([127, 0, 0, 1], PORT).into());
        format!("http://{at}{}/{}", self.accounts.prefix(), self.accounts.own())
    }

    pub async fn answer(&self, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let parts = Arc::new(parts);
        let id = RequestId(self.objects.ids().fresh("blob request").uuid());
        let page = self.page(&parts);
        let answered = match page.as_ref().and_then(Page::preflight) {
            Some(answered) => answered,
            None => self.serve(&parts, body, &id).await,
        };
        let mut response = answer::finished(answered, &parts, &id, self.clock.now());
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
        Page::of(parts, &self.objects, &self.accounts, Service::Blob)
    }

    async fn serve(&self, parts: &Arc<Parts>, body: Body, id: &RequestId) -> Result<Response, Fault> {
        answer::check_version(parts)?;
        let address = Address::read(parts).ok_or(code::InvalidUri)?;
        let asked = routes::asked(parts, &address)?;
        let operation = asked.operation;
        let call = Call::read(self, parts, &address, asked, id)?;
        self.run(&call, operation, body).await
    }

    pub(crate) fn bucket(&self, account: &str, container: &str) -> BucketId {
        BucketId::new(&self.accounts.scope(account), container)
    }

    /// No function is of this service.
    pub fn declare(&self, function: &FunctionDeclaration) -> Result<FunctionId, String> {
        Err(format!("`{}`: functions are of `azure`", function.name))
    }

    /// Makes a declared container exist, with the files of its folder in it.
    pub async fn declare_container(&self, declared: &BucketDeclaration) -> Result<(), String> {
        let bucket = self.ensure(self.accounts.own(), &declared.name).map_err(|fault| fault.to_string())?;
        match &declared.seed {
            Some(folder) => ops::seed::folder(self, &bucket, folder).await.map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    /// Makes a container that is not there yet.
    pub(crate) fn ensure(&self, account: &str, container: &str) -> Result<BucketId, Fault> {
        routes::check_container(container)?;
        let bucket = self.bucket(account, container);
        if self.objects.bucket(&bucket).is_err() {
            self.make(account, container, std::collections::BTreeMap::default())?;
        }
        Ok(bucket)
    }

    /// What a client is told that the service could not hear out.
    pub fn apology(strain: Strain) -> Response {
        answer::apology(strain)
    }

    /// Variables for client libraries and tools outside of functions.
    pub fn environment(&self) -> Environment {
        Environment::from([("AZURE_STORAGE_CONNECTION_STRING".to_owned(), self.connection.to_string())])
    }
}
