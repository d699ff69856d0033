//! The one stream between the host and a worker: a gRPC server of one method for each instance, on the loopback
//! interface.

use super::messages::{Content, InvocationResponse, RpcLog, StreamingMessage};
use axum::body::Body;
use bytes::Buf;
use futures_util::{Stream, StreamExt};
use http::{Request, Response, StatusCode, header};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::Grpc;
use tonic::{Status, Streaming};

const METHOD: &str = "/AzureFunctionsRpcMessages.FunctionRpc/EventStream";

/// The host's end.
pub(super) struct Line {
    /// What is no answer to a call, and no line of a log.
    pub(super) from_worker: tokio::sync::Mutex<mpsc::UnboundedReceiver<StreamingMessage>>,
    pub(super) to_worker: mpsc::UnboundedSender<StreamingMessage>,
    calls: Arc<Calls>,
    serving: AbortHandle,
}

impl Line {
    /// Where the answer to a call will come; one that never comes is seen by the end of it.
    pub(super) fn answer(&self, invocation: &str) -> oneshot::Receiver<InvocationResponse> {
        let (answer, answered) = oneshot::channel();
        if let Some(waiting) = self.calls.waiting().as_mut() {
            waiting.insert(invocation.to_owned(), answer);
        }
        answered
    }

    /// Whether the worker still listens.
    pub(super) fn is_open(&self) -> bool {
        self.calls.waiting().is_some()
    }
}

/// Calls whose answers are awaited, many at a time.
struct Calls {
    /// `None`: the stream has ended.
    waiting: Mutex<Option<HashMap<String, oneshot::Sender<InvocationResponse>>>>,
    /// Takes what the worker logs.
    log: Box<dyn Fn(RpcLog) + Send + Sync>,
}

impl Calls {
    fn waiting(&self) -> MutexGuard<'_, Option<HashMap<String, oneshot::Sender<InvocationResponse>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is for nobody here is handed back.
    fn take(&self, message: StreamingMessage) -> Option<StreamingMessage> {
        match message.content {
            Some(Content::InvocationResponse(response)) => {
                let call = self.waiting().as_mut().and_then(|all| all.remove(&response.invocation_id));
                if let Some(call) = call {
                    // Whoever asked may have gone meanwhile.
                    let _ = call.send(response);
                }
                None
            }
            Some(Content::RpcLog(log)) => {
                (self.log)(log);
                None
            }
            content => Some(StreamingMessage { content, ..message }),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The worker's end, for the first that comes.
struct End {
    heard: mpsc::UnboundedSender<StreamingMessage>,
    calls: Arc<Calls>,
    said: mpsc::UnboundedReceiver<StreamingMessage>,
}

type Free = Arc<Mutex<Option<End>>>;

/// Opens a listener for one worker. It closes with the line. `log` takes what the worker logs by the stream.
pub(super) async fn listen(
    log: impl Fn(RpcLog) + Send + Sync + 'static,
) -> std::io::Result<(SocketAddr, Line)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let (heard, from_worker) = mpsc::unbounded_channel();
    let (to_worker, said) = mpsc::unbounded_channel();
    let calls = Arc::new(Calls { waiting: Mutex::new(Some(HashMap::new())), log: Box::new(log) });
    let free: Free = Arc::new(Mutex::new(Some(End { heard, calls: calls.clone(), said })));
    let serving = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    if let Ok((stream, _)) = accepted {
                        connections.spawn(serve(stream, free.clone(), address));
                    }
                }
                Some(_) = connections.join_next() => {}
            }
        }
    });
    let serving = serving.abort_handle();
    Ok((address, Line { from_worker: from_worker.into(), to_worker, calls, serving }))
}

async fn serve(stream: TcpStream, free: Free, address: SocketAddr) {
    // Without it an answer waits for the worker's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let free = free.clone();
        async move { Ok::<_, Infallible>(answer(free, address, request.map(Body::new)).await) }
    });
    // A worker that breaks off is seen at the end of its stream.
    let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(free: Free, address: SocketAddr, request: Request<Body>) -> Response<Body> {
    let named = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let strange = named.is_some_and(|named| named != address.to_string() && !is_localhost(&named, address));
    if strange || request.headers().contains_key(header::ORIGIN) {
        return status(StatusCode::FORBIDDEN);
    }
    if request.uri().path() != METHOD {
        return status(StatusCode::NOT_FOUND);
    }
    let mut server =
        Grpc::new(Spelled).max_decoding_message_size(usize::MAX).max_encoding_message_size(usize::MAX);
    let talk = tower::service_fn(move |request| {
        let end = free.lock().unwrap_or_else(PoisonError::into_inner).take();
        async move { end.map(|end| tonic::Response::new(talk(end, request))).ok_or_else(taken) }
    });
    server.streaming(talk, request).await.map(Body::new)
}

fn is_localhost(named: &str, address: SocketAddr) -> bool {
    named == format!("localhost:{}", address.port())
}

fn taken() -> Status {
    Status::already_exists("this host has its worker")
}

fn status(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response
}

/// Listens until the worker ends its stream or says what is no message, and speaks meanwhile.
fn talk(
    end: End,
    request: tonic::Request<Streaming<StreamingMessage>>,
) -> impl Stream<Item = Result<StreamingMessage, Status>> + Send + 'static {
    let End { heard, calls, said } = end;
    let (mut worker, over) = (request.into_inner(), CancellationToken::new());
    // However it ends, both halves end: a sane worker ends itself then.
    let ends = over.clone().drop_guard();
    tokio::spawn(async move {
        while let Some(Ok(message)) = worker.next().await {
            if calls.take(message).is_some_and(|message| heard.send(message).is_err()) {
                break;
            }
        }
        *calls.waiting() = None;
        drop(ends);
    });
    futures_util::stream::unfold((said, over), |(mut said, over)| async {
        let message = tokio::select! {
            biased;
            message = said.recv() => message?,
            () = over.cancelled() => return None,
        };
        Some((Ok(message), (said, over)))
    })
}

/// Messages as prost spells them.
#[derive(Clone, Copy, Debug, Default)]
struct Spelled;

impl Codec for Spelled {
    type Encode = StreamingMessage;
    type Decode = StreamingMessage;
    type Encoder = Spelled;
    type Decoder = Spelled;

    fn encoder(&mut self) -> Spelled {
        Spelled
    }

    fn decoder(&mut self) -> Spelled {
        Spelled
    }
}

impl Encoder for Spelled {
    type Item = StreamingMessage;
    type Error = Status;

    fn encode(&mut self, item: StreamingMessage, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(into).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for Spelled {
    type Item = StreamingMessage;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<StreamingMessage>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        StreamingMessage::decode(bytes).map(Some).map_err(|error| Status::invalid_argument(error.to_string()))
    }
}
