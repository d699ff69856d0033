//! The HTTP side of a conversation: one listener per instance, answers in one write.

use super::desk::{Desk, Misplaced};
use super::names;
use base64::Engine as _;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mlemu_core::runtime::{Delivery, ReportedError, SessionReply};
use mlemu_core::{Answer, ChunkSink};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

const VERSION: &str = "/2018-06-01/runtime/";

/// A client needs one or two; a function that opens many more waits for itself and for nobody else.
const CONNECTIONS: usize = 16;
/// The pause after a connection that could not be accepted.
const BREATH: Duration = Duration::from_millis(20);

type Reply = Response<Full<Bytes>>;

/// Opens the listener of one instance. Aborting the handle closes it and every connection.
pub(super) async fn listen(desk: Arc<Desk>) -> std::io::Result<(SocketAddr, AbortHandle)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let host: Arc<str> = address.to_string().into();
    let serving = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(serve(stream, desk.clone(), host.clone()))),
                    // Out of file descriptors, most likely.
                    Err(_) => tokio::time::sleep(BREATH).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    });
    Ok((address, serving.abort_handle()))
}

async fn serve(stream: TcpStream, desk: Arc<Desk>, host: Arc<str>) {
    // Without it an answer waits 40 ms for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let (desk, host) = (desk.clone(), host.clone());
        async move { Ok::<_, Infallible>(answer(&desk, &host, request).await) }
    });
    // A client that breaks off is seen by the engine as the end of its process.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(desk: &Desk, host: &str, request: Request<Incoming>) -> Reply {
    let named = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    if named.is_some_and(|named| named != host) || request.headers().contains_key(header::ORIGIN) {
        return refusal(StatusCode::FORBIDDEN, "InvalidHost", "this listener serves one Lambda runtime");
    }
    let path = request.uri().path().to_owned();
    let Some(path) = path.strip_prefix(VERSION) else { return unknown() };
    match (request.method(), path) {
        (&Method::GET, "invocation/next") => next(desk).await,
        (&Method::POST, "init/error") => init_error(desk, request).await,
        (&Method::POST, path) => {
            match path.strip_prefix("invocation/").and_then(|rest| rest.rsplit_once('/')) {
                Some((id, "response")) => response(desk, id, request).await,
                Some((id, "error")) => error(desk, id, request).await,
                _ => unknown(),
            }
        }
        _ => unknown(),
    }
}

async fn next(desk: &Desk) -> Reply {
    match desk.next().await {
        Ok(delivery) => event(desk, *delivery),
        // A newer `next` took this one's place.
        Err(_) => misplaced(Misplaced::WrongState),
    }
}

fn event(desk: &Desk, delivery: Delivery) -> Reply {
    let id = HeaderValue::from_str(&delivery.invoke.id.0);
    let trace = HeaderValue::from_str(&trace(&delivery));
    // As `context.invoked_function_arn` shows it: with the version or the alias that the caller named.
    let arn = match &delivery.invoke.qualifier {
        Some(qualifier) => format!("{}:{qualifier}", desk.arn),
        None => desk.arn.clone(),
    };
    let mut response = Response::new(Full::new(delivery.invoke.payload));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // What cannot be a header value was not given by a header either.
    let told = [(names::REQUEST_ID, id), (names::ARN, HeaderValue::from_str(&arn)), (names::TRACE_ID, trace)];
    headers.extend(told.into_iter().filter_map(|(name, value)| Some((name, value.ok()?))));
    headers.insert(names::DEADLINE, delivery.deadline.millis().into());
    // A trace that the caller sent takes the place of ours.
    for (name, value) in delivery.invoke.attributes {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            headers.insert(name, value);
        }
    }
    response
}

/// What the function's own calls will be known by.
fn trace(delivery: &Delivery) -> String {
    let trace = mlemu_engine::settle::trace(&delivery.invoke.cause);
    let trace = if trace.is_empty() { &delivery.invoke.id.0 } else { &trace };
    crate::trace::header(trace, delivery.begun)
}

async fn response(desk: &Desk, id: &str, request: Request<Incoming>) -> Reply {
    let claim = match desk.claim(id) {
        Ok(claim) => claim,
        Err(out) => return misplaced(out),
    };
    let (parts, body) = request.into_parts();
    let streaming = parts.headers.get(names::RESPONSE_MODE).is_some_and(|mode| mode == "streaming");
    let content_type = text(&parts.headers, header::CONTENT_TYPE.as_str());
    let sink = claim.stream.clone().filter(|_| streaming);
    let limit = if sink.is_some() { desk.streamed_limit } else { desk.limit };
    let streamed = sink.is_some();
    match receive(body, limit, sink.as_deref(), content_type.as_deref()).await {
        Received::Whole(body) => {
            claim.answer(SessionReply::Answer(Answer { body, content_type, streamed, head: None }));
            accepted()
        }
        Received::Failed(error) => {
            claim.answer(SessionReply::Error(error));
            accepted()
        }
        Received::TooLarge { size } => {
            claim.answer(SessionReply::TooLarge { size, limit });
            let why = format!("Exceeded maximum allowed payload size ({limit} bytes).");
            refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &why)
        }
        // The event stays unanswered: the end of the process or the deadline decides.
        Received::Broken => std::future::pending().await,
    }
}

