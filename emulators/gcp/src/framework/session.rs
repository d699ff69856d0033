//! The conversation with one instance: requests to the framework that listens on its port.

use super::connections::{Came, Connections};
use super::port::Reservation;
use super::{Signature, deliver};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::Full;
use mlemu_core::runtime::{Command, Delivery, ReportedError, SessionReply};
use mlemu_core::{Answer, Boxed, ResponseHead, Session};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;

/// Between two looks whether the framework listens.
const LOOK: Duration = Duration::from_millis(4);
/// After a connection broke off: how long the end of the process may take to be seen.
const WAKE: Duration = Duration::from_millis(300);
/// Said by the frameworks when a function ended in an exception.
pub(crate) const STATUS_HEADER: &str = "x-google-status";
/// The kind of a failure whose connection broke off while the process lives.
pub(crate) const CONNECTION_ERROR: &str = "connection error";
/// Answered by the framework itself, never by the function.
const PROBE: &str = "/robots.txt";
/// More than its answer can be, in bytes.
const PROBED: usize = 64 * 1024;

pub(super) struct PushSession {
    command: Command,
    reservation: Reservation,
    signature: Signature,
    /// Largest answer in bytes.
    limit: u64,
    /// It listens before it can answer.
    warms_up: bool,
    connections: Connections,
    /// A connection broke off, and it has not answered since.
    broke_off: AtomicBool,
}

impl PushSession {
    pub(super) fn new(
        command: Command,
        reservation: Reservation,
        signature: Signature,
        limit: u64,
        warms_up: bool,
    ) -> Self {
        let connections = Connections::new(reservation.address());
        let broke_off = AtomicBool::new(false);
        Self { command, reservation, signature, limit, warms_up, connections, broke_off }
    }

    fn address(&self) -> SocketAddr {
        self.reservation.address()
    }

    /// Completes when the framework answers. A process that never does is the engine's affair.
    async fn listening(&self) {
        while TcpStream::connect(self.address()).await.is_err() {
            tokio::time::sleep(LOOK).await;
        }
        while self.warms_up && self.probe().await.is_none() {
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn probe(&self) -> Option<()> {
        let host = self.address().to_string();
        let request = Request::get(PROBE).header(header::HOST, host).body(Full::default()).ok()?;
        matches!(self.connections.ask(request, PROBED).await, Came::Answer(..)).then_some(())
    }

    async fn ask(&self, delivery: Delivery) -> SessionReply {
        let Some(request) = deliver::request(&delivery.invoke, self.signature, self.address()) else {
            return error("malformed request", Bytes::new());
        };
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let (parts, body) = match self.connections.ask(request, limit).await {
            Came::Answer(parts, body) => (*parts, body),
            Came::TooLarge => return SessionReply::TooLarge { size: self.limit + 1, limit: self.limit },
            Came::Broken => return self.broken_off().await,
        };
        match failure(parts.status, &parts.headers, self.signature) {
            Some(kind) => error(&kind, body),
            None => SessionReply::Answer(Answer {
                body,
                content_type: text(&parts.headers, header::CONTENT_TYPE.as_str()),
                streamed: false,
                head: Some(ResponseHead { status: parts.status, headers: parts.headers }),
            }),
        }
    }

    /// The process has ended, or one of its workers has: the engine is given the time to see the former.
    async fn broken_off(&self) -> SessionReply {
        self.broke_off.store(true, Ordering::Relaxed);
        tokio::time::sleep(WAKE).await;
        error(CONNECTION_ERROR, Bytes::new())
    }

    /// Completes when it is sure that somebody answers there again: a worker that was lost has been replaced. Where
    /// the process is about to follow its worker, that never is.
    async fn recovered(&self) {
        while self.broke_off.load(Ordering::Relaxed) {
            if self.probe().await.is_some() {
                self.broke_off.store(false, Ordering::Relaxed);
            } else {
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

/// Why an answer is a failure: the framework says so, or an event was not taken.
fn failure(status: StatusCode, headers: &HeaderMap, signature: Signature) -> Option<String> {
    let said = text(headers, STATUS_HEADER);
    said.or_else(|| (signature.is_event() && !status.is_success()).then(|| status.as_u16().to_string()))
}

fn error(kind: &str, body: Bytes) -> SessionReply {
    SessionReply::Error(ReportedError { body, kind: Some(kind.into()) })
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

impl Session for PushSession {
    fn command(&self) -> &Command {
        &self.command
    }

    /// The frameworks load the function before they listen; one that cannot be loaded ends the process.
    fn ready(&mut self) -> Boxed<'_, Result<(), ReportedError>> {
        Box::pin(async {
            self.listening().await;
            Ok(())
        })
    }

    fn invoke(&self, delivery: Delivery) -> Boxed<'_, SessionReply> {
        Box::pin(self.ask(delivery))
    }

    /// An answered request is over, as far as anybody outside can tell.
    fn idle(&self) -> Boxed<'_, ()> {
        Box::pin(self.recovered())
    }
}
