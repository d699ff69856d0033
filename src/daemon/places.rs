//! The places of a listener's connections: how many there are, and who leaves when all are taken.
//!
//! A connection without a request under way keeps its place only until somebody needs it: the one that has
//! waited longest goes first. Where every connection is at work, newcomers stand in a short corridor, where
//! they are told so; what does not even fit there is closed at once. Nobody is left without a word.

use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Newcomers that are told at the same time that there is no place.
const CORRIDOR: usize = 64;

/// All places of one listener.
#[derive(Debug)]
pub struct Places {
    free: Arc<Semaphore>,
    corridor: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

/// Connections with nothing to do, in the order in which they came to it.
#[derive(Debug, Default)]
struct Idle {
    next: u64,
    waiting: BTreeMap<u64, CancellationToken>,
}

/// What a newcomer gets.
#[derive(Debug)]
pub enum Room {
    Place(Arc<Place>),
    /// All are taken. `clearing`: somebody was asked to go, so that a place is about to be free.
    Corridor {
        standing: OwnedSemaphorePermit,
        clearing: bool,
    },
    Full,
}

impl Places {
    pub fn new(places: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(places)),
            corridor: Arc::new(Semaphore::new(CORRIDOR)),
            idle: Mutex::default(),
        })
    }

    pub fn enter(self: &Arc<Self>) -> Room {
        if let Ok(permit) = self.free.clone().try_acquire_owned() {
            return Room::Place(Place::take(self.clone(), permit));
        }
        let Ok(standing) = self.corridor.clone().try_acquire_owned() else { return Room::Full };
        Room::Corridor { standing, clearing: self.ask_one_to_go() }
    }

    /// The next place that gets free.
    pub async fn next(self: &Arc<Self>) -> Option<Arc<Place>> {
        let permit = self.free.clone().acquire_owned().await.ok()?;
        Some(Place::take(self.clone(), permit))
    }

    /// `false`: all are at work.
    pub fn ask_one_to_go(&self) -> bool {
        let longest = self.idle().waiting.pop_first();
        longest.map(|(_, leave)| leave.cancel()).is_some()
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection, free again when dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    leave: CancellationToken,
    doing: Mutex<Doing>,
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug, Default)]
struct Doing {
    /// Requests under way.
    requests: usize,
    /// Its turn among the idle; `None`: a request is under way.
    turn: Option<u64>,
}

impl Place {
    fn take(places: Arc<Places>, permit: OwnedSemaphorePermit) -> Arc<Self> {
        let place =
            Self { places, leave: CancellationToken::new(), doing: Mutex::default(), _permit: permit };
        place.rest(&mut place.doing());
        Arc::new(place)
    }

    /// Until somebody else needs this place.
    pub async fn is_needed(&self) {
        self.leave.cancelled().await;
    }

    pub fn is_idle(&self) -> bool {
        self.doing().turn.is_some()
    }

    /// A request has come; the connection is at work for as long as the guard lives.
    pub fn work(self: &Arc<Self>) -> AtWork {
        let mut doing = self.doing();
        doing.requests += 1;
        if let Some(turn) = doing.turn.take() {
            self.places.idle().waiting.remove(&turn);
        }
        drop(doing);
        AtWork(self.clone())
    }

    fn rest(&self, doing: &mut Doing) {
        let mut idle = self.places.idle();
        let turn = idle.next;
        idle.next += 1;
        idle.waiting.insert(turn, self.leave.clone());
        doing.turn = Some(turn);
    }

    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(turn) = self.doing().turn.take() {
            self.places.idle().waiting.remove(&turn);
        }
    }
}

/// A request under way.
#[derive(Debug)]
pub struct AtWork(Arc<Place>);

impl Drop for AtWork {
    fn drop(&mut self) {
        let mut doing = self.0.doing();
        doing.requests -= 1;
        if doing.requests == 0 {
            self.0.rest(&mut doing);
        }
    }
}

impl AtWork {
    /// The answer's body: the work ends with it.
    pub fn until_sent<B>(self, body: B) -> Sending<B> {
        Sending { body, _work: self }
    }
}

/// A body that keeps its connection at work.
#[derive(Debug)]
pub struct Sending<B> {
    body: B,
    _work: AtWork,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Sending<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn place(places: &Arc<Places>) -> Arc<Place> {
        match places.enter() {
            Room::Place(place) => place,
            other => panic!("no place: {other:?}"),
        }
    }

    #[test]
    fn who_waited_longest_without_work_goes_first() {
        let places = Places::new(3);
        let (first, second, third) = (place(&places), place(&places), place(&places));
        drop(first.work());
        let working = third.work();
        assert!(matches!(places.enter(), Room::Corridor { clearing: true, .. }));
        assert!(second.leave.is_cancelled() && !first.leave.is_cancelled(), "the first has rested since");
        assert!(matches!(places.enter(), Room::Corridor { clearing: true, .. }));
        assert!(first.leave.is_cancelled());
        assert!(matches!(places.enter(), Room::Corridor { clearing: false, .. }), "the third is at work");
        drop(working);
        assert!(places.ask_one_to_go() && third.leave.is_cancelled());
    }

    #[test]
    fn a_place_that_was_left_is_nobodys() {
        let places = Places::new(1);
        let left = place(&places);
        drop(left);
        let taken = place(&places);
        let _work = taken.work();
        assert!(!places.ask_one_to_go(), "who left is asked no more");
        let standing: Vec<_> = (0..CORRIDOR).map(|_| places.enter()).collect();
        assert!(matches!(places.enter(), Room::Full));
        drop(standing);
        assert!(matches!(places.enter(), Room::Corridor { .. }));
    }
}
