//! The floor: the least that a server can do between a caller and Lambda's real runtime clients.
//!
//! One listener serves both sides: a caller's `POST .../invocations`, and the Runtime API's `next`,
//! `response` and `error`. No limits, no log, no processes of its own, no second thought. What mlemu takes
//! beyond this is the price of everything that it does. Usage: `floor PORT`; `benches/invoke.py` starts it.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

const RUNTIME: &str = "/2018-06-01/runtime/invocation/";

struct Job {
    id: String,
    event: Bytes,
}

/// Who waits for what.
#[derive(Default)]
struct Desk {
    next_id: u64,
    /// Events that no client has asked for yet.
    jobs: VecDeque<Job>,
    /// Clients that wait for an event; the last to come is the first to get one.
    clients: Vec<oneshot::Sender<Job>>,
    callers: HashMap<String, oneshot::Sender<Bytes>>,
}

type Shared = Arc<Mutex<Desk>>;

/// A caller: its event goes to a client that waits, or waits itself.
async fn invoke(desk: Shared, event: Bytes) -> Response<Full<Bytes>> {
    let answer = {
        let mut desk = desk.lock().expect("whole");
        desk.next_id += 1;
        let mut job = Job { id: format!("00000000-0000-4000-8000-{:012x}", desk.next_id), event };
        let (caller, answer) = oneshot::channel();
        desk.callers.insert(job.id.clone(), caller);
        loop {
            let Some(client) = desk.clients.pop() else { break desk.jobs.push_back(job) };
            match client.send(job) {
                Ok(()) => break,
                Err(back) => job = back,
            }
        }
        answer
    };
    match answer.await {
        Ok(body) => Response::new(Full::new(body)),
        Err(_) => status(StatusCode::BAD_GATEWAY),
    }
}

/// A client asks for an event.
async fn next(desk: Shared) -> Response<Full<Bytes>> {
    let waiting = {
        let mut desk = desk.lock().expect("whole");
        let (client, waiting) = oneshot::channel();
        match desk.jobs.pop_front() {
            Some(job) => drop(client.send(job)),
            None => desk.clients.push(client),
        }
        waiting
    };
    let Ok(job) = waiting.await else { return status(StatusCode::BAD_GATEWAY) };
    let response = Response::builder()
        .header("Content-Type", "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", job.id)
        .header("Lambda-Runtime-Deadline-Ms", "99999999999999")
        .header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:app");
    response.body(Full::new(job.event)).expect("a response of fixed parts")
}

/// A client answers, or says that its handler failed: the floor makes no difference.
fn answered(desk: &Shared, id: &str, body: Bytes) -> Response<Full<Bytes>> {
    if let Some(caller) = desk.lock().expect("whole").callers.remove(id) {
        let _ = caller.send(body);
    }
    status(StatusCode::ACCEPTED)
}

fn status(code: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = code;
    response
}

async fn answer(desk: Shared, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return Ok(status(StatusCode::BAD_REQUEST)) };
    let (path, body) = (head.uri.path(), body.to_bytes());
    Ok(match path.strip_prefix(RUNTIME) {
        Some("next") => next(desk).await,
        Some(rest) => answered(&desk, rest.split('/').next().unwrap_or_default(), body),
        None if path.ends_with("/invocations") => invoke(desk, body).await,
        None => status(StatusCode::NOT_FOUND),
    })
}

async fn serve(stream: TcpStream, desk: Shared) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(desk.clone(), request));
    // A peer that hangs up is no fault.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

#[tokio::main]
async fn main() {
    let port = std::env::args().nth(1).and_then(|port| port.parse::<u16>().ok());
    let port = port.expect("usage: floor PORT");
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
    let desk = Shared::default();
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, desk.clone()));
    }
}
