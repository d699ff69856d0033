//! The Lambda Runtime API: the pull protocol between Lambda and what runs inside an instance.
//!
//! Each instance has a listener of its own on the loopback interface, because clients read
//! `AWS_LAMBDA_RUNTIME_API` as plain `host:port`. [`desk`] is the state of one conversation, [`server`] its
//! HTTP side, and [`LambdaRuntime`] what the engine sees. Knows nothing of the Lambda API that users call.
//!
//! Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes".

mod clients;
mod desk;
mod environment;
mod lines;
pub mod names;
mod server;

use crate::runtime_api::desk::Desk;
use mlemu_core::runtime::{Command, Delivery, ReportedError, SessionReply, Unsupported};
use mlemu_core::{Boxed, Built, InstanceId, Needs, Record, Revision, Runtime, Session};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use tokio::task::AbortHandle;

/// What instances are told about their surroundings.
#[derive(Clone, Debug)]
pub struct Surroundings {
    pub account: String,
    pub region: String,
    /// Where the daemon may keep files for its instances, such as the stand-in for Node's native addon.
    pub folder: PathBuf,
}

/// Every Lambda runtime that speaks the Runtime API.
pub struct LambdaRuntime {
    surroundings: Surroundings,
    /// `http://127.0.0.1:PORT` of our own AWS listener; set once that is bound.
    endpoint: OnceLock<String>,
}

impl LambdaRuntime {
    pub fn new(surroundings: Surroundings) -> Self {
        Self { surroundings, endpoint: OnceLock::new() }
    }

    /// Tells where functions find the emulated AWS. Only the first call counts.
    pub fn set_endpoint(&self, endpoint: &str) {
        let _ = self.endpoint.set(endpoint.to_owned());
    }
}

/// Whether functions of `runtime` can run here.
pub(crate) fn can_run(runtime: &str) -> Result<(), Unsupported> {
    clients::can_run(runtime)
}

impl Runtime for LambdaRuntime {
    fn needs(&self, revision: &Revision) -> Result<Needs, Unsupported> {
        clients::needs(revision)
    }

    fn open<'a>(
        &'a self,
        revision: &'a Arc<Revision>,
        built: &'a Arc<Built>,
        instance: InstanceId,
    ) -> Boxed<'a, Result<Box<dyn Session>, std::io::Error>> {
        Box::pin(async move {
            let arn = arn(revision);
            let desk = Arc::new(Desk::new(arn, revision.limits.response, revision.limits.streamed_response));
            let (address, serving) = server::listen(desk.clone()).await?;
            let here = environment::Here {
                surroundings: &self.surroundings,
                endpoint: self.endpoint.get().map(String::as_str),
                runtime_api: address,
                instance,
            };
            let env = environment::of(revision, built, &here);
            let (program, args) = clients::command(revision, built, &self.surroundings.folder).await?;
            let command = Command { program, args, env, folder: built.code.clone() };
            Ok(Box::new(PullSession { command, desk, serving }) as Box<dyn Session>)
        })
    }

    fn profile(&self, _revision: &Revision) -> &'static str {
        "aws-lambda"
    }

    fn lines(&self, record: &Record) -> Vec<String> {
        lines::of(record)
    }
}

/// Without a qualifier.
fn arn(revision: &Revision) -> String {
    let (scope, name) = (&revision.function.scope, &revision.function.name);
    format!("arn:aws:lambda:{}:{}:function:{name}", scope.region, scope.account)
}

struct PullSession {
    command: Command,
    desk: Arc<Desk>,
    serving: AbortHandle,
}

impl Drop for PullSession {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Session for PullSession {
    fn command(&self) -> &Command {
        &self.command
    }

    fn ready(&mut self) -> Boxed<'_, Result<(), ReportedError>> {
        Box::pin(self.desk.ready())
    }

    fn invoke(&self, delivery: Delivery) -> Boxed<'_, SessionReply> {
        Box::pin(self.desk.invoke(delivery))
    }

    fn idle(&self) -> Boxed<'_, ()> {
        Box::pin(self.desk.asked())
    }
}
