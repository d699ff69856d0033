//! The conversation with one worker: introduce it, hear what functions there are, load them, and invoke.

use super::ask::{self, Question};
use super::index::{self, Index, Indexed};
use super::messages::{
    Content, FunctionEnvironmentReloadRequest, FunctionLoadRequest, FunctionsMetadataRequest,
    InvocationRequest, InvocationResponse, RpcException, RpcLog, Span, StatusResult, StreamingMessage,
    WorkerInitRequest, WorkerTerminate,
};
use super::proxied::{Proxied, Server};
use super::said;
use super::stream::Line;
use crate::HOST_VERSION;
use crate::app::App;
use bytes::Bytes;
use mlemu_core::runtime::{Command, Delivery, ReportedError, SessionReply};
use mlemu_core::{Answer, Boxed, Environment, Session};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// After a stream broke off: how long the end of the process may take to be seen.
const WAKE: Duration = Duration::from_millis(500);

/// What a worker calls the address of its own server for requests by HTTP.
const SERVER: &str = "HttpUri";
/// What workers claim that want to be told before they are ended.
const HEARS_FAREWELLS: &str = "HandlesWorkerTerminateMessage";
/// How long such a worker may take to end.
const GRACE: Duration = Duration::from_secs(2);
/// How long an answer by HTTP may take that comes behind the failure of its function.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// How long a placeholder may take to become the worker of an app.
const SPECIALIZING: Duration = Duration::from_secs(30);
/// The kind of a failure whose stream broke off while the process lives.
const BROKEN: &str = "WorkerProcessExitException";
/// The kind of a failure that is the caller's: there is no such function.
pub(crate) const NO_FUNCTION: &str = "FunctionNotFound";

/// A worker that is no app's yet.
pub(super) struct Placeholder {
    /// The app that it is told of first: one without anything.
    pub(super) folder: PathBuf,
    /// What it has for an environment once it is the app's.
    pub(super) becomes: Environment,
}

pub(super) struct StreamSession {
    pub(super) command: Command,
    /// `None`: the worker has been the app's since its process began.
    pub(super) placeholder: Option<Placeholder>,
    pub(super) line: Line,
    /// Takes what the host says of a call.
    pub(super) log: Box<dyn Fn(RpcLog) + Send + Sync>,
    pub(super) app: Arc<App>,
    pub(super) folder: PathBuf,
    pub(super) revision: u64,
    pub(super) index: Index,
    /// The worker's own, for requests by HTTP.
    pub(super) server: Option<Server>,
    /// It ends by itself when it is told to.
    pub(super) hears_farewells: bool,
}

impl StreamSession {
    fn say(&self, content: Content) {
        let request_id = mlemu_engine::ids::unguessable();
        // A worker that is gone is seen by what it does not answer.
        let _ = self.line.to_worker.send(StreamingMessage { request_id, content: Some(content) });
    }

    /// The next message that `wanted` takes. A worker whose stream has ended says nothing more.
    async fn hear<T>(&self, wanted: impl Fn(Content) -> Option<T>) -> Result<T, Gone> {
        loop {
            let message = self.line.from_worker.lock().await.recv().await.ok_or(Gone)?;
            if let Some(found) = message.content.and_then(&wanted) {
                return Ok(found);
            }
        }
    }

    async fn introduce(&mut self) -> Result<(), Trouble> {
        self.hear(|content| matches!(content, Content::StartStream(_)).then_some(())).await?;
        let folder = self.folder.display().to_string();
        let first = self.placeholder.as_ref().map_or(&self.folder, |placeholder| &placeholder.folder);
        self.say(Content::WorkerInitRequest(WorkerInitRequest {
            host_version: HOST_VERSION.into(),
            capabilities: BTreeMap::from([
                ("MultiStream".into(), "10".into()),
                ("V2Compatable".into(), "True".into()),
            ]),
            worker_directory: folder.clone(),
            function_app_directory: first.display().to_string(),
        }));
        let answer = self.hear(|content| match content {
            Content::WorkerInitResponse(response) => Some(response),
            _ => None,
        });
        let answer = answer.await?;
        good(answer.result)?;
        let mut capabilities = answer.capabilities;
        if let Some(placeholder) = self.placeholder.take() {
            let specialized = tokio::time::timeout(SPECIALIZING, self.specialize(placeholder.becomes)).await;
            capabilities.extend(specialized.unwrap_or_else(|_| Err(slow()))?);
        }
        self.hears_farewells = capabilities.contains_key(HEARS_FAREWELLS);
        self.server = capabilities.get(SERVER).and_then(|address| Server::of(address));
        self.say(Content::FunctionsMetadataRequest(FunctionsMetadataRequest {
            function_app_directory: folder,
        }));
        let answer = self.hear(|content| match content {
            Content::FunctionMetadataResponse(response) => Some(response),
            _ => None,
        });
        let found = answer.await?;
        good(found.result)?;
        let (functions, oddities) = if found.use_default_metadata_indexing {
            index::folders(&self.folder, &self.app.language).await
        } else {
            let read = found.function_metadata_results.iter().map(Indexed::of);
            let (good, bad): (Vec<_>, Vec<_>) = read.partition(Result::is_ok);
            let bad = bad.into_iter().filter_map(Result::err);
            (good.into_iter().filter_map(Result::ok).collect(), bad.collect())
        };
        let streams = self.server.is_some();
        self.index = Index { revision: self.revision, functions, oddities, streams };
        Ok(())
    }

