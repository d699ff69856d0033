//! Custom handlers: any program that listens on a port and answers by HTTP, in the place of a language worker.
//!
//! Source: Azure Functions documentation, "Azure Functions custom handlers".

use super::ask::{self, Question};
use super::index::{Index, Indexed, folders};
use super::messages::RpcLog;
use super::session::{NO_FUNCTION, error, listed};
use super::{Workers, clients, said, wrapped};
use crate::HOST_VERSION;
use crate::app::App;
use crate::bindings::expression::Known;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mlemu_core::runtime::{Command, Delivery, ReportedError, SessionReply};
use mlemu_core::{Answer, Boxed, Built, ResponseHead, Revision, Session};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};

/// Between two looks whether the handler listens.
const LOOK: Duration = Duration::from_millis(25);
/// After a connection broke off: how long the end of the process may take to be seen.
const WAKE: Duration = Duration::from_millis(300);
/// As much of a handler's answer is told, in characters.
const TOLD: usize = 1000;
/// Levels of lines.
/// What went wrong: its kind and the sentence.
type Trouble = (&'static str, String);
/// Headers of one connection, which must not travel on.
pub(super) const HOP_BY_HOP: [&str; 7] =
    ["connection", "te", "trailer", "transfer-encoding", "upgrade", "keep-alive", "content-length"];

/// A port that is kept for the handler until it listens there itself.
pub(super) struct Port {
    pub(super) address: SocketAddr,
    _socket: TcpSocket,
}

impl Port {
    pub(super) fn take() -> std::io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self { address: socket.local_addr()?, _socket: socket })
    }
}

pub(super) struct HandlerSession {
    command: Command,
    port: Port,
    app: Arc<App>,
    folder: PathBuf,
    revision: u64,
    /// Largest answer in bytes.
    limit: u64,
    /// It is a model, which knows of no functions and of no envelopes of requests.
    model: bool,
    index: Index,
    client: Client<HttpConnector, Full<Bytes>>,
    /// Takes the lines of functions.
    log: Box<dyn Fn(RpcLog) + Send + Sync>,
}

