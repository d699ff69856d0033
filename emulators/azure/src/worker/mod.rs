//! The stream protocol: a worker process opens one gRPC stream to its host, says which functions the app has, and
//! runs them.
//!
//! [`messages`] is what is said, with the [`values`] in it, [`stream`] the connection, [`session`] the conversation; [`ask`] makes a request of an
//! event and [`said`] an answer of a response; [`proxied`] hands requests to workers that serve HTTP themselves.
//! [`handler`] is the other protocol, of programs that listen themselves. [`clients`] says which packages a language
//! needs and how its worker is started, [`core_tools`] how one that is installed already is. Knows nothing of the paths that users call.
//!
//! Source: Azure Functions, the language worker protocol (`FunctionRpc.proto`).

mod ask;
mod clients;
mod core_tools;
mod environment;
mod handler;
pub mod index;
pub(crate) mod lines;
pub(crate) mod messages;
pub(crate) mod proto;
mod proxied;
mod requested;
mod said;
mod session;
mod stream;
pub(crate) mod values;
mod wrapped;

pub(crate) use ask::{INDEX, PARAMS, URL, timer_event};
pub(crate) use session::NO_FUNCTION;

use crate::app::App;
use crate::place::Place;
use messages::RpcLog;
use mlemu_core::runtime::{Command, Unsupported, Unwrapped};
use mlemu_core::{
    Boxed, Built, FunctionId, InstanceId, InvocationId, Keeping, LogLine, Needs, Record, Revision, Runtime,
    Session, Sink, Stream, Subject, What,
};
use session::{Placeholder, StreamSession};
use std::path::PathBuf;
use std::sync::Arc;

/// The folder, an empty one, that workers are told of which are no app's yet.
const PLACEHOLDER: &str = "azure-placeholder";

/// The workers of one app.
pub struct Workers {
    pub app: Arc<App>,
    pub place: Place,
    /// Where the daemon may keep files for its instances.
    pub folder: PathBuf,
    /// For what workers log by their stream.
    pub sink: Arc<dyn Sink>,
}

impl Workers {
    /// What workers log by their stream; ours writes to its console instead.
    fn logging(&self) -> impl Fn(RpcLog) + Send + Sync + 'static {
        let (app, sink) = (self.app.clone(), self.sink.clone());
        move |log: RpcLog| {
            if !log.is_for_people() {
                return;
            }
            // The category is `Function.NAME`, and more behind it at times.
            let name = log.category.strip_prefix("Function.").and_then(|rest| rest.split('.').next());
            let function = FunctionId::new(app.id.scope.clone(), name.unwrap_or(&app.id.name));
            let invocation =
                (!log.invocation_id.is_empty()).then(|| InvocationId(log.invocation_id.as_str().into()));
            let subject = Subject { function: Some(function), invocation, ..Subject::default() };
            let at = app.bindings.queues.clock().now();
            sink.send(at, subject, What::Log(LogLine { at, stream: Stream::Stderr, text: log.message }));
        }
    }

    fn open_handler(
        &self,
        revision: &Arc<Revision>,
        built: &Arc<Built>,
    ) -> Result<Box<dyn Session>, std::io::Error> {
        let port = handler::Port::take()?;
        let mut env = environment::of(revision, built, &self.app, &self.place);
        env.extend(environment::of_handler(port.address.port(), &built.code));
        let custom = self.app.host.custom.clone().unwrap_or_default();
        let mut args = built.program_args.clone();
        args.extend(custom.description.arguments);
        let folder = built.code.join(custom.description.working_directory);
        let command = Command { program: built.program.clone(), args, env, folder };
        Ok(Box::new(handler::HandlerSession::new(command, port, self, revision, built)))
    }
}

impl Runtime for Workers {
    fn needs(&self, revision: &Revision) -> Result<Needs, Unsupported> {
        clients::needs(revision, &self.app)
    }

    fn open<'a>(
        &'a self,
        revision: &'a Arc<Revision>,
        built: &'a Arc<Built>,
        _instance: InstanceId,
    ) -> Boxed<'a, Result<Box<dyn Session>, std::io::Error>> {
        Box::pin(async move {
            if self.app.language == "custom" {
                return self.open_handler(revision, built);
            }
            let (address, line) = stream::listen(self.logging()).await?;
            let (program, args) = clients::command(built, &self.folder, address, &self.app).await?;
            let env = environment::of(revision, built, &self.app, &self.place);
            let (env, placeholder) = if environment::wants_placeholder(revision) {
                let folder = self.folder.join(PLACEHOLDER);
                tokio::fs::create_dir_all(&folder).await?;
                let early = environment::of_placeholder(built, &self.app, &self.place);
                (early, Some(Placeholder { folder, becomes: environment::specialized(env) }))
            } else {
                (env, None)
            };
            let session = StreamSession {
                command: Command { program, args, env, folder: built.code.clone() },
                placeholder,
                line,
                log: Box::new(self.logging()),
                app: self.app.clone(),
                folder: built.code.clone(),
                revision: revision.number,
                index: index::Index::default(),
                server: None,
                hears_farewells: false,
            };
            Ok(Box::new(session) as Box<dyn Session>)
        })
    }

    /// Workers are not stopped between calls; past a function's time the whole worker is started anew.
    fn profile(&self, _revision: &Revision) -> &'static str {
        "azure-consumption"
    }

    fn keeping(&self, _revision: &Revision) -> Keeping {
        let concurrency = self.app.host.at_once as usize;
        Keeping { freezes: false, concurrency, starts_again: false, ..Keeping::default() }
    }

    fn unwrapped(&self, line: &str) -> Option<Unwrapped> {
        lines::unwrapped(line)
    }

    fn lines(&self, record: &Record) -> Vec<String> {
        lines::of(record, &self.app, &self.place, None)
    }
}