    /// Makes a placeholder the app's: only now it gets its settings and its folder. What it can do besides comes back.
    async fn specialize(&self, environment: Environment) -> Result<BTreeMap<String, String>, Trouble> {
        self.say(Content::FunctionEnvironmentReloadRequest(FunctionEnvironmentReloadRequest {
            environment_variables: environment,
            function_app_directory: self.folder.display().to_string(),
        }));
        let answer = self.hear(|content| match content {
            Content::FunctionEnvironmentReloadResponse(response) => Some(response),
            _ => None,
        });
        let answer = answer.await?;
        good(answer.result)?;
        Ok(answer.capabilities)
    }

    async fn load(&mut self) -> Result<(), Trouble> {
        for at in 0..self.index.functions.len() {
            let function = &self.index.functions[at];
            let id = function.id.clone();
            let metadata = Some(function.metadata());
            self.say(Content::FunctionLoadRequest(FunctionLoadRequest { function_id: id.clone(), metadata }));
            let answer = self.hear(|content| match content {
                Content::FunctionLoadResponse(response) if response.function_id == id => {
                    Some(response.result)
                }
                _ => None,
            });
            if let Err(Trouble::Said(why)) = good(answer.await?) {
                self.index.functions[at].fault = Some(why.message);
            }
        }
        Ok(())
    }

    async fn begin(&mut self) -> Result<(), ReportedError> {
        let begun = async {
            self.introduce().await?;
            self.load().await
        };
        match begun.await {
            Ok(()) => {
                self.app.bring(self.index.clone());
                Ok(())
            }
            Err(Trouble::Said(exception)) => Err(reported(&exception)),
            // Most likely its process has ended, which says more.
            Err(Trouble::Gone) => {
                tokio::time::sleep(WAKE).await;
                Err(broken_off())
            }
        }
    }

    async fn ask(&self, delivery: Delivery) -> SessionReply {
        if delivery.invoke.attributes.iter().any(|(name, _)| *name == ask::INDEX) {
            return SessionReply::Answer(listed(&self.index));
        }
        let name = &*delivery.invoke.target.name;
        let Some(function) = self.index.get(name) else {
            let message = format!("the app has no function `{name}`; it has {}", names(&self.index));
            return SessionReply::Error(error(NO_FUNCTION, &message));
        };
        self.serve(function, &delivery).await.unwrap_or_else(|failed| match failed {
            Failed::Worker(reply) => reply,
            Failed::Host(kind, why) => {
                let line = format!("{kind}: {why}");
                (self.log)(RpcLog::of(&function.name, &delivery.invoke.id.0, RpcLog::ERROR, line));
                SessionReply::Error(error(kind, &why))
            }
        })
    }

    async fn serve(&self, function: &Indexed, delivery: &Delivery) -> Result<SessionReply, Failed> {
        if let Some(fault) = &function.fault {
            return Err(Failed::Host("FunctionLoadError", fault.clone()));
        }
        let server = self.server.as_ref().filter(|_| function.trigger.is("httpTrigger"));
        let asked = ask::question(function, delivery, &self.app, server.is_some()).await;
        let Question { request, known } = asked.map_err(|why| Failed::Host("InputBindingError", why))?;
        let proxied = server.and_then(|server| server.request(function, delivery, &self.app));
        let (response, proxied) = self.run(request, proxied).await?;
        let given = self.app.bindings.give(function, &response, &known, &delivery.invoke.cause).await;
        given.map_err(|why| Failed::Host("OutputBindingError", why))?;
        Ok(SessionReply::Answer(proxied.unwrap_or_else(|| said::answer(function, response))))
    }

