//! A listener: loopback, guarded, with bounded headers, connections and patience.

use super::meddle::BreaksOff;
use super::patience::{Asked, Patient, Paused};
use super::places::{Place, Places, Room};
use super::stream::Stream;
use super::{dialect, guard};
use axum::body::Body;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use mlemu_core::Strain;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

const HEADER_BYTES: usize = 64 * 1024;
const HEADER_PATIENCE: Duration = Duration::from_secs(10);
const CONNECTIONS: usize = 1024;
/// How long a newcomer waits for the place of a connection that was asked to go, and who finds none may send.
const CLEARING: Duration = Duration::from_millis(500);
/// How long a connection that is asked to go may take for what it had begun.
const NOTICE: Duration = Duration::from_millis(100);
/// The pause after a connection that could not be accepted.
const BREATH: Duration = Duration::from_millis(20);
/// How long answers under way may take when the listener closes.
const GRACE: Duration = Duration::from_millis(500);

/// What stands behind a listener.
pub trait Service: Send + Sync + 'static {
    fn answer(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>>;

    /// Whether the request's target lets the web page in that sent it.
    fn admits_origin(&self, parts: &Parts) -> bool;

    /// Whether `host` is a name of the service's own, beside those of this machine.
    fn is_host(&self, _host: &str) -> bool {
        false
    }

    /// What a client is told in the service's own form. `None`: it did not even send its head.
    fn apology(&self, strain: Strain, parts: Option<&Parts>) -> Response<Body>;
}

/// Which port is wanted. `exact` ones are not replaced by the next free one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// 0: any.
    pub port: u16,
    pub exact: bool,
}

/// Binds the wished port or, when it is taken and not insisted on, the next free one of the following 50.
pub async fn bind(host: IpAddr, wish: Wish) -> std::io::Result<TcpListener> {
    let mut taken = None;
    let last = if wish.exact || wish.port == 0 { wish.port } else { wish.port.saturating_add(50) };
    for port in wish.port..=last {
        match TcpListener::bind((host, port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) => taken = Some(error),
        }
    }
    Err(taken.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into()))
}

/// Serves until dropped.
pub fn serve(listener: TcpListener, service: Arc<dyn Service>) -> std::io::Result<Serving> {
    serve_at_most(CONNECTIONS, listener, service)
}

fn serve_at_most(
    connections: usize,
    listener: TcpListener,
    service: Arc<dyn Service>,
) -> std::io::Result<Serving> {
    let address = listener.local_addr()?;
    let closing = CancellationToken::new();
    let places = Places::new(connections);
    let door = Door { service, port: address.port(), places, closing: closing.clone() };
    let task = tokio::spawn(accept(listener, Arc::new(door)));
    Ok(Serving { address, closing, task })
}

/// What all connections of a listener share.
struct Door {
    service: Arc<dyn Service>,
    port: u16,
    places: Arc<Places>,
    closing: CancellationToken,
}

