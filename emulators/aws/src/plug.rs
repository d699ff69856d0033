//! The whole of this cloud behind one port: which service a request is for, and what a project declares.

use crate::lambda::{FetchFault, Lambda, Settings};
use crate::runtime_api::{LambdaRuntime, Surroundings};
use axum::body::Body;
use axum::response::Response;
use http::Request;
use http::request::Parts;
use mlemu_core::declare::{BucketDeclaration, FunctionDeclaration, TriggerDeclaration};
use mlemu_core::{Environment, FunctionId, InvocationId, Record, Runtime};
use mlemu_engine::Engine;
use mlemu_engine::objects::Objects;
use mlemu_engine::triggers::{TriggerParts, Triggers};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// What this cloud lives on.
#[derive(Clone)]
pub struct Ground {
    pub engine: Engine,
    pub objects: Objects,
    /// Files for instances, such as the stand-in for Node's native addon.
    pub folder: PathBuf,
    pub region: String,
    pub account: String,
    pub strict_auth: bool,
    /// Watch declared sources.
    pub watch: bool,
}

/// The services, plugged together.
pub struct Aws {
    lambda: Arc<Lambda>,
    runtime: Arc<LambdaRuntime>,
    settings: Arc<Settings>,
    watch: bool,
}

impl Aws {
    /// Must be called inside a tokio runtime: the triggers' reading task starts here.
    pub fn new(ground: Ground) -> Arc<Self> {
        let settings = Arc::new(Settings::new(&ground.account, &ground.region));
        let runtime = Arc::new(LambdaRuntime::new(Surroundings {
            account: ground.account.clone(),
            region: ground.region.clone(),
            folder: ground.folder,
        }));
        let lambda = Arc::new(Lambda::new(Arc::new(ground.engine), runtime.clone(), settings.clone(), Arc::new(|_,_,_| Box::pin(async { Err(FetchFault::NoSuchBucket) }))));
        Arc::new(Self { lambda, runtime, settings, watch: ground.watch })
    }

    /// Told once where the listener is; functions and URLs point there from then on.
    pub fn bound(&self, address: SocketAddr) {
        self.runtime.set_endpoint(&format!("http://{address}"));
        self.settings.set_port(address.port());
    }

    /// Routes that a project declared come before S3's catch-all, but never before a signed request.
    pub async fn answer(&self, request: Request<Body>) -> Response {
        self.lambda.handle(request).await
    }

    pub fn admits_origin(&self, parts: &Parts) -> bool {
        false
    }

    /// Makes a declared function real, with its routes and triggers.
    pub fn declare(&self, function: &FunctionDeclaration) -> Result<FunctionId, String> {
        let revision = self.lambda.declare(function, self.watch);
        let id = revision.function.clone();
        Ok(id)
    }

    pub fn withdraw(&self, function: &FunctionId) {
        self.lambda.forget(function);
    }

    pub async fn declare_bucket(&self, bucket: &BucketDeclaration) -> Result<(), String> {
        Ok(())
    }

    /// Lambda's own log lines for a record.
    pub fn lines(&self, record: &Record) -> Vec<String> {
        self.runtime.lines(record)
    }

    /// Variables for SDKs and tools outside of functions. No session token: a stale one of the shell would win.
    pub fn environment(&self, address: SocketAddr) -> Environment {
        let pairs = [
            ("AWS_ENDPOINT_URL", format!("http://{address}")),
            ("AWS_ACCESS_KEY_ID", self.settings.account.clone()),
            ("AWS_SECRET_ACCESS_KEY", "mlemu".into()),
            ("AWS_REGION", self.settings.region.clone()),
            ("AWS_DEFAULT_REGION", self.settings.region.clone()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

