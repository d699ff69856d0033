//! What a refused request still sends.
//!
//! A client that is still writing its body would not read the refusal, and a connection that is closed on
//! it reads as a broken pipe. So the rest is read and forgotten, up to a limit.

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt};
use http::HeaderMap;
use std::pin::Pin;
use std::task::{Context, Poll};

/// How much is read for politeness, in bytes.
const LIMIT: usize = 64 * 1024 * 1024;

/// A body that drains itself when it is dropped unread.
struct Patient {
    rest: Option<BodyDataStream>,
}

/// Makes a body that may be dropped early. One that the client holds back until it is asked for may be
/// dropped anyway.
pub(super) fn patient(body: Body, headers: &HeaderMap) -> Body {
    if headers.contains_key(http::header::EXPECT) {
        return body;
    }
    Body::from_stream(Patient { rest: Some(body.into_data_stream()) })
}

impl Stream for Patient {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let polled = rest.poll_next_unpin(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.rest = None;
        }
        polled
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        let (Some(rest), Ok(runtime)) = (self.rest.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        runtime.spawn(drain(rest));
    }
}

async fn drain(mut rest: BodyDataStream) {
    let mut drained = 0;
    while let Some(Ok(chunk)) = rest.next().await {
        drained += chunk.len();
        if drained > LIMIT {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn what_is_not_read_is_drained() {
        let (sender, mut drained) = mpsc::unbounded_channel();
        let chunks = stream::iter(0..5).map(move |at| {
            sender.send(at).unwrap();
            Ok::<_, std::io::Error>(Bytes::from_static(b"chunk"))
        });
        let mut body = patient(Body::from_stream(chunks), &HeaderMap::new()).into_data_stream();
        assert!(body.next().await.unwrap().is_ok());
        drop(body);
        let mut seen = Vec::new();
        while let Some(at) = drained.recv().await {
            seen.push(at);
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
    }
}
