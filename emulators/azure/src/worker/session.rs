//! The conversation with one worker: introduce it, hear what functions there are, load them, and invoke.

use super::ask::{self, Question};
use super::index::{self, Index, Indexed};
use super::messages::{
    Content, FunctionLoadRequest, FunctionsMetadataRequest, RpcException, StatusResult, StreamingMessage,
    WorkerInitRequest,
};
use super::said;
use super::stream::Line;
use crate::HOST_VERSION;
use crate::app::App;
use bytes::Bytes;
use mlemu_core::runtime::{Command, Delivery, ReportedError, SessionReply};
use mlemu_core::{Answer, Boxed, Session};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// After a stream broke off: how long the end of the process may take to be seen.
const WAKE: Duration = Duration::from_millis(500);

/// The kind of a failure whose stream broke off while the process lives.
const BROKEN: &str = "WorkerProcessExitException";
/// The kind of a failure that is the caller's: there is no such function.
pub(crate) const NO_FUNCTION: &str = "FunctionNotFound";

pub(super) struct StreamSession {
    pub(super) command: Command,
    pub(super) line: Line,
    pub(super) app: Arc<App>,
    pub(super) folder: PathBuf,
    pub(super) revision: u64,
    pub(super) index: Index,
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
        self.say(Content::WorkerInitRequest(WorkerInitRequest {
            host_version: HOST_VERSION.into(),
            capabilities: BTreeMap::from([
                ("MultiStream".into(), "10".into()),
                ("V2Compatable".into(), "True".into()),
            ]),
            worker_directory: folder.clone(),
            function_app_directory: folder.clone(),
        }));
        let answer = self.hear(|content| match content {
            Content::WorkerInitResponse(response) => Some(response.result),
            _ => None,
        });
        good(answer.await?)?;
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
        self.index = Index { revision: self.revision, functions, oddities };
        Ok(())
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
        let Some(function) = self.index.get(name).cloned() else {
            let message = format!("the app has no function `{name}`; it has {}", names(&self.index));
            return SessionReply::Error(error(NO_FUNCTION, &message));
        };
        if let Some(fault) = &function.fault {
            return SessionReply::Error(error("FunctionLoadError", fault));
        }
        let asked = ask::question(&function, &delivery, &self.app).await;
        let Question { request, known } = match asked {
            Ok(question) => question,
            Err(why) => return SessionReply::Error(error("InputBindingError", &why)),
        };
        let id = request.invocation_id.clone();
        self.say(Content::InvocationRequest(request));
        let answer = self.hear(|content| match content {
            Content::InvocationResponse(response) if response.invocation_id == id => Some(response),
            _ => None,
        });
        let Ok(response) = answer.await else {
            tokio::time::sleep(WAKE).await;
            return SessionReply::Error(broken_off());
        };
        match good(response.result.clone()) {
            Ok(()) => {
                match self.app.bindings.give(&function, &response, &known, &delivery.invoke.cause).await {
                    Ok(()) => SessionReply::Answer(said::answer(&function, response)),
                    Err(why) => SessionReply::Error(error("OutputBindingError", &why)),
                }
            }
            Err(Trouble::Said(exception)) => SessionReply::Error(reported(&exception)),
            Err(Trouble::Gone) => SessionReply::Error(broken_off()),
        }
    }
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
            if self.line.from_worker.lock().await.is_closed() {
                std::future::pending::<()>().await;
            }
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