impl HandlerSession {
    pub(super) fn new(
        command: Command,
        port: Port,
        workers: &Workers,
        revision: &Revision,
        built: &Built,
    ) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            command,
            port,
            app: workers.app.clone(),
            folder: built.code.clone(),
            revision: revision.number,
            limit: revision.limits.response,
            model: revision.runtime == clients::MODEL,
            index: Index::default(),
            client: Client::builder(TokioExecutor::new()).build(connector),
            log: Box::new(workers.logging()),
        }
    }

    async fn ask(&self, delivery: Delivery) -> SessionReply {
        if delivery.invoke.attributes.iter().any(|(name, _)| *name == ask::INDEX) {
            return SessionReply::Answer(listed(&self.index));
        }
        let name = &*delivery.invoke.target.name;
        let Some(function) = self.index.get(name) else {
            return SessionReply::Error(error(NO_FUNCTION, &format!("the app has no function `{name}`")));
        };
        self.run(function, &delivery).await.unwrap_or_else(|(kind, why)| {
            self.tell(function, &delivery, RpcLog::ERROR, format!("{kind}: {why}"));
            SessionReply::Error(error(kind, &why))
        })
    }

    fn tell(&self, function: &Indexed, delivery: &Delivery, level: i32, message: String) {
        (self.log)(RpcLog::of(&function.name, &delivery.invoke.id.0, level, message));
    }

    async fn run(&self, function: &Indexed, delivery: &Delivery) -> Result<SessionReply, Trouble> {
        let (request, known) = if self.forwards(function) {
            (self.forwarded(delivery), None)
        } else {
            let question = ask::question(function, delivery, &self.app, false).await;
            let question = question.map_err(|why| ("InputBindingError", why))?;
            (self.wrapped(function, &question, delivery), Some(question.known))
        };
        let Some(request) = request else {
            return Err(("InvalidRequest", "the request cannot be sent on".into()));
        };
        match self.client.request(request).await {
            Ok(response) => self.read(function, delivery, response, known).await,
            Err(_) => Err(broken_off("before it answered").await),
        }
    }

    /// Only functions of HTTP, in and out, get the request itself.
    fn forwards(&self, function: &Indexed) -> bool {
        let custom = self.app.host.custom.as_ref();
        let wanted = self.model
            || custom.is_some_and(|custom| {
                custom.enable_forwarding_http_request || custom.enable_proxying_http_request
            });
        wanted
            && function.trigger.is("httpTrigger")
            && function.others.iter().all(|binding| binding.is("http"))
    }

    fn forwarded(&self, delivery: &Delivery) -> Option<Request<Full<Bytes>>> {
        let head = delivery.invoke.head.as_ref();
        let (method, target, headers) = if let Some(head) = head {
            (head.method.clone(), head.target.clone(), head.headers.clone())
        } else {
            let path = format!("/{}/{}", self.app.host.prefix(), delivery.invoke.target.name);
            (Method::POST, path.parse::<PathAndQuery>().ok()?, HeaderMap::new())
        };
        self.request(method, &target, headers, delivery.invoke.payload.clone(), delivery)
    }

    fn wrapped(
        &self,
        function: &Indexed,
        question: &Question,
        delivery: &Delivery,
    ) -> Option<Request<Full<Bytes>>> {
        let body = wrapped::request(function, &question.request).to_string();
        let target = format!("/{}", function.name).parse().ok()?;
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
        self.request(Method::POST, &target, headers, body.into(), delivery)
    }

    fn request(
        &self,
        method: Method,
        target: &PathAndQuery,
        mut headers: HeaderMap,
        body: Bytes,
        delivery: &Delivery,
    ) -> Option<Request<Full<Bytes>>> {
        for name in HOP_BY_HOP {
            headers.remove(name);
        }
        headers.insert("x-azure-functions-hostversion", HeaderValue::from_static(HOST_VERSION));
        headers.insert("x-azure-functions-invocationid", HeaderValue::from_str(&delivery.invoke.id.0).ok()?);
        let agent = HeaderValue::from_str(&format!("Azure-Functions-Host/{HOST_VERSION}")).ok()?;
        headers.entry(header::USER_AGENT).or_insert(agent);
        headers.remove(header::HOST);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = format!("http://{}{target}", self.port.address).parse().ok()?;
        *request.headers_mut() = headers;
        Some(request)
    }

    /// `known`: nothing where the answer is handed on as it is.
    async fn read(
        &self,
        function: &Indexed,
        delivery: &Delivery,
        response: Response<Incoming>,
        known: Option<Known>,
    ) -> Result<SessionReply, Trouble> {
        let (parts, body) = response.into_parts();
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let body = match Limited::new(body, limit).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Ok(SessionReply::TooLarge { size: self.limit + 1, limit: self.limit });
            }
            Err(_) => return Err(broken_off("within its answer").await),
        };
        let Some(known) = known else {
            let mut headers = parts.headers;
            for name in HOP_BY_HOP {
                headers.remove(name);
            }
            let kind =
                headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
            let head = Some(ResponseHead { status: parts.status, headers });
            return Ok(SessionReply::Answer(Answer { body, content_type: kind, head, streamed: false }));
        };
        let answered = |why: String| format!("{why}: {}", beginning(&body));
        if !parts.status.is_success() {
            let why = format!("the handler answered {}", parts.status.as_u16());
            return Err(("HttpRequestException", answered(why)));
        }
        let said = wrapped::Said::read(&body).map_err(|why| ("InvalidOperationException", answered(why)))?;
        for line in &said.logs {
            self.tell(function, delivery, RpcLog::INFORMATION, line.clone());
        }
        let response = said.response(function).map_err(|why| ("InvalidOperationException", answered(why)))?;
        let given = self.app.bindings.give(function, &response, &known, &delivery.invoke.cause).await;
        given.map_err(|why| ("OutputBindingError", why))?;
        Ok(SessionReply::Answer(said::answer(function, response)))
    }
}

/// Of a handler's answer, for people.
fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(TOLD * 4)]);
    match text.char_indices().nth(TOLD) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.into_owned(),
    }
}

/// The process has ended, most likely: the engine is given the time to see it.
async fn broken_off(when: &str) -> Trouble {
    tokio::time::sleep(WAKE).await;
    ("HttpRequestException", format!("the handler's connection broke off {when}"))
}

impl Session for HandlerSession {
    fn command(&self) -> &Command {
        &self.command
    }

    fn ready(&mut self) -> Boxed<'_, Result<(), ReportedError>> {
        Box::pin(async {
            let (mut functions, oddities) = folders(&self.folder, "custom").await;
            if self.model && functions.is_empty() {
                functions.push(Indexed::of_request(&self.app.id.name));
            }
            while TcpStream::connect(self.port.address).await.is_err() {
                tokio::time::sleep(LOOK).await;
            }
            self.index = Index { revision: self.revision, functions, oddities, streams: false };
            self.app.bring(self.index.clone());
            Ok(())
        })
    }

    fn invoke(&self, delivery: Delivery) -> Boxed<'_, SessionReply> {
        Box::pin(async move { self.ask(delivery).await })
    }

    /// An answered request is over, as far as anybody outside can tell.
    fn idle(&self) -> Boxed<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_answer_the_beginning_is_told() {
        assert_eq!(beginning("süß".as_bytes()), "süß");
        let told = beginning("ü".repeat(TOLD * 5).as_bytes());
        assert_eq!(told, "ü".repeat(TOLD) + "...");
    }
}