async fn error(desk: &Desk, id: &str, request: Request<Incoming>) -> Reply {
    let claim = match desk.claim(id) {
        Ok(claim) => claim,
        Err(out) => return misplaced(out),
    };
    let kind = text(request.headers(), names::ERROR_TYPE);
    match receive(request.into_body(), desk.limit, None, None).await {
        Received::Whole(body) => {
            claim.answer(SessionReply::Error(reported(body, kind)));
            accepted()
        }
        Received::TooLarge { size } => {
            claim.answer(SessionReply::TooLarge { size, limit: desk.limit });
            refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                "Exceeded maximum allowed payload size.",
            )
        }
        Received::Failed(_) | Received::Broken => std::future::pending().await,
    }
}

async fn init_error(desk: &Desk, request: Request<Incoming>) -> Reply {
    let kind = text(request.headers(), names::ERROR_TYPE);
    let Received::Whole(body) = receive(request.into_body(), desk.limit, None, None).await else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", "the report is too large");
    };
    match desk.init_failed(reported(body, kind)) {
        Ok(()) => accepted(),
        Err(out) => misplaced(out),
    }
}

/// A report's kind is in its header, or else in its own document.
fn reported(body: Bytes, kind: Option<String>) -> ReportedError {
    #[derive(serde::Deserialize)]
    struct Document {
        #[serde(rename = "errorType")]
        kind: Option<String>,
    }
    let kind = kind.or_else(|| serde_json::from_slice::<Document>(&body).ok()?.kind);
    ReportedError { body, kind }
}

enum Received {
    Whole(Bytes),
    /// A streamed answer that broke off with an error in its trailers.
    Failed(ReportedError),
    TooLarge {
        size: u64,
    },
    Broken,
}

/// Reads a body, into `sink` when there is one. What is over the limit is read and forgotten: a client that
/// still writes must be able to read its answer.
async fn receive(
    mut body: Incoming,
    limit: u64,
    sink: Option<&dyn ChunkSink>,
    content_type: Option<&str>,
) -> Received {
    if let Some(sink) = sink {
        sink.head(content_type.unwrap_or("application/octet-stream"));
    }
    let mut whole = BytesMut::new();
    let mut size = 0_u64;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Received::Broken };
        match frame.into_data() {
            Ok(data) => {
                size += data.len() as u64;
                match sink {
                    _ if size > limit => whole = BytesMut::new(),
                    // A reader that left stops nobody: the function does not know it.
                    Some(sink) => drop(sink.chunk(data).await),
                    None => whole.extend_from_slice(&data),
                }
            }
            Err(frame) => {
                if let Some(error) = frame.trailers_ref().and_then(broke_off) {
                    return Received::Failed(error);
                }
            }
        }
    }
    if size > limit { Received::TooLarge { size } } else { Received::Whole(whole.freeze()) }
}

fn broke_off(trailers: &HeaderMap) -> Option<ReportedError> {
    let kind = text(trailers, names::ERROR_TYPE)?;
    let body = text(trailers, names::ERROR_BODY).unwrap_or_default();
    let body = base64::engine::general_purpose::STANDARD.decode(body).unwrap_or_default();
    Some(ReportedError { body: body.into(), kind: Some(kind) })
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn accepted() -> Reply {
    json(StatusCode::ACCEPTED, Bytes::from_static(b"{\"status\":\"OK\"}\n"))
}

fn unknown() -> Reply {
    refusal(StatusCode::NOT_FOUND, "NotFound", "the Runtime API has no such path")
}

fn misplaced(out: Misplaced) -> Reply {
    match out {
        Misplaced::UnknownId => refusal(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"),
        Misplaced::WrongState => {
            refusal(StatusCode::FORBIDDEN, "InvalidStateTransition", "State transition is not allowed")
        }
    }
}

fn refusal(status: StatusCode, kind: &str, why: &str) -> Reply {
    let body = serde_json::json!({ "errorMessage": why, "errorType": kind });
    json(status, Bytes::from(body.to_string()))
}

fn json(status: StatusCode, body: Bytes) -> Reply {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
