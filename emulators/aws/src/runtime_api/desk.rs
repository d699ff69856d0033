//! The state of one conversation: who waits for what.
//!
//! The engine's side calls [`Desk::ready`], [`Desk::invoke`] and [`Desk::asked`]; the HTTP side calls
//! [`Desk::next`], [`Desk::claim`] and [`Desk::init_failed`]. A parked `next` is a sender in the one, and an
//! event that waits for its answer is a sender in the other.

use mlemu_core::ChunkSink;
use mlemu_core::runtime::{Delivery, ReportedError, SessionReply};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

pub(super) struct Desk {
    /// Of the function, as the client is told it.
    pub(super) arn: String,
    /// Largest answer in bytes.
    pub(super) limit: u64,
    pub(super) streamed_limit: u64,
    talk: Mutex<Talk>,
    /// Rings when the client asks for work or reports a failed init.
    changed: Notify,
}

#[derive(Default)]
struct Talk {
    /// The client's parked `next`.
    parked: Option<oneshot::Sender<Box<Delivery>>>,
    current: Option<Current>,
    /// It has asked for work at least once: the init is over.
    initialized: bool,
    init_error: Option<ReportedError>,
}

struct Current {
    id: Arc<str>,
    stream: Option<Arc<dyn ChunkSink>>,
    reply: oneshot::Sender<SessionReply>,
}

/// The right, and the duty, to answer the event in flight.
pub(super) struct Claim {
    pub(super) stream: Option<Arc<dyn ChunkSink>>,
    reply: oneshot::Sender<SessionReply>,
}

impl Claim {
    /// An engine that no longer waits is no fault: the deadline has passed.
    pub(super) fn answer(self, reply: SessionReply) {
        let _ = self.reply.send(reply);
    }
}

/// Why a request was out of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misplaced {
    /// No event of this id is in flight here.
    UnknownId,
    /// The conversation is past this point.
    WrongState,
}

impl Desk {
    pub(super) fn new(arn: String, limit: u64, streamed_limit: u64) -> Self {
        Self { arn, limit, streamed_limit, talk: Mutex::default(), changed: Notify::new() }
    }

    fn talk(&self) -> MutexGuard<'_, Talk> {
        self.talk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes when the client first asks for work, or says that its init failed.
    pub(super) async fn ready(&self) -> Result<(), ReportedError> {
        loop {
            let changed = self.changed.notified();
            {
                let mut talk = self.talk();
                if let Some(error) = talk.init_error.take() {
                    return Err(error);
                }
                if talk.waits() {
                    return Ok(());
                }
            }
            changed.await;
        }
    }

    /// Completes when the client asks for work.
    pub(super) async fn asked(&self) {
        loop {
            let changed = self.changed.notified();
            if self.talk().waits() {
                return;
            }
            changed.await;
        }
    }

    /// Gives the client an event and waits for its answer.
    pub(super) async fn invoke(&self, delivery: Delivery) -> SessionReply {
        let (reply, answered) = oneshot::channel();
        let current =
            Current { id: delivery.invoke.id.0.clone(), stream: delivery.invoke.stream.clone(), reply };
        self.talk().current = Some(current);
        let mut delivery = Box::new(delivery);
        loop {
            let parked = self.talk().parked.take();
            if let Some(parked) = parked {
                match parked.send(delivery) {
                    Ok(()) => break,
                    // The client hung up between two events; it will ask again.
                    Err(back) => delivery = back,
                }
            }
            self.asked().await;
        }
        match answered.await {
            Ok(reply) => reply,
            // Only a later event takes the place, and the engine hands out one at a time.
            Err(_) => std::future::pending().await,
        }
    }

    /// The client asks for work. The receiver gets it when there is some.
    pub(super) fn next(&self) -> oneshot::Receiver<Box<Delivery>> {
        let (parked, event) = oneshot::channel();
        let mut talk = self.talk();
        talk.parked = Some(parked);
        talk.initialized = true;
        drop(talk);
        self.changed.notify_one();
        event
    }

    /// The client answers event `id`. There is one answer to an event.
    pub(super) fn claim(&self, id: &str) -> Result<Claim, Misplaced> {
        let mut talk = self.talk();
        match talk.current.take() {
            Some(current) if *current.id == *id => Ok(Claim { stream: current.stream, reply: current.reply }),
            other => {
                let none = other.is_none();
                talk.current = other;
                Err(if none && talk.initialized { Misplaced::WrongState } else { Misplaced::UnknownId })
            }
        }
    }

    pub(super) fn init_failed(&self, error: ReportedError) -> Result<(), Misplaced> {
        let mut talk = self.talk();
        if talk.initialized {
            return Err(Misplaced::WrongState);
        }
        talk.init_error = Some(error);
        drop(talk);
        self.changed.notify_one();
        Ok(())
    }
}

impl Talk {
    fn waits(&self) -> bool {
        self.parked.as_ref().is_some_and(|parked| !parked.is_closed())
    }
}