async fn accept(listener: TcpListener, door: Arc<Door>) {
    let mut connections = JoinSet::new();
    while !door.closing.is_cancelled() {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                admit(Stream::new(stream), &door, &mut connections);
            } else {
                // Out of file descriptors, most likely: others may end meanwhile.
                door.places.ask_one_to_go();
                tokio::time::sleep(BREATH).await;
            },
            Some(_) = connections.join_next() => {}
            () = door.closing.cancelled() => {}
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

fn admit(stream: Stream, door: &Arc<Door>, connections: &mut JoinSet<()>) {
    let door = door.clone();
    match door.places.enter() {
        Room::Place(place) => {
            connections.spawn(connection(stream, door, place));
        }
        Room::Corridor { standing, clearing } => {
            connections.spawn(corridor(stream, door, standing, clearing));
        }
        Room::Full => {}
    }
}

/// A listener at work; dropping it closes it and its connections at once.
pub struct Serving {
    pub address: SocketAddr,
    closing: CancellationToken,
    task: JoinHandle<()>,
}

impl Serving {
    /// Takes no more requests and lets answers under way reach their callers.
    pub async fn close(mut self) {
        self.closing.cancel();
        // What takes longer, such as a stream without an end, breaks off.
        let _ = tokio::time::timeout(GRACE, &mut self.task).await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits for the place of a connection that was asked to go; there is no waiting for those at work.
async fn corridor(stream: Stream, door: Arc<Door>, standing: OwnedSemaphorePermit, clearing: bool) {
    let next = async {
        if !clearing {
            return None;
        }
        tokio::time::timeout(CLEARING, door.places.next()).await.ok().flatten()
    };
    if let Some(place) = next.await {
        drop(standing);
        connection(stream, door, place).await;
    } else {
        turn_away(stream, door).await;
    }
}

async fn connection(stream: Stream, door: Arc<Door>, place: Arc<Place>) {
    let is_http2 = tokio::select! {
        is_http2 = dialect::is_http2(&stream, HEADER_PATIENCE) => is_http2,
        () = door.closing.cancelled() => None,
        () = place.is_needed() => None,
    };
    match is_http2 {
        Some(false) => requests(stream, door, place).await,
        Some(true) => conversation(stream, door, place).await,
        None => {}
    }
}

/// HTTP/2: many requests at once, some of which last.
async fn conversation(stream: Stream, door: Arc<Door>, place: Arc<Place>) {
    let (at, working) = (door.clone(), place.clone());
    let answer = service_fn(move |request: Request<Incoming>| {
        let (door, work) = (at.clone(), working.work());
        async move {
            let answer = guarded(&door, request, |request| door.service.answer(request)).await;
            Ok::<_, Infallible>(answer.map(|body| work.until_sent(body)))
        }
    });
    let served = dialect::http2().serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(served);
    tokio::select! {
        _ = served.as_mut() => {}
        () = door.closing.cancelled() => {
            served.as_mut().graceful_shutdown();
            let _ = served.await;
        }
        () = place.is_needed() => {
            served.as_mut().graceful_shutdown();
            // Who has begun nothing meanwhile has had its notice.
            if tokio::time::timeout(NOTICE, served.as_mut()).await.is_err() && !place.is_idle() {
                let _ = served.await;
            }
        }
    }
}

/// HTTP/1: one request after the other.
async fn requests(stream: Stream, door: Arc<Door>, place: Arc<Place>) {
    let (hang_up, cut, ambiguous) = (stream.hang_up(), stream.cut(), stream.ambiguous());
    let progress = stream.progress();
    let (at, working) = (door.clone(), place.clone());
    let answer = service_fn(move |mut request: Request<Incoming>| {
        let (door, work) = (at.clone(), working.work());
        request.extensions_mut().insert(hang_up.clone());
        let cut = cut.clone();
        let is_ambiguous = ambiguous.take();
        async move {
            if is_ambiguous {
                let why = "the request has both a Content-Length and a Transfer-Encoding: send one of them";
                return Ok(refusal(StatusCode::BAD_REQUEST, why).map(|body| work.until_sent(body)));
            }
            let answer = guarded(&door, request, |request| door.service.answer(request)).await;
            if answer.extensions().get::<BreaksOff>().is_some() {
                cut.sever();
                return Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
            }
            Ok(answer.map(|body| work.until_sent(body)))
        }
    });
    let served = http(HEADER_PATIENCE).serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = door.closing.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
        () = place.is_needed() => {
            served.as_mut().graceful_shutdown();
            match tokio::time::timeout(NOTICE, served.as_mut()).await {
                Ok(ended) => ended,
                // Half of a head, and others wait.
                Err(_) if place.is_idle() => Ok(()),
                Err(_) => served.await,
            }
        }
    };
    // What else a client does to its own connection is its own affair.
    if ended.is_err_and(|error| error.is_timeout()) {
        progress.last_words(door.service.apology(Strain::Slow, None)).await;
    }
}

/// Reads one request, so that the client listens, and says that there is no place.
async fn turn_away(stream: Stream, door: Arc<Door>) {
    let answer = service_fn(|request: Request<Incoming>| async {
        let apologize = |request: Request<Body>| {
            let (parts, mut body) = request.into_parts();
            let mut answer = door.service.apology(Strain::Crowded, Some(&parts));
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            async move {
                // Who still sends does not read.
                let rest = async { while let Some(Ok(_)) = body.frame().await {} };
                let _ = tokio::time::timeout(CLEARING, rest).await;
                answer
            }
        };
        Ok::<_, Infallible>(guarded(&door, request, apologize).await)
    });
    let served = http(CLEARING).keep_alive(false).serve_connection(TokioIo::new(stream), answer);
    let _ = served.await;
}

fn http(patience: Duration) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(HEADER_BYTES.max(8192))
        .half_close(true);
    http
}

async fn guarded<F: Future<Output = Response<Body>>>(
    door: &Door,
    request: Request<Incoming>,
    answer: impl FnOnce(Request<Body>) -> F,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let held_back = parts.version < Version::HTTP_2
        && parts.headers.contains_key(header::EXPECT)
        && !body.is_end_stream();
    let (is_host, allowed) =
        (|host: &str| door.service.is_host(host), |parts: &Parts| door.service.admits_origin(parts));
    if let Err(stranger) = guard::check(&parts, door.port, is_host, allowed) {
        return last_if(held_back, refusal(stranger.status(), stranger.why()));
    }
    let whose = (!body.is_end_stream()).then(|| parts.clone());
    let (body, paused, asked) = patient(body, parts.version);
    let request = Request::from_parts(parts, body);
    let answered = AssertUnwindSafe(answer(request)).catch_unwind().await;
    let answered = answered.unwrap_or_else(|_| {
        tracing::error!("a request made the daemon stumble; it was answered with 500");
        refusal(StatusCode::INTERNAL_SERVER_ERROR, "mlemu stumbled over this request: please report it")
    });
    // A service sees only that the body broke off.
    if paused.is_set() && !answered.status().is_success() {
        return door.service.apology(Strain::Slow, whose.as_ref());
    }
    last_if(held_back && !asked.is_set(), answered)
}

/// A client that holds its body back sends none once it has its answer: what comes next would be taken for it.
fn last_if(nothing_follows: bool, mut answer: Response<Body>) -> Response<Body> {
    if nothing_follows {
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// Over HTTP/2 a body may be one half of a conversation, which lasts; a client that is gone is noticed there.
fn patient(body: Incoming, version: Version) -> (Body, Paused, Asked) {
    if version == Version::HTTP_2 {
        return (Body::new(body), Paused::default(), Asked::default());
    }
    let body = Patient::new(body);
    let (paused, asked) = (body.paused(), body.asked());
    (Body::new(body), paused, asked)
}

fn refusal(status: StatusCode, why: &str) -> Response<Body> {
    let body = serde_json::json!({ "error": why });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests;
