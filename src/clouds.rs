//! The only list of clouds, and what the daemon wants of each.

mod azure;

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{Request, Response};
use mlemu_aws::schedule::Expression;
use mlemu_core::declare::{BucketDeclaration, FunctionDeclaration, QueueDeclaration, ResourceDeclaration};
use mlemu_core::profile::ProfileError;
use mlemu_core::{Environment, FunctionFailure, FunctionId, Profile, Record, Strain};
use mlemu_engine::faults::{Asked, Trouble};
use mlemu_engine::schedules::{Event, Next};
use mlemu_engine::{Ground, Ids};
use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A cloud's own part of a snapshot, which only that cloud can read.
pub type Saved = Arc<dyn Any + Send + Sync>;

/// One cloud, plugged in.
pub trait Cloud: Send + Sync {
    /// Told once where its listener is.
    fn bound(&self, address: SocketAddr);
    fn answer(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>>;
    /// Whether the request's target lets in the web page that sent it.
    fn admits_origin(&self, parts: &Parts) -> bool;
    /// What a client is told that no service could hear out. `None`: it did not even send its head.
    fn apology(&self, strain: Strain, parts: Option<&Parts>) -> Response<Body>;
    /// Makes a declared function real. `Err` says why the vendor would refuse it.
    fn declare(&self, function: &FunctionDeclaration) -> Result<FunctionId, String>;
    fn withdraw(&self, function: &FunctionId);
    /// Completes when the functions of all that was declared are known, or cannot be.
    fn known(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
    fn declare_bucket<'a>(&'a self, bucket: &'a BucketDeclaration) -> BoxFuture<'a, Result<(), String>>;
    /// Makes sure that declared queues exist: all of them, since one may name another.
    fn declare_queues(&self, queues: &[&QueueDeclaration]) -> Result<(), String> {
        let names: Vec<_> = queues.iter().map(|queue| queue.name.as_str()).collect();
        Err(format!("mlemu does not have queues or topics of this cloud yet: {}", names.join(", ")))
    }
    /// Makes what only this cloud has exist as it is declared: all of it, and nothing that was declared before and
    /// is not any more.
    fn declare_resources(&self, _resources: &[&ResourceDeclaration]) -> Result<(), String> {
        Ok(())
    }
    /// What this vendor's log says for a record.
    fn lines(&self, record: &Record) -> Vec<String>;
    /// The document that a caller gets for a failure.
    fn failure(&self, failure: &FunctionFailure, invocation: &str) -> Bytes;
    /// What of this cloud is in none of the shared cores, as it is now.
    fn saved(&self) -> Saved {
        Arc::new(())
    }
    /// Goes back to it, after the shared cores have gone back.
    fn restore(&self, _saved: &Saved) {}
    /// Goes on with what was there when the daemon ended, where a store has kept that.
    fn awake(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
    /// Takes no more messages.
    fn stop(&self) {}
    /// Where an SDK or a tool invokes a function by HTTP.
    fn function_url(&self, _address: SocketAddr, _function: &FunctionId) -> Option<String> {
        None
    }
    /// Where a function has whatever is asked below to itself, without a slash at the end; `None`: nowhere.
    fn root_of(&self, _function: &str) -> Option<String> {
        None
    }
    /// Whether a host is a name of this cloud's own, which only its vendor can give to an address.
    fn is_host(&self, _host: &str) -> bool {
        false
    }
    /// The trace that a header of this vendor stands for; `None`: it is none of its headers.
    fn trace(&self, _header: &str) -> Option<String> {
        None
    }
    /// When a schedule of this vendor comes, and the event that it brings; `None`: it has none like that.
    fn schedule(&self, _function: &FunctionId, _id: &str, _expression: &str) -> Option<(Next, Event)> {
        None
    }
    /// What a request asks for.
    fn asked(&self, parts: &Parts, body: &[u8]) -> Asked;
    /// How this vendor refuses it.
    fn troubled(&self, asked: &Asked, parts: &Parts, trouble: Trouble) -> Response<Body>;
    /// How this vendor says that nothing more can be written; `why` is for people.
    fn full(&self, asked: &Asked, parts: &Parts, _why: &str) -> Response<Body> {
        self.troubled(asked, parts, Trouble::Full)
    }
    /// Variables that point this vendor's SDKs here.
    fn environment(&self, address: SocketAddr) -> Environment;
}

/// A cloud that can be plugged in.
pub struct Kind {
    pub name: &'static str,
    /// Where its SDKs and tools look for an emulator.
    pub port: u16,
    pub plug: fn(Ground) -> Arc<dyn Cloud>,
    /// Its products as dated data, each a file of [`mlemu_core::Profile`].
    pub profiles: &'static [&'static str],
    /// The account, project or subscription that a request names as a scope.
    pub account: fn(&Parts) -> Option<&str>,
}

impl Kind {
    /// Whether it is opened for what is declared of `cloud`: a cloud may have several listeners.
    pub fn serves(&self, cloud: &str) -> bool {
        self.name.strip_prefix(cloud).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

pub const CLOUDS: &[Kind] = &[
    Kind {
        name: "aws",
        port: 4566,
        plug: |ground| mlemu_aws::Aws::new(ground),
        profiles: mlemu_aws::profile::PROFILES,
        account: mlemu_aws::auth::account,
    },
    Kind {
        name: "gcp",
        port: 8085,
        plug: |ground| mlemu_gcp::Gcp::new(ground),
        profiles: mlemu_gcp::profile::PROFILES,
        account: mlemu_gcp::scope::project,
    },
    Kind {
        name: "azure",
        port: mlemu_azure::PORT,
        plug: |ground| mlemu_azure::Azure::new(ground),
        profiles: mlemu_azure::profile::PROFILES,
        account: |_| None,
    },
    Kind {
        name: mlemu_azure::BLOB_FRONT,
        port: mlemu_azure::blob::PORT,
        plug: |ground| mlemu_azure::BlobStorage::new(ground),
        profiles: &[],
        account: mlemu_azure::storage_account,
    },
    Kind {
        name: mlemu_azure::QUEUE_FRONT,
        port: mlemu_azure::queue::PORT,
        plug: |ground| mlemu_azure::QueueStorage::new(ground),
        profiles: &[],
        account: mlemu_azure::storage_account,
    },
];

/// What is known of all clouds' products.
pub fn profiles() -> Result<Vec<Profile>, ProfileError> {
    CLOUDS.iter().flat_map(|kind| kind.profiles).map(|text| Profile::read(text)).collect()
}

impl Cloud for mlemu_aws::Aws {
    fn bound(&self, address: SocketAddr) {
        self.bound(address);
    }

    fn answer(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(self.answer(request))
    }

    fn admits_origin(&self, parts: &Parts) -> bool {
        self.admits_origin(parts)
    }

    fn apology(&self, strain: Strain, parts: Option<&Parts>) -> Response<Body> {
        mlemu_aws::apology::of(strain, parts)
    }

    fn declare(&self, function: &FunctionDeclaration) -> Result<FunctionId, String> {
        self.declare(function)
    }

    fn withdraw(&self, function: &FunctionId) {
        self.withdraw(function);
    }

    fn declare_bucket<'a>(&'a self, bucket: &'a BucketDeclaration) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.declare_bucket(bucket))
    }

    fn declare_queues(&self, queues: &[&QueueDeclaration]) -> Result<(), String> {
        self.declare_queues(queues)
    }

    fn declare_resources(&self, resources: &[&ResourceDeclaration]) -> Result<(), String> {
        self.declare_resources(resources)
    }

    fn lines(&self, record: &Record) -> Vec<String> {
        self.lines(record)
    }

    fn failure(&self, failure: &FunctionFailure, invocation: &str) -> Bytes {
        mlemu_aws::lambda::ending::body(failure, invocation)
    }

    fn saved(&self) -> Saved {
        Arc::new(self.saved())
    }

    fn restore(&self, saved: &Saved) {
        if let Some(saved) = saved.downcast_ref() {
            self.restore(saved);
        }
    }

    fn awake(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.awake())
    }

    fn stop(&self) {
        self.stop();
    }

    fn function_url(&self, address: SocketAddr, function: &FunctionId) -> Option<String> {
        Some(format!("http://{address}/2015-03-31/functions/{}/invocations", function.name))
    }

    fn trace(&self, header: &str) -> Option<String> {
        header.contains('=').then(|| mlemu_aws::trace::of(header).to_owned())
    }

    fn schedule(&self, function: &FunctionId, id: &str, expression: &str) -> Option<(Next, Event)> {
        let read = Expression::read(expression)?;
        let (function, id) = (function.clone(), id.to_owned());
        let event = move |at, ids: &Ids| mlemu_aws::schedule::event(&function, &id, at, ids.fresh("event"));
        Some((Arc::new(move |after| read.next(after)), Arc::new(event)))
    }

    fn asked(&self, parts: &Parts, body: &[u8]) -> Asked {
        mlemu_aws::trouble::asked(parts, body)
    }

    fn troubled(&self, asked: &Asked, parts: &Parts, trouble: Trouble) -> Response<Body> {
        mlemu_aws::trouble::answer(asked, parts, trouble, self.ids())
    }

    fn full(&self, asked: &Asked, parts: &Parts, why: &str) -> Response<Body> {
        mlemu_aws::trouble::full(asked, parts, why, self.ids())
    }

    fn environment(&self, address: SocketAddr) -> Environment {
        self.environment(address)
    }
}

impl Cloud for mlemu_gcp::Gcp {
    fn bound(&self, address: SocketAddr) {
        self.bound(address);
    }

    fn answer(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(self.answer(request))
    }

    fn admits_origin(&self, parts: &Parts) -> bool {
        self.admits_origin(parts)
    }

    fn apology(&self, strain: Strain, _parts: Option<&Parts>) -> Response<Body> {
        Self::apology(strain)
    }

    fn declare(&self, function: &FunctionDeclaration) -> Result<FunctionId, String> {
        self.declare(function)
    }

    fn withdraw(&self, function: &FunctionId) {
        self.withdraw(function);
    }

    fn declare_bucket<'a>(&'a self, bucket: &'a BucketDeclaration) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.declare_bucket(bucket))
    }

    fn declare_queues(&self, queues: &[&QueueDeclaration]) -> Result<(), String> {
        self.declare_topics(queues.iter().map(|queue| queue.name.as_str()))
    }

    fn declare_resources(&self, resources: &[&ResourceDeclaration]) -> Result<(), String> {
        self.declare_resources(resources)
    }

    fn known(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.known())
    }

