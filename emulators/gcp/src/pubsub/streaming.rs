//! One subscriber's stream: messages go out as fast as the subscriber allows, acknowledgements come in.
//!
//! Messages are lent when the connection takes them, so a slow subscriber holds nothing. The receiving half runs
//! beside it and ends with the stream.

use super::PubSub;
use super::fault::Fault;
use super::ops::{self, Confirmed};
use super::wire::{
    AcknowledgeConfirmation, ModifyAckDeadlineConfirmation, StreamingPullRequest, StreamingPullResponse,
    SubscriptionProperties,
};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use mlemu_engine::queues::{Allowance, SubscriptionId, Want};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// Of one response: small enough for the limits that clients set by themselves.
const MOST_AT_ONCE: usize = 1000;
const BYTES_AT_ONCE: usize = 1024 * 1024;
/// What a subscriber may have that sets no limits.
const MOST_OUT: usize = 10_000;
const BYTES_OUT: usize = 100 * 1024 * 1024;

type Asked = BoxStream<'static, Result<StreamingPullRequest, Fault>>;

/// What the receiving half wants said.
enum Word {
    Confirm(StreamingPullResponse),
    /// The stream is over, with an error or without.
    End(Option<Fault>),
}

/// What both halves share.
struct Line {
    pubsub: PubSub,
    name: String,
    from: SubscriptionId,
    attempts: bool,
    /// In seconds; the subscriber may change it.
    lease: AtomicI32,
    exactly: bool,
    allowance: Arc<Allowance>,
}

struct Sending {
    line: Arc<Line>,
    words: mpsc::Receiver<Word>,
    /// The first response tells what kind of subscription it is.
    greeting: Option<StreamingPullResponse>,
    over: bool,
    _receiving: AbortOnDropHandle<()>,
}

/// Completes when the first request is there and in order.
pub(super) async fn open(
    pubsub: PubSub,
    mut asked: Asked,
) -> Result<impl Stream<Item = Result<StreamingPullResponse, Fault>>, Fault> {
    let first = asked.next().await.ok_or_else(|| Fault::invalid("The stream ended before it began."))??;
    let (from, attempts) = pubsub.source(&first.subscription)?;
    let held = pubsub.registry().subscription(&first.subscription)?.clone();
    let said = &held.said;
    if held.is_pushed() {
        return Err(Fault::precondition("This method is not supported for this subscription type."));
    }
    if !(10..=600).contains(&first.stream_ack_deadline_seconds) {
        return Err(Fault::invalid(format!(
            "Invalid stream_ack_deadline_seconds: {}. It must be between 10 and 600 seconds.",
            first.stream_ack_deadline_seconds
        )));
    }
    let limit = |said: i64, most| usize::try_from(said).ok().filter(|said| *said > 0).unwrap_or(most);
    let line = Arc::new(Line {
        pubsub,
        name: first.subscription.clone(),
        from,
        attempts,
        lease: AtomicI32::new(first.stream_ack_deadline_seconds),
        exactly: said.enable_exactly_once_delivery,
        allowance: Allowance::new(
            limit(first.max_outstanding_messages, MOST_OUT),
            limit(first.max_outstanding_bytes, BYTES_OUT),
        ),
    });
    let properties = SubscriptionProperties {
        exactly_once_delivery_enabled: said.enable_exactly_once_delivery,
        message_ordering_enabled: said.enable_message_ordering,
    };
    let greeting = StreamingPullResponse { subscription_properties: Some(properties), ..Default::default() };
    let (say, words) = mpsc::channel(16);
    let receiving = tokio::spawn(receive(line.clone(), first, asked, say));
    let greeting = Some(greeting);
    let sending =
        Sending { line, words, greeting, over: false, _receiving: AbortOnDropHandle::new(receiving) };
    Ok(stream::unfold(sending, |mut sending| async move { Some((sending.next().await?, sending)) }))
}

