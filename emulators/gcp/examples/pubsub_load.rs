//! Publishes messages to a Pub/Sub emulator and takes them from a stream, as fast as one client can, by bare gRPC:
//! the same client for every emulator. `pubsub_load HOST:PORT [MESSAGES] [BYTES]` prints rates as JSON.

#![expect(clippy::print_stdout, reason = "an example's result")]
#![expect(clippy::disallowed_methods, reason = "it measures real time")]

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use std::collections::HashSet;
use std::convert::Infallible;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

const BATCH: usize = 100;
const AT_ONCE: usize = 8;
const PATIENCE: Duration = Duration::from_secs(120);

/// Of this run alone.
fn named(kind: &str) -> String {
    format!("projects/demo-load/{kind}/load-{}", std::process::id())
}

#[derive(Clone, PartialEq, Message)]
struct Topic {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Subscription {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    topic: String,
    #[prost(int32, tag = "5")]
    ack_deadline_seconds: i32,
}

#[derive(Clone, PartialEq, Message)]
struct PubsubMessage {
    #[prost(bytes = "bytes", tag = "1")]
    data: Bytes,
    #[prost(string, tag = "3")]
    message_id: String,
}

#[derive(Clone, PartialEq, Message)]
struct PublishRequest {
    #[prost(string, tag = "1")]
    topic: String,
    #[prost(message, repeated, tag = "2")]
    messages: Vec<PubsubMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct PublishResponse {
    #[prost(string, repeated, tag = "1")]
    message_ids: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct StreamingPullRequest {
    #[prost(string, tag = "1")]
    subscription: String,
    #[prost(string, repeated, tag = "2")]
    ack_ids: Vec<String>,
    #[prost(int32, tag = "5")]
    stream_ack_deadline_seconds: i32,
}

#[derive(Clone, PartialEq, Message)]
struct ReceivedMessage {
    #[prost(string, tag = "1")]
    ack_id: String,
    #[prost(message, optional, tag = "2")]
    message: Option<PubsubMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct StreamingPullResponse {
    #[prost(message, repeated, tag = "1")]
    received_messages: Vec<ReceivedMessage>,
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

#[derive(Clone)]
struct Client {
    send: SendRequest<Body>,
    authority: String,
}

impl Client {
    async fn connect(authority: &str) -> Self {
        let stream = TcpStream::connect(authority).await.expect("an emulator");
        stream.set_nodelay(true).expect("no delay");
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(4 << 20).initial_connection_window_size(16 << 20);
        let (send, connection) = builder.handshake(TokioIo::new(stream)).await.expect("HTTP/2");
        tokio::spawn(connection);
        Self { send, authority: authority.to_owned() }
    }

    async fn ask(&self, service: &str, body: Body) -> Response<Incoming> {
        let request = Request::post(format!("http://{}/google.pubsub.v1.{service}", self.authority))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(body)
            .expect("a request");
        self.send.clone().send_request(request).await.expect("an answer")
    }

    async fn unary<R: Message + Default>(&self, service: &str, message: &impl Message) -> R {
        let answer = self.ask(service, Full::new(framed(message)).boxed_unsync()).await;
        let mut body = answer.into_body().collect().await.expect("a body").to_bytes();
        assert!(body.len() >= 5, "{service} was refused");
        body.advance(5);
        R::decode(body).expect("a message")
    }
}

fn framed(message: &impl Message) -> Bytes {
    let mut bytes = BytesMut::with_capacity(message.encoded_len() + 5);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.encoded_len()).expect("short"));
    message.encode(&mut bytes).expect("room");
    bytes.freeze()
}

/// Takes whole messages out of what has come.
fn unframed(buffer: &mut BytesMut) -> Option<Bytes> {
    let length = u32::from_be_bytes(buffer.get(1..5)?.try_into().ok()?) as usize;
    if buffer.len() < length + 5 {
        return None;
    }
    buffer.advance(5);
    Some(buffer.split_to(length).freeze())
}

async fn publish(client: &Client, count: usize, bytes: usize) -> HashSet<String> {
    let data = Bytes::from(vec![b'x'; bytes]);
    let batches = (0..count.div_ceil(BATCH)).map(|batch| {
        let size = BATCH.min(count - batch * BATCH);
        let messages = vec![PubsubMessage { data: data.clone(), message_id: String::new() }; size];
        let ask = PublishRequest { topic: named("topics"), messages };
        let client = client.clone();
        async move { client.unary::<PublishResponse>("Publisher/Publish", &ask).await.message_ids }
    });
    stream::iter(batches).buffer_unordered(AT_ONCE).flat_map(stream::iter).collect().await
}

/// Every id that came, in the order of arrival.
async fn consume(client: &Client, count: usize) -> Vec<String> {
    let (say, said) = mpsc::unbounded_channel();
    let first = StreamingPullRequest {
        subscription: named("subscriptions"),
        stream_ack_deadline_seconds: 60,
        ..StreamingPullRequest::default()
    };
    say.send(framed(&first)).expect("open");
    let frames = stream::unfold(said, |mut said| async move {
        let frame = Frame::data(said.recv().await?);
        Some((Ok::<_, Infallible>(frame), said))
    });
    let asks = BodyExt::boxed_unsync(StreamBody::new(frames));
    let answer = client.ask("Subscriber/StreamingPull", asks).await;
    let (mut body, mut buffer, mut ids) = (answer.into_body(), BytesMut::new(), Vec::with_capacity(count));
    while ids.len() < count {
        let frame = body.frame().await.expect("more").expect("a frame");
        let Ok(data) = frame.into_data() else { panic!("the stream ended after {}", ids.len()) };
        buffer.extend_from_slice(&data);
        while let Some(message) = unframed(&mut buffer) {
            let answer = StreamingPullResponse::decode(message).expect("a message");
            let ack_ids = answer.received_messages.iter().map(|one| one.ack_id.clone()).collect();
            let _ = say.send(framed(&StreamingPullRequest { ack_ids, ..StreamingPullRequest::default() }));
            ids.extend(answer.received_messages.into_iter().filter_map(|one| Some(one.message?.message_id)));
        }
    }
    ids
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let authority = args.next().expect("HOST:PORT");
    let mut number = |otherwise| args.next().map_or(otherwise, |text| text.parse().expect("a number"));
    let (count, bytes) = (number(10_000), number(100));
    let client = Client::connect(&authority).await;
    let _: Topic = client.unary("Publisher/CreateTopic", &Topic { name: named("topics") }).await;
    let (name, topic) = (named("subscriptions"), named("topics"));
    let said = Subscription { name, topic, ack_deadline_seconds: 60 };
    let _: Subscription = client.unary("Subscriber/CreateSubscription", &said).await;
    let began = Instant::now();
    let consumer = Client::connect(&authority).await;
    let published = async {
        let ids = publish(&client, count, bytes).await;
        (ids, began.elapsed())
    };
    let both = futures_util::future::join(published, consume(&consumer, count));
    let ((sent, publishing), got) = tokio::time::timeout(PATIENCE, both).await.expect("in time");
    let took = began.elapsed();
    let distinct: HashSet<String> = got.iter().cloned().collect();
    let rate = |took: Duration| (count as f64 / took.as_secs_f64()).round();
    println!(
        "{{\"messages\":{count},\"bytes\":{bytes},\"published_per_s\":{},\"through_per_s\":{},\"lost\":{},\"doubled\":{}}}",
        rate(publishing),
        rate(took),
        sent.difference(&distinct).count(),
        got.len() - distinct.len(),
    );
}
