//! A listener: loopback, guarded, with bounded headers, connections and patience.

use super::guard;
use axum::body::Body;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, header};
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
use tokio::task::JoinSet;

const HEADER_BYTES: usize = 64 * 1024;
const HEADER_PATIENCE: Duration = Duration::from_secs(10);
const CONNECTIONS: usize = 1024;

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
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let service = service.clone();
                        connections.spawn(async move {
                            connection(stream, address.port(), service).await;
                            drop(place);
                        });
                    }
                    // Out of file descriptors, most likely: others may end meanwhile.
                    Err(_) => tokio::task::yield_now().await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    });
    Ok(Serving { address, _tasks: tasks })
}

/// A listener at work; dropping it closes it and its connections.
pub struct Serving {
    pub address: SocketAddr,
    _tasks: JoinSet<()>,
}

async fn connection(stream: TcpStream, port: u16, service: Arc<dyn Service>) {
    // Without it small answers wait 40 ms for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request: Request<Incoming>| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(guarded(service, port, request).await) }
    });
    // What a client does to its own connection is its own affair.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .max_buf_size(HEADER_BYTES.max(8192))
        .half_close(true)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

async fn guarded(service: Arc<dyn Service>, port: u16, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if let Err(stranger) = guard::check(&parts, port, |parts| service.admits_origin(parts)) {
        return refusal(stranger.status(), stranger.why());
    }
    let request = Request::from_parts(parts, Body::new(body));
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
