//! A listener: loopback, guarded, with bounded headers, connections and patience.

use super::patience::Patient;
use super::stream::Stream;
use super::{dialect, guard};
use axum::body::Body;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

const HEADER_BYTES: usize = 64 * 1024;
const HEADER_PATIENCE: Duration = Duration::from_secs(10);
const CONNECTIONS: usize = 1024;
/// How long answers under way may take when the listener closes.
const GRACE: Duration = Duration::from_millis(500);

/// What stands behind a listener.
pub trait Service: Send + Sync + 'static {
    fn answer(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>>;

    /// Whether the request's target lets the web page in that sent it.
    fn admits_origin(&self, parts: &Parts) -> bool;
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
    let address = listener.local_addr()?;
    let closing = CancellationToken::new();
    let task = tokio::spawn(accept(listener, address.port(), service, closing.clone()));
    Ok(Serving { address, closing, task })
}

async fn accept(listener: TcpListener, port: u16, service: Arc<dyn Service>, closing: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    while !closing.is_cancelled() {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (service, closing) = (service.clone(), closing.clone());
                    connections.spawn(async move {
                        connection(stream, port, service, closing).await;
                        drop(place);
                    });
                }
                // Out of file descriptors, most likely: others may end meanwhile.
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = connections.join_next() => {}
            () = closing.cancelled() => {}
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
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

async fn connection(stream: TcpStream, port: u16, service: Arc<dyn Service>, closing: CancellationToken) {
    let is_http2 = tokio::select! {
        is_http2 = dialect::is_http2(&stream, HEADER_PATIENCE) => is_http2,
        () = closing.cancelled() => return,
    };
    let Some(is_http2) = is_http2 else { return };
    let stream = Stream::new(stream);
    let hang_up = stream.hang_up();
    let answer = service_fn(move |mut request: Request<Incoming>| {
        let service = service.clone();
        if !is_http2 {
            request.extensions_mut().insert(hang_up.clone());
        }
        async move { Ok::<_, Infallible>(guarded(service, port, request).await) }
    });
    if is_http2 {
        let served = dialect::http2().serve_connection(TokioIo::new(stream), answer);
        tokio::pin!(served);
        tokio::select! {
            _ = served.as_mut() => {}
            () = closing.cancelled() => {
                served.as_mut().graceful_shutdown();
                let _ = served.await;
            }
        }
        return;
    }
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .max_buf_size(HEADER_BYTES.max(8192))
        .half_close(true)
        .serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(served);
    // What a client does to its own connection is its own affair.
    tokio::select! {
        _ = served.as_mut() => {}
        () = closing.cancelled() => {
            served.as_mut().graceful_shutdown();
            let _ = served.await;
        }
    }
}

async fn guarded(service: Arc<dyn Service>, port: u16, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if let Err(stranger) = guard::check(&parts, port, |parts| service.admits_origin(parts)) {
        return refusal(stranger.status(), stranger.why());
    }
    // Over HTTP/2 a body may be one half of a conversation, which lasts; a client that is gone is noticed.
    let body = if parts.version == Version::HTTP_2 { Body::new(body) } else { Body::new(Patient::new(body)) };
    let request = Request::from_parts(parts, body);
    let answered = AssertUnwindSafe(async { service.answer(request).await }).catch_unwind().await;
    answered.unwrap_or_else(|_| {
        tracing::error!("a request made the daemon stumble; it was answered with 500");
        refusal(StatusCode::INTERNAL_SERVER_ERROR, "mlemu stumbled over this request: please report it")
    })
}

fn refusal(status: StatusCode, why: &str) -> Response<Body> {
    let body = serde_json::json!({ "error": why });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
