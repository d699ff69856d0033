//! Azure's listeners as the daemon sees them: functions, Blob Storage and Queue Storage.

use super::{Cloud, Saved};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Request;
use http::request::Parts;
use mlemu_core::declare::{BucketDeclaration, FunctionDeclaration, QueueDeclaration, ResourceDeclaration};
use mlemu_core::{Environment, FunctionFailure, FunctionId, Record, Strain};
use mlemu_engine::faults::{Asked, Trouble};
use std::net::SocketAddr;

impl Cloud for mlemu_azure::Azure {
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

    fn restore(&self, _saved: &Saved) {
        self.resume();
    }

    fn stop(&self) {
        self.stop();
    }

    fn known(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.known())
    }

    fn declare_bucket<'a>(&'a self, bucket: &'a BucketDeclaration) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.declare_container(bucket))
    }

    fn declare_queues(&self, queues: &[&QueueDeclaration]) -> Result<(), String> {
        self.declare_queues(queues.iter().map(|queue| queue.name.as_str()))
    }

    fn declare_resources(&self, resources: &[&ResourceDeclaration]) -> Result<(), String> {
        self.declare_resources(resources)
    }

    fn lines(&self, record: &Record) -> Vec<String> {
        self.lines(record)
    }

    fn failure(&self, failure: &FunctionFailure, _invocation: &str) -> Bytes {
        Self::failure(failure)
    }

    fn function_url(&self, _address: SocketAddr, function: &FunctionId) -> Option<String> {
        self.function_url(function)
    }

    fn asked(&self, parts: &Parts, _body: &[u8]) -> Asked {
        mlemu_azure::trouble::asked(parts)
    }

    fn troubled(&self, _asked: &Asked, _parts: &Parts, trouble: Trouble) -> Response<Body> {
        mlemu_azure::trouble::answer(trouble)
    }

    fn environment(&self, _address: SocketAddr) -> Environment {
        self.environment()
    }
}

impl Cloud for mlemu_azure::BlobStorage {
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

    fn withdraw(&self, _function: &FunctionId) {}

    fn declare_bucket<'a>(&'a self, bucket: &'a BucketDeclaration) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.declare_container(bucket))
    }

    fn lines(&self, _record: &Record) -> Vec<String> {
        Vec::new()
    }

    fn failure(&self, failure: &FunctionFailure, _invocation: &str) -> Bytes {
        mlemu_azure::Azure::failure(failure)
    }

    fn asked(&self, parts: &Parts, _body: &[u8]) -> Asked {
        mlemu_azure::trouble::of_blobs(parts)
    }

    fn troubled(&self, _asked: &Asked, _parts: &Parts, trouble: Trouble) -> Response<Body> {
        mlemu_azure::trouble::storage_answer(trouble)
    }

    fn environment(&self, _address: SocketAddr) -> Environment {
        self.environment()
    }
}

impl Cloud for mlemu_azure::QueueStorage {
    fn bound(&self, _address: SocketAddr) {}

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

    fn withdraw(&self, _function: &FunctionId) {}

    fn declare_bucket<'a>(&'a self, bucket: &'a BucketDeclaration) -> BoxFuture<'a, Result<(), String>> {
        let why = format!("queues hold no containers: {}", bucket.name);
        Box::pin(std::future::ready(Err(why)))
    }

    fn declare_queues(&self, queues: &[&QueueDeclaration]) -> Result<(), String> {
        self.declare_queues(queues.iter().map(|queue| queue.name.as_str()))
    }

    fn lines(&self, _record: &Record) -> Vec<String> {
        Vec::new()
    }

    fn failure(&self, failure: &FunctionFailure, _invocation: &str) -> Bytes {
        mlemu_azure::Azure::failure(failure)
    }

    fn asked(&self, parts: &Parts, _body: &[u8]) -> Asked {
        mlemu_azure::trouble::of_queues(parts)
    }

    fn troubled(&self, _asked: &Asked, _parts: &Parts, trouble: Trouble) -> Response<Body> {
        mlemu_azure::trouble::storage_answer(trouble)
    }

    fn environment(&self, _address: SocketAddr) -> Environment {
        self.environment()
    }
}