    /// Has the worker run a function. Where it serves the request itself, the answer is what it served.
    async fn run(
        &self,
        request: InvocationRequest,
        proxied: Option<Proxied>,
    ) -> Result<(InvocationResponse, Option<Answer>), Failed> {
        let answer = self.line.answer(&request.invocation_id);
        self.say(Content::InvocationRequest(request));
        let answer = async {
            let Ok(response) = answer.await else {
                tokio::time::sleep(WAKE).await;
                return Err(Failed::Worker(SessionReply::Broken(broken_off())));
            };
            match good(response.result.clone()) {
                Ok(()) => Ok(response),
                Err(Trouble::Said(exception)) => {
                    Err(Failed::Worker(SessionReply::Error(reported(&exception))))
                }
                Err(Trouble::Gone) => Err(Failed::Worker(SessionReply::Broken(broken_off()))),
            }
        };
        let Some(proxied) = proxied else { return answer.await.map(|response| (response, None)) };
        let (mut answer, mut served) = (pin!(answer), pin!(proxied.serve()));
        let refused = |why: String| Failed::Host("HttpForwardingError", why);
        tokio::select! {
            served = &mut served => {
                let served = served.map_err(refused)?;
                answer.await.map(|response| (response, Some(served)))
            }
            response = &mut answer => match response {
                Ok(response) => Ok((response, Some(served.await.map_err(refused)?))),
                Err(reply) => {
                    // What the app's framework says of a failure is on its way, or nothing is.
                    let _ = tokio::time::timeout(LAST_WORDS, served).await;
                    Err(reply)
                }
            },
        }
    }
}

/// Why a call came to nothing.
enum Failed {
    /// The worker has told about it, or is gone.
    Worker(SessionReply),
    /// What the host itself could not do, of which the worker knows nothing: a kind and a reason.
    Host(&'static str, String),
}

/// The worker's stream has ended.
struct Gone;

enum Trouble {
    Gone,
    Said(RpcException),
}

impl From<Gone> for Trouble {
    fn from(_: Gone) -> Self {
        Trouble::Gone
    }
}

fn good(result: Option<StatusResult>) -> Result<(), Trouble> {
    match result {
        Some(StatusResult { status: StatusResult::SUCCESS, .. }) => Ok(()),
        failed => Err(Trouble::Said(failed.and_then(|failed| failed.exception).unwrap_or_default())),
    }
}

fn slow() -> Trouble {
    let seconds = SPECIALIZING.as_secs();
    let message = format!("the worker has not taken its environment within {seconds} s");
    Trouble::Said(RpcException { kind: "TimeoutException".into(), message, ..RpcException::default() })
}

/// As the host hands it on: what was raised, and where.
fn reported(exception: &RpcException) -> ReportedError {
    let kind = match exception.kind.rsplit('.').next() {
        Some(kind) if !kind.is_empty() => kind.to_owned(),
        _ => kind_of(&exception.message),
    };
    let document = json!({ "message": exception.message, "type": kind, "stackTrace": exception.stack_trace });
    ReportedError { body: Bytes::from(document.to_string()), kind: Some(kind) }
}

/// `ValueError` of `ValueError: no such flower`.
fn kind_of(message: &str) -> String {
    let word = message.split(':').next().unwrap_or_default().trim();
    let is_name =
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte));
    if is_name { word.to_owned() } else { "Exception".into() }
}

pub(super) fn error(kind: &str, message: &str) -> ReportedError {
    reported(&RpcException { kind: kind.into(), message: message.into(), ..RpcException::default() })
}

fn broken_off() -> ReportedError {
    error(BROKEN, "the worker's stream broke off")
}

fn names(index: &Index) -> String {
    let names: Vec<&str> = index.functions.iter().map(|function| function.name.as_str()).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

pub(super) fn listed(index: &Index) -> Answer {
    let names: Vec<&str> = index.functions.iter().map(|function| function.name.as_str()).collect();
    let body = json!({ "functions": names }).to_string();
    Answer { body: body.into(), content_type: Some("application/json".into()), ..Answer::default() }
}

impl Session for StreamSession {
    fn command(&self) -> &Command {
        &self.command
    }

    fn ready(&mut self) -> Boxed<'_, Result<(), ReportedError>> {
        Box::pin(self.begin())
    }

    fn invoke(&self, delivery: Delivery) -> Boxed<'_, SessionReply> {
        Box::pin(self.ask(delivery))
    }

    /// A worker takes the next call when it has answered, unless its stream is gone.
    fn idle(&self) -> Boxed<'_, ()> {
        Box::pin(async {
            if !self.line.is_open() {
                std::future::pending::<()>().await;
            }
        })
    }

    fn leave(&self) -> Boxed<'_, ()> {
        Box::pin(async {
            if !self.hears_farewells {
                return;
            }
            let seconds = i64::try_from(GRACE.as_secs()).unwrap_or(0);
            let grace_period = Some(Span { seconds, nanos: 0 });
            self.say(Content::WorkerTerminate(WorkerTerminate { grace_period }));
            let gone = self.hear(|_| None::<()>);
            let _ = tokio::time::timeout(GRACE, gone).await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::kind_of;

    #[test]
    fn kinds_are_in_messages_where_nothing_else_tells() {
        assert_eq!(kind_of("ValueError: no such flower"), "ValueError");
        assert_eq!(kind_of("no such flower: iris"), "Exception");
        assert_eq!(kind_of(""), "Exception");
    }
}
