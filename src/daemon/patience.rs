//! A request's body whose sender may not pause for ever: who sends nothing for long loses its connection.
//!
//! A small piece is copied out of the buffer that the connection reads into. Whoever keeps it, in a queue, a bucket
//! or the history, keeps so many bytes then and not the whole buffer, and the connection uses that again.

use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use thiserror::Error;
use tokio::time::Sleep;

/// The longest pause within a body, some more than any client makes.
pub const PAUSE: Duration = Duration::from_secs(30);

/// A larger piece is worth its buffer.
const SMALL: usize = 4096;

/// Why a body broke off.
#[derive(Debug, Error)]
pub enum Broken<E> {
    #[error("the client sent nothing of its request for {} s", PAUSE.as_secs())]
    Pause,
    #[error(transparent)]
    Inner(E),
}

/// Whether a body broke off because its sender paused.
#[derive(Clone, Debug, Default)]
pub struct Paused(Arc<AtomicBool>);

impl Paused {
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether anybody has asked for a body yet.
#[derive(Clone, Debug, Default)]
pub struct Asked(Arc<AtomicBool>);

impl Asked {
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts only while somebody waits for more of the body.
pub struct Patient<B> {
    body: B,
    patience: Option<Pin<Box<Sleep>>>,
    paused: Paused,
    asked: Asked,
}

impl<B> Patient<B> {
    pub fn new(body: B) -> Self {
        Self { body, patience: None, paused: Paused::default(), asked: Asked::default() }
    }

    pub fn asked(&self) -> Asked {
        self.asked.clone()
    }

    pub fn paused(&self) -> Paused {
        self.paused.clone()
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Patient<B> {
    type Data = Bytes;
    type Error = Broken<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.asked.0.store(true, Ordering::Relaxed);
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.patience = None;
            let own = |frame: Frame<Bytes>| frame.map_data(own);
            return Poll::Ready(frame.map(|frame| frame.map(own).map_err(Broken::Inner)));
        }
        let patience = self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(PAUSE)));
        patience.as_mut().poll(context).map(|()| {
            self.paused.0.store(true, Ordering::Relaxed);
            Some(Err(Broken::Pause))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn own(piece: Bytes) -> Bytes {
    if piece.len() <= SMALL { Bytes::copy_from_slice(&piece) } else { piece }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[test]
    fn small_pieces_leave_the_buffer_free() {
        let buffer = Bytes::from(vec![7; 2 * SMALL]);
        let (small, large) = (own(buffer.slice(..SMALL)), own(buffer.slice(..=SMALL)));
        assert_eq!((&small[..], &large[..]), (&buffer[..SMALL], &buffer[..=SMALL]));
        assert!(!buffer.as_ptr_range().contains(&small.as_ptr()));
        assert!(buffer.as_ptr_range().contains(&large.as_ptr()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_the_body_and_slowness_does_not() {
        let (pieces, body) = tokio::sync::mpsc::channel::<Bytes>(1);
        let frames = futures_util::stream::unfold(body, |mut body| async move {
            let piece = body.recv().await?;
            Some((Ok::<_, std::convert::Infallible>(Frame::data(piece)), body))
        });
        let mut patient = Patient::new(http_body_util::StreamBody::new(Box::pin(frames)));
        for _ in 0..3 {
            let (frame, ()) = tokio::join!(patient.frame(), async {
                tokio::time::advance(PAUSE / 2).await;
                pieces.send(Bytes::from_static(b"x")).await.expect("read");
            });
            assert!(frame.is_some_and(|frame| frame.is_ok()));
        }
        let end = patient.frame().await;
        assert!(matches!(end, Some(Err(Broken::Pause))));
        assert!(patient.paused().is_set());
    }
}
