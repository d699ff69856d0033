//! The least that an emulator can do: one real runtime client, one queue, nothing checked or told.
//!
//! `cargo bench --bench floor -- PORT PROGRAM ARGS...` serves `POST /` on PORT and starts the program with
//! `AWS_LAMBDA_RUNTIME_API` set; `benches/invoke.py` measures mlemu against it in interleaved rounds.

#![expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a bench starts its own program")]

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// A call that waits for the client: its event, and where the answer goes.
type Call = (Bytes, oneshot::Sender<Bytes>);

struct Floor {
    calls: mpsc::UnboundedSender<Call>,
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Call>>,
    answers: Mutex<HashMap<u64, oneshot::Sender<Bytes>>>,
    next: AtomicU64,
}

impl Floor {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let path = parts.uri.path();
        if path.ends_with("/invocation/next") {
            return self.next().await;
        }
        if let Some(rest) = path.strip_prefix("/2018-06-01/runtime/invocation/") {
            let id = rest.split('/').next().and_then(|id| id.parse().ok()).unwrap_or_default();
            let waiting = self.answers.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            if let Some(waiting) = waiting {
                let _ = waiting.send(body);
            }
            return reply(StatusCode::ACCEPTED, Bytes::from_static(b"{\"status\":\"OK\"}"));
        }
        if parts.method != Method::POST {
            return reply(StatusCode::NOT_FOUND, Bytes::new());
        }
        let (answer, answered) = oneshot::channel();
        let _ = self.calls.send((body, answer));
        reply(StatusCode::OK, answered.await.unwrap_or_default())
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        let Some((event, answer)) = self.waiting.lock().await.recv().await else {
            return reply(StatusCode::GONE, Bytes::new());
        };
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(id, answer);
        let mut response = reply(StatusCode::OK, event);
        let headers = response.headers_mut();
        headers.insert("lambda-runtime-aws-request-id", id.into());
        headers.insert("lambda-runtime-deadline-ms", 4_102_444_800_000_u64.into());
        let arn = header::HeaderValue::from_static("arn:aws:lambda:us-east-1:000000000000:function:floor");
        headers.insert("lambda-runtime-invoked-function-arn", arn);
        response
    }
}

fn reply(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let (Some(port), Some(program)) = (args.next().and_then(|port| port.parse().ok()), args.next()) else {
        eprintln!("nothing measured: benches/invoke.py starts this with a port and a program");
        return Ok(());
    };
    let (calls, waiting) = mpsc::unbounded_channel();
    let floor = Arc::new(Floor {
        calls,
        waiting: tokio::sync::Mutex::new(waiting),
        answers: Mutex::default(),
        next: AtomicU64::new(1),
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let mut client = tokio::process::Command::new(program);
    let address = listener.local_addr()?.to_string();
    let _running = client.args(args).env("AWS_LAMBDA_RUNTIME_API", address).kill_on_drop(true).spawn()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let floor = floor.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let floor = floor.clone();
                async move { Ok::<_, Infallible>(floor.answer(request).await) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