    fn lines(&self, record: &Record) -> Vec<String> {
        self.lines(record)
    }

    fn failure(&self, failure: &FunctionFailure, _invocation: &str) -> Bytes {
        Self::failure(failure)
    }

    fn saved(&self) -> Saved {
        Arc::new(self.saved())
    }

    fn restore(&self, saved: &Saved) {
        if let Some(saved) = saved.downcast_ref() {
            self.restore(saved);
        }
    }

    fn awake(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.awake() })
    }

    fn stop(&self) {
        self.stop();
    }

    fn function_url(&self, _address: SocketAddr, function: &FunctionId) -> Option<String> {
        Some(self.function_url(function))
    }

    fn root_of(&self, function: &str) -> Option<String> {
        Some(self.root_of(function))
    }

    fn is_host(&self, host: &str) -> bool {
        self.is_host(host)
    }

    fn asked(&self, parts: &Parts, _body: &[u8]) -> Asked {
        mlemu_gcp::trouble::asked(parts)
    }

    fn troubled(&self, asked: &Asked, parts: &Parts, trouble: Trouble) -> Response<Body> {
        mlemu_gcp::trouble::answer(asked, parts, trouble)
    }

    fn full(&self, asked: &Asked, parts: &Parts, why: &str) -> Response<Body> {
        mlemu_gcp::trouble::full(asked, parts, why)
    }

    fn environment(&self, address: SocketAddr) -> Environment {
        self.environment(address)
    }
}

/// What a function has in memory, in bytes: as it was said, or as its cloud gives when nothing is said.
pub fn memory_of(function: &FunctionDeclaration) -> Option<u64> {
    function.memory.or_else(|| usual(&function.cloud).map(|(memory, _)| memory))
}

/// How long a call of it may take, in the same way.
pub fn timeout_of(function: &FunctionDeclaration) -> Option<Duration> {
    function.timeout.or_else(|| usual(&function.cloud).map(|(_, timeout)| timeout))
}

fn usual(cloud: &str) -> Option<(u64, Duration)> {
    match cloud {
        "aws" => Some((mlemu_aws::profile::DEFAULT_MEMORY, mlemu_aws::profile::DEFAULT_TIMEOUT)),
        "gcp" => Some((mlemu_gcp::profile::DEFAULT_MEMORY, mlemu_gcp::profile::DEFAULT_TIMEOUT)),
        "azure" => Some((mlemu_azure::profile::DEFAULT_MEMORY, mlemu_azure::profile::DEFAULT_TIMEOUT)),
        _ => None,
    }
}

/// Whether a declared function is an app with functions of their own names, which are known by running it.
pub fn has_parts(function: &FunctionDeclaration) -> bool {
    function.cloud == "azure"
}
