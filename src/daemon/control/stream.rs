//! `GET /_mlemu/stream`: the records as server-sent events, from wherever a reader left off.

use super::Query;
use crate::daemon::Shared;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, stream};
use http::HeaderMap;
use mlemu_core::Record;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

#[derive(Deserialize)]
pub struct After {
    /// Records with a greater sequence.
    #[serde(default)]
    after: u64,
    /// End after what is there.
    #[serde(default)]
    once: bool,
}

/// A record, and how its cloud's log says it.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    record: &'a Record,
    lines: Vec<String>,
}

pub async fn follow(
    State(shared): State<Arc<Shared>>,
    Query(after): Query<After>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // What a reader that was cut off sends by itself wins over what its address said at first.
    let resumed = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let follower = shared.journal.follow(resumed.unwrap_or(after.after));
    let records = stream::unfold(follower, move |mut follower| async move {
        loop {
            match follower.try_recv() {
                Ok(record) => return Some((record, follower)),
                // A slow reader loses the oldest; the sequence numbers show the gap.
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty) if !after.once => match follower.recv().await {
                    Ok(record) => return Some((record, follower)),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                },
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    });
    let records = records.map(move |record| Ok(told(&shared, &record)));
    Sse::new(records).keep_alive(KeepAlive::default())
}

fn told(shared: &Shared, record: &Record) -> Event {
    let told = Told { lines: shared.lines(record), record };
    let data = serde_json::to_string(&told).unwrap_or_default();
    Event::default().id(record.sequence.to_string()).data(data)
}
