//! What a refused request still sends.
//!
//! A client that is still writing its body would not read the refusal, and a connection that is closed on
//! it reads as a broken pipe. So the rest is read and forgotten, up to a limit.

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Version};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// How much is read for politeness, in bytes.
const LIMIT: usize = 64 * 1024 * 1024;

/// A body that drains itself when it is dropped unread.
struct Patient {
    rest: Option<Body>,
}

/// Makes the body one that may be dropped early. One that the client holds back until it is asked for may be dropped
/// anyway, and so may one that has its stream for itself.
pub fn patient(request: Request<Body>) -> Request<Body> {
    let held_back = request.headers().contains_key(http::header::EXPECT);
    if held_back || request.version() > Version::HTTP_11 || request.body().is_end_stream() {
        return request;
    }
    request.map(|body| Body::new(Patient { rest: Some(body) }))
}

impl HttpBody for Patient {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let polled = Pin::new(rest).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.rest = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.rest.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        let (Some(rest), Ok(runtime)) = (self.rest.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        if !rest.is_end_stream() {
            runtime.spawn(drain(rest));
        }
    }
}

async fn drain(mut rest: Body) {
    let mut drained = 0;
    while let Some(Ok(frame)) = rest.frame().await {
        drained += frame.data_ref().map_or(0, Bytes::len);
        if drained > LIMIT {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{StreamExt, stream};
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn what_is_not_read_is_drained() {
        let (sender, mut drained) = mpsc::unbounded_channel();
        let chunks = stream::iter(0..5).map(move |at| {
            sender.send(at).unwrap();
            Ok::<_, std::io::Error>(Bytes::from_static(b"chunk"))
        });
        let mut body = patient(Request::new(Body::from_stream(chunks))).into_body().into_data_stream();
        assert!(body.next().await.unwrap().is_ok());
        drop(body);
        let mut seen = Vec::new();
        while let Some(at) = drained.recv().await {
            seen.push(at);
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
    }
}
