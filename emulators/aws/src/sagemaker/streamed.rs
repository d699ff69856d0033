//! `InvokeEndpointWithResponseStream`: parts of the answer, while its function gives them.
//!
//! Source: SageMaker Runtime API reference, "InvokeEndpointWithResponseStream".

use super::fault::Fault;
use super::ops::{self, VARIANT, put};
use super::{Call, Front};
use crate::lambda::eventstream;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderName, header};
use mlemu_core::{Boxed, ChunkSink};
use mlemu_engine::endpoints::Answered;
use serde_json::json;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use tokio::sync::mpsc;

const STREAMED_TYPE: HeaderName = HeaderName::from_static("x-amzn-sagemaker-content-type");
const USUAL_TYPE: &str = "application/octet-stream";
/// Largest part of an answer, in bytes.
const PART: usize = 64 * 1024;
/// Pieces on their way before the function waits for its reader.
const AHEAD: usize = 16;

enum Piece {
    Chunk(Bytes),
    /// Always the last.
    End(Result<Box<Answered>, Fault>),
}

struct Pipe {
    pieces: mpsc::Sender<Piece>,
    kind: Arc<OnceLock<String>>,
}

impl ChunkSink for Pipe {
    fn head(&self, content_type: &str) {
        // The first word counts.
        let _ = self.kind.set(content_type.to_owned());
    }

    fn chunk(&self, bytes: Bytes) -> Boxed<'_, bool> {
        Box::pin(async move { self.pieces.send(Piece::Chunk(bytes)).await.is_ok() })
    }
}

pub(super) async fn run(front: &Arc<Front>, call: &Call<'_>) -> Result<Response, Fault> {
    let mut asked = call.asked(call.body.clone(), call.content_type());
    let turn = front.endpoints.turn(call.endpoint, &asked).map_err(|why| front.fault(call.endpoint, why))?;
    let variant = turn.variant.name.clone();
    let (sender, mut pieces) = mpsc::channel(AHEAD);
    let kind = Arc::<OnceLock<String>>::default();
    asked.stream = Some(Arc::new(Pipe { pieces: sender.clone(), kind: kind.clone() }));
    let (task, endpoint) = (front.clone(), call.endpoint.to_owned());
    tokio::spawn(async move {
        let answered = task.endpoints.take(turn, asked).await;
        let answered = task.heard(&endpoint, answered).map(Box::new);
        // Fails only when nobody reads any more.
        let _ = sender.send(Piece::End(answered)).await;
    });
    // A failure still has a status of its own: the head goes out with the first piece.
    let first = match pieces.recv().await {
        Some(Piece::End(Err(fault))) => return Err(fault),
        first => first,
    };
    let told = match &first {
        Some(Piece::End(Ok(answered))) => ops::kind_of(&answered.answer),
        _ => kind.get().cloned().unwrap_or_else(|| USUAL_TYPE.into()),
    };
    let mut response = Response::new(Frames::new(pieces).with(first).into_body());
    put(&mut response, header::CONTENT_TYPE, eventstream::CONTENT_TYPE);
    put(&mut response, STREAMED_TYPE, &told);
    put(&mut response, VARIANT, &variant);
    Ok(response)
}

struct Frames {
    pieces: mpsc::Receiver<Piece>,
    ready: VecDeque<Bytes>,
    ended: bool,
}

impl Frames {
    fn new(pieces: mpsc::Receiver<Piece>) -> Self {
        Self { pieces, ready: VecDeque::new(), ended: false }
    }

    fn with(mut self, piece: Option<Piece>) -> Self {
        match piece {
            Some(Piece::Chunk(bytes)) => self.payload(&bytes),
            Some(Piece::End(Ok(answered))) => {
                self.payload(&answered.answer.body);
                self.ended = true;
            }
            Some(Piece::End(Err(fault))) => self.fail(&fault.text),
            None => self.fail("The emulator is stopping."),
        }
        self
    }

    fn payload(&mut self, bytes: &[u8]) {
        let parts = bytes.chunks(PART).map(|part| eventstream::event("PayloadPart", USUAL_TYPE, part));
        self.ready.extend(parts);
    }

    fn fail(&mut self, why: &str) {
        let document = json!({ "Message": why, "ErrorCode": "StreamBroken" }).to_string();
        self.ready.push_back(eventstream::exception("ModelStreamError", document.as_bytes()));
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
                let piece = frames.pieces.recv().await;
                frames = frames.with(piece);
            }
        }))
    }
}
