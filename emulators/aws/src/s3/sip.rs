//! Feeding a form parser in sips.
//!
//! The parser takes whatever its stream has ready, all at once, and keeps all that comes before a boundary.
//! This stream gives one chunk for each time it is asked, and only so much before the file has begun.

use super::fault::{Code, Fault};
use bytes::Bytes;
use futures_util::stream::Stream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

/// What may come before the file begins, in bytes: the fields and one large read.
const BEFORE_FILE: usize = 1024 * 1024;

/// Opened when the file begins: from then on any length may follow.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<AtomicBool>);

impl Gate {
    pub fn open(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(super) struct Sips<S> {
    inner: S,
    gate: Gate,
    taken: usize,
    resting: bool,
}

impl<S> Sips<S> {
    pub fn new(inner: S, gate: Gate) -> Self {
        Self { inner, gate, taken: 0, resting: false }
    }
}

impl<S: Stream<Item = Result<Bytes, Fault>> + Unpin> Stream for Sips<S> {
    type Item = Result<Bytes, Fault>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.resting) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let chunk = ready!(Pin::new(&mut self.inner).poll_next(context));
        self.resting = true;
        self.taken += chunk.as_ref().map_or(0, |chunk| chunk.as_ref().map_or(0, Bytes::len));
        if self.taken > BEFORE_FILE && !self.gate.0.load(Ordering::Relaxed) {
            return Poll::Ready(Some(Err(Code::MaxPostPreDataLengthExceededError.into())));
        }
        Poll::Ready(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream::{self, StreamExt};
    use std::task::Waker;

    fn chunks(count: usize) -> impl Stream<Item = Result<Bytes, Fault>> + Unpin {
        stream::iter((0..count).map(|_| Ok(Bytes::from(vec![0; 300_000]))))
    }

    #[test]
    fn one_chunk_for_each_time_it_is_asked() {
        let mut sips = Sips::new(chunks(2), Gate::default());
        let mut context = Context::from_waker(Waker::noop());
        let polled: Vec<bool> = (0..5).map(|_| sips.poll_next_unpin(&mut context).is_ready()).collect();
        assert_eq!(polled, [true, false, true, false, true]);
    }

    #[tokio::test]
    async fn what_has_no_file_ends_soon() {
        let mut sips = Sips::new(chunks(100), Gate::default());
        let mut read = 0;
        while let Some(Ok(_)) = sips.next().await {
            read += 1;
        }
        assert_eq!(read, 3);
        let gate = Gate::default();
        let sips = Sips::new(chunks(100), gate.clone());
        gate.open();
        assert_eq!(sips.count().await, 100);
    }
}
