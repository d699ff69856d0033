//! InvokeWithResponseStream: the answer in frames, while it is made.

use super::super::decode::Call;
use super::super::ending;
use super::super::eventstream::{self, CONTENT_TYPE};
use super::super::fault::{Code, Fault};
use super::super::streaming::{self, Feed, Piece};
use super::super::target::LATEST;
use super::super::{Lambda, decode, encode};
use super::invoke;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use mlemu_core::{Mode, Outcome, Reply};
use serde_json::json;
use std::collections::VecDeque;
use std::convert::Infallible;

/// Largest payload of one frame, in bytes.
const FRAME: usize = 64 * 1024;

pub async fn run(lambda: &Lambda, call: &Call<'_>, body: Body) -> Result<Response, Fault> {
    let target = call.target(&lambda.settings)?;
    let mode = decode::mode(call.header("x-amz-invocation-type"))?;
    if mode == Mode::Queue {
        let expected = "Member must satisfy enum value set: [RequestResponse, DryRun]";
        return Err(Fault::constraint("Event", "invocationType", expected));
    }
    let mut request = invoke::request(lambda, call, &target, Mode::Wait, body).await?;
    request.mode = mode;
    let mut feed = streaming::start(lambda.functions.clone(), request);
    // A refusal still has a status of its own: the head goes out with the first piece.
    let first = match feed.next().await {
        Piece::End(Err(refusal)) => return Err(Fault::refused(&refusal, &target.arn(&lambda.settings))),
        Piece::End(Ok(Reply::WouldRun)) => return Ok(encode::empty(StatusCode::NO_CONTENT)),
        first => first,
    };
    let frames = Frames { feed, id: call.id.to_owned(), ready: VecDeque::new(), ended: false };
    head(target.pinned().unwrap_or(LATEST), frames.with(first).into_body())
}

fn head(version: &str, body: Body) -> Result<Response, Fault> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    let version = HeaderValue::from_str(version)
        .map_err(|_| Fault::new(Code::Service, "the version's name is no header"))?;
    headers.insert("x-amz-executed-version", version);
    Ok(response)
}

struct Frames {
    feed: Feed,
    id: String,
    ready: VecDeque<Bytes>,
    ended: bool,
}

impl Frames {
    fn with(mut self, piece: Piece) -> Self {
        match piece {
            Piece::Chunk(bytes) => self.payload(&bytes),
            Piece::End(Ok(Reply::Done(outcome))) => self.end(*outcome),
            Piece::End(_) => {
                self.complete(Some(("ServiceException", "The emulator is stopping.")), None);
            }
        }
        self
    }

    fn payload(&mut self, bytes: &[u8]) {
        let frames = bytes
            .chunks(FRAME)
            .map(|part| eventstream::event("PayloadChunk", "application/octet-stream", part));
        self.ready.extend(frames);
    }

    fn end(&mut self, outcome: Outcome) {
        let log = (!outcome.log.is_empty()).then(|| encode::log_tail(&outcome.log));
        match outcome.result {
            Ok(answer) => {
                self.payload(&answer.body);
                self.complete(None, log);
            }
            Err(failure) => {
                let details = ending::body(&failure, &self.id);
                let details = String::from_utf8_lossy(&details);
                self.complete(Some((&ending::error_type(&failure), &details)), log);
            }
        }
    }

    fn complete(&mut self, error: Option<(&str, &str)>, log: Option<String>) {
        let mut document = serde_json::Map::new();
        if let Some((code, details)) = error {
            document.insert("ErrorCode".into(), json!(code));
            document.insert("ErrorDetails".into(), json!(details));
        }
        if let Some(log) = log {
            document.insert("LogResult".into(), json!(log));
        }
        let document = serde_json::Value::Object(document).to_string();
        self.ready.push_back(eventstream::event("InvokeComplete", "application/json", document.as_bytes()));
        self.ended = true;
    }

    fn into_body(self) -> Body {
        Body::from_stream(stream::unfold(self, |mut frames| async move {
            loop {
                if let Some(frame) = frames.ready.pop_front() {
                    return Some((Ok::<_, Infallible>(frame), frames));
                }
                if frames.ended {
                    return None;
                }
                let piece = frames.feed.next().await;
                frames = frames.with(piece);
            }
        }))
    }
}
