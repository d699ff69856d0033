//! The conversation with one instance: requests to the framework that listens on its port.

use super::port::Reservation;
use super::{Signature, deliver};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use mlemu_core::runtime::{Command, Delivery, ReportedError, SessionReply};
use mlemu_core::{Answer, Boxed, ResponseHead, Session};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;

/// Between two looks whether the framework listens.
const LOOK: Duration = Duration::from_millis(4);
/// Servers close idle connections after 2 s and more: ours are not used again so late.
const IDLE_CONNECTION: Duration = Duration::from_secs(1);
/// After a connection broke off: how long the end of the process may take to be seen.
const WAKE: Duration = Duration::from_millis(300);
/// Said by the frameworks when a function ended in an exception.
pub(crate) const STATUS_HEADER: &str = "x-google-status";
/// The kind of a failure whose connection broke off while the process lives.
pub(crate) const CONNECTION_ERROR: &str = "connection error";
/// Answered by the framework itself, never by the function.
const PROBE: &str = "/robots.txt";

type Http = Client<HttpConnector, Full<Bytes>>;

pub(super) struct PushSession {
    command: Command,
    reservation: Reservation,
    signature: Signature,
    /// Largest answer in bytes.
    limit: u64,
    /// It listens before it can answer.
    warms_up: bool,
    client: Http,
}

impl PushSession {
    pub(super) fn new(
        command: Command,
        reservation: Reservation,
        signature: Signature,
        limit: u64,
        warms_up: bool,
    ) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .build(connector);
        Self { command, reservation, signature, limit, warms_up, client }
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
        let uri = format!("http://{}{PROBE}", self.address());
        let request = Request::get(uri).body(Full::default()).ok()?;
        let answer = self.client.request(request).await.ok()?;
        answer.into_body().collect().await.ok().map(drop)
    }

    async fn ask(&self, delivery: Delivery) -> SessionReply {
        let Some(request) = deliver::request(&delivery.invoke, self.signature, self.address()) else {
            return error("malformed request", Bytes::new());
        };
        match self.client.request(request).await {
            Ok(response) => self.read(response).await,
            Err(_) => broken_off().await,
        }
    }

    async fn read(&self, response: Response<Incoming>) -> SessionReply {
        let (parts, body) = response.into_parts();
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let body = match Limited::new(body, limit).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return SessionReply::TooLarge { size: self.limit + 1, limit: self.limit };
            }
            Err(_) => return broken_off().await,
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
}

/// The process has ended, or one of its workers has: the engine is given the time to see the former.
async fn broken_off() -> SessionReply {
    tokio::time::sleep(WAKE).await;
    error(CONNECTION_ERROR, Bytes::new())
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
        Box::pin(std::future::ready(()))
    }
}
