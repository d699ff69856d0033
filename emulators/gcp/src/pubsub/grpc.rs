//! The gRPC side: frames in, frames out. Which operation runs is [`super::methods`]' affair.

use super::PubSub;
use super::fault::Fault;
use super::methods::{Ask, Call, Said, proto};
use super::streaming;
use super::wire::StreamingPullResponse;
use crate::rpc;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use http::Request;
use mlemu_core::Cause;
use mlemu_engine::Ids;
use prost::Message;
use tonic::{Status, Streaming};

/// Of a request's message, in bytes: a full publish with all that goes around it.
const LARGEST: usize = 16 * 1024 * 1024;
const STREAM: &str = "/google.pubsub.v1.Subscriber/StreamingPull";
const SERVICES: [&str; 4] = [
    "/google.pubsub.v1.Publisher/",
    "/google.pubsub.v1.Subscriber/",
    "/google.pubsub.v1.SchemaService/",
    "/google.iam.v1.IAMPolicy/",
];

pub(super) async fn answer(pubsub: &PubSub, request: Request<Body>) -> Response {
    let path = request.uri().path().to_owned();
    let mut server = rpc::server(LARGEST);
    let answered = if path == STREAM {
        let pubsub = pubsub.clone();
        let streaming = tower::service_fn(move |request| stream(pubsub.clone(), request));
        server.streaming(streaming, request).await
    } else {
        let pubsub = pubsub.clone();
        let unary = tower::service_fn(move |request| unary(pubsub.clone(), path.clone(), request));
        server.unary(unary, request).await
    };
    answered.map(Body::new)
}

async fn unary(
    pubsub: PubSub,
    path: String,
    request: tonic::Request<Bytes>,
) -> Result<tonic::Response<Bytes>, Status> {
    let method = SERVICES.iter().find_map(|service| path.strip_prefix(service));
    let Some(method) = method else { return Err(pubsub.unsupported(&path).status()) };
    let cause = Cause::Request(trace(request.metadata(), pubsub.queues().ids()).into());
    let call = Call::new(Ask::Proto(request.into_inner()), cause);
    match pubsub.call(method, call).await {
        Ok(Said::Proto(bytes)) => Ok(tonic::Response::new(bytes)),
        Ok(Said::Json(_)) => Err(Status::internal("an answer in another spelling")),
        Err(fault) => Err(fault.status()),
    }
}

/// The trace that a caller says it is part of, or a new one.
fn trace(said: &tonic::metadata::MetadataMap, ids: &Ids) -> String {
    let said =
        ["x-cloud-trace-context", "traceparent"].iter().find_map(|name| said.get(*name)?.to_str().ok());
    said.map_or_else(|| ids.fresh("trace").hex(), str::to_owned)
}

async fn stream(
    pubsub: PubSub,
    request: tonic::Request<Streaming<Bytes>>,
) -> Result<tonic::Response<impl Stream<Item = Result<Bytes, Status>>>, Status> {
    let asked = request.into_inner().map_err(|status| Fault::new(status.code(), status.message()));
    let asked = asked.and_then(|bytes| std::future::ready(proto(bytes)));
    let said = streaming::open(pubsub, asked.boxed()).await.map_err(|fault| fault.status())?;
    let spelled = |message: StreamingPullResponse| Bytes::from(message.encode_to_vec());
    Ok(tonic::Response::new(said.map(move |one| one.map(spelled).map_err(|fault: Fault| fault.status()))))
}