async fn receive(line: Arc<Line>, first: StreamingPullRequest, mut asked: Asked, say: mpsc::Sender<Word>) {
    let mut next = Some(Ok(first));
    let end = loop {
        let taken = match next {
            Some(Ok(request)) => line.kept(line.take(&request)).await,
            Some(Err(fault)) => Err(fault),
            None => break None,
        };
        match taken {
            Ok(Some(confirmation)) => {
                if say.send(Word::Confirm(confirmation)).await.is_err() {
                    return;
                }
            }
            Ok(None) => {}
            Err(fault) => break Some(fault),
        }
        next = asked.next().await;
    };
    // Nobody hears it when the stream is gone.
    let _ = say.send(Word::End(end)).await;
}

impl Line {
    /// Acknowledgements and new deadlines; confirmed where each message is delivered exactly once.
    fn take(&self, request: &StreamingPullRequest) -> Result<Option<StreamingPullResponse>, Fault> {
        if request.stream_ack_deadline_seconds > 0 {
            self.lease.store(request.stream_ack_deadline_seconds.clamp(10, 600), Ordering::Relaxed);
        }
        if request.modify_deadline_ack_ids.len() != request.modify_deadline_seconds.len() {
            return Err(Fault::invalid(
                "modify_deadline_seconds and modify_deadline_ack_ids differ in length.",
            ));
        }
        let queues = self.pubsub.queues();
        let acknowledged = ops::acknowledge(queues, &self.from, &request.ack_ids, self.exactly)?;
        let deadlines =
            request.modify_deadline_ack_ids.iter().zip(request.modify_deadline_seconds.iter().copied());
        let modified = ops::modify(queues, &self.from, deadlines)?;
        let is_empty = |confirmed: &Confirmed| confirmed.good.is_empty() && confirmed.invalid.is_empty();
        if !self.exactly || is_empty(&acknowledged) && is_empty(&modified) {
            return Ok(None);
        }
        Ok(Some(StreamingPullResponse {
            acknowledge_confirmation: (!is_empty(&acknowledged)).then(|| AcknowledgeConfirmation {
                ack_ids: acknowledged.good,
                invalid_ack_ids: acknowledged.invalid,
                ..Default::default()
            }),
            modify_ack_deadline_confirmation: (!is_empty(&modified)).then(|| ModifyAckDeadlineConfirmation {
                ack_ids: modified.good,
                invalid_ack_ids: modified.invalid,
                ..Default::default()
            }),
            ..Default::default()
        }))
    }

    /// What is said, once what it tells of is written: no subscriber sees what the end of the daemon could take back.
    async fn kept<T>(&self, said: Result<T, Fault>) -> Result<T, Fault> {
        let said = said?;
        let written = self.pubsub.shelf().written().await;
        written.map_err(|why| Fault::new(tonic::Code::Unavailable, why.to_string()))?;
        Ok(said)
    }

    async fn messages(&self) -> Result<StreamingPullResponse, Fault> {
        let (room, bytes) = self.allowance.room().await;
        let want = Want {
            bytes: bytes.min(BYTES_AT_ONCE),
            lease: Some(Duration::from_secs(self.lease.load(Ordering::Relaxed).unsigned_abs().into())),
            allowance: Some(self.allowance.clone()),
            ..Want::next(room.min(MOST_AT_ONCE))
        };
        let taken = self.pubsub.queues().receive(&self.from, want).await;
        // It may have gone, or be one of a topic that has.
        let taken = taken.map_err(|_| match self.pubsub.source(&self.name) {
            Ok(_) => {
                Fault::new(tonic::Code::Unavailable, "The subscription has moved: open the stream again.")
            }
            Err(fault) => fault,
        })?;
        let received_messages = taken.iter().map(|one| ops::received(one, self.attempts)).collect();
        Ok(StreamingPullResponse { received_messages, ..Default::default() })
    }
}

impl Sending {
    async fn next(&mut self) -> Option<Result<StreamingPullResponse, Fault>> {
        if self.over {
            return None;
        }
        if let Some(greeting) = self.greeting.take() {
            return Some(Ok(greeting));
        }
        let said = tokio::select! {
            biased;
            word = self.words.recv() => match word {
                Some(Word::Confirm(confirmation)) => Some(Ok(confirmation)),
                Some(Word::End(fault)) => fault.map(Err),
                None => None,
            },
            messages = self.line.messages() => Some(self.line.kept(messages).await),
        };
        self.over = !matches!(said, Some(Ok(_)));
        said
    }
}
