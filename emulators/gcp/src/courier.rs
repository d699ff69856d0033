//! Messages that go out as HTTP requests, each until somebody takes it: to endpoints of push subscriptions and to
//! the targets of tasks and jobs. Only to this machine.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mlemu_core::{Clock, Timestamp};
use mlemu_engine::queues::{Extension, Queues, Received, SubscriptionId, Want};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Requests of one round at once.
const AT_ONCE: usize = 64;

pub(crate) type Letter = Request<Full<Bytes>>;

/// Sends single requests. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Post(Client<HttpConnector, Full<Bytes>>);

impl Post {
    pub fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }

    /// `None`: no answer, or none within the patience, which really passes.
    pub async fn send(&self, letter: Letter, clock: &dyn Clock, patience: Duration) -> Option<StatusCode> {
        tokio::select! {
            answer = self.0.request(letter) => answer.ok().map(|answer| answer.status()),
            () = clock.sleep(patience) => None,
        }
    }
}

/// What becomes of the messages of one subscription.
pub(crate) trait Round: PartialEq + Send + Sync + 'static {
    fn from(&self) -> &SubscriptionId;
    /// `None`: it cannot be sent.
    fn letter(&self, one: &Received, now: Timestamp) -> Option<Letter>;
    /// How long an answer may take.
    fn patience(&self) -> Duration;
    /// Whether an answer means that the message has arrived.
    fn has_arrived(&self, status: StatusCode) -> bool;
    /// Whether a message that did not arrive is dropped.
    fn gives_up(&self, _one: &Received) -> bool {
        false
    }
}

/// All rounds, by name.
pub(crate) struct Couriers<R> {
    queues: Queues,
    post: Post,
    rounds: Mutex<BTreeMap<String, (Arc<R>, DropGuard)>>,
}

impl<R: Round> Couriers<R> {
    pub fn new(queues: Queues) -> Self {
        Self { queues, post: Post::new(), rounds: Mutex::default() }
    }

    /// Exactly these from now on. Those that there were before, and are as they were, go on. Must be called inside
    /// a tokio runtime.
    pub fn set(&self, wanted: impl IntoIterator<Item = (String, R)>) {
        let mut rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut old = std::mem::take(&mut *rounds);
        for (name, round) in wanted {
            let kept = old.remove(&name).filter(|(known, _)| **known == round);
            let entry = kept.unwrap_or_else(|| {
                let (round, stop) = (Arc::new(round), CancellationToken::new());
                let work = run(round.clone(), self.queues.clone(), self.post.clone());
                let stopped = stop.clone();
                tokio::spawn(async move { stopped.run_until_cancelled(work).await });
                (round, stop.drop_guard())
            });
            rounds.insert(name, entry);
        }
    }

    pub fn stop(&self) {
        self.set([]);
    }
}

/// For ever; a reset may take the subscription away for a moment.
async fn run<R: Round>(round: Arc<R>, queues: Queues, post: Post) {
    let mut commits = queues.commits();
    loop {
        if let Ok(consumer) = queues.consumer(round.from()) {
            work_off(&round, &queues, &post).await;
            drop(consumer);
        }
        // The sender lives as long as the queues.
        let _ = commits.changed().await;
    }
}

/// Until the subscription is gone.
async fn work_off<R: Round>(round: &Arc<R>, queues: &Queues, post: &Post) {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let Ok(lent) = queues.lend_in_turn("courier", round.from(), Want::next(1)).await else { return };
        let (round, queues, post) = (round.clone(), queues.clone(), post.clone());
        tokio::spawn(async move {
            for one in &lent.received {
                carry(&*round, &queues, &post, one).await;
            }
            // Time stood until they had arrived or had gone back.
            drop(lent.moving);
            drop(slot);
        });
    }
}

async fn carry<R: Round>(round: &R, queues: &Queues, post: &Post, one: &Received) {
    let clock = &**queues.clock();
    let answered = match round.letter(one, clock.now()) {
        Some(letter) => post.send(letter, clock, round.patience()).await,
        None => None,
    };
    let is_done = answered.is_some_and(|status| round.has_arrived(status)) || round.gives_up(one);
    // A subscription that is gone has taken the message along.
    let _ = if is_done {
        queues.acknowledge(round.from(), &one.receipt, false).map(drop)
    } else {
        queues.extend(round.from(), &one.receipt, Extension::of(Duration::ZERO)).map(drop)
    };
}
