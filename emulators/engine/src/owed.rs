//! Queued calls outlive the daemon: whoever was told that a call was taken may rely on it.
//!
//! A call is written before its caller hears of it, and each time it has to wait; it is removed when its end is told.
//! What was running when the daemon ended runs again, as it would elsewhere: an event may come twice, and never not
//! at all.

use crate::Shelf;
use crate::store::{Change, decode, encode, names};
use bytes::Bytes;
use mlemu_core::{Cause, FunctionId, InvocationId, Invoke, Mode, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// When it arrived.
    pub born: Timestamp,
    pub runs: u32,
    pub refusals: u32,
    /// When it is tried again; `None`: at once.
    pub due: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    id: InvocationId,
    target: FunctionId,
    qualifier: Option<String>,
    payload: Bytes,
    #[serde(deserialize_with = "names::list")]
    attributes: Arc<[(&'static str, String)]>,
    cause: Cause,
    progress: Progress,
}

impl Record {
    fn read(self) -> (Invoke, Progress) {
        let invoke = Invoke {
            qualifier: self.qualifier,
            mode: Mode::Queue,
            attributes: self.attributes.to_vec(),
            ..Invoke::of(self.id, self.target, self.payload, self.cause)
        };
        (invoke, self.progress)
    }
}

/// Where calls are kept. That of `default` keeps nothing.
#[derive(Default)]
pub(crate) struct Owed(OnceLock<Shelf>);

impl Owed {
    pub fn keep_on(&self, shelf: Shelf) {
        // Only the first place counts: calls are there already.
        let _ = self.0.set(shelf);
    }

    fn shelf(&self) -> Option<&Shelf> {
        self.0.get().filter(|shelf| shelf.keeps())
    }

    pub fn note(&self, invoke: &Invoke, progress: Progress) {
        let Some(shelf) = self.shelf() else { return };
        let record = Record {
            id: invoke.id.clone(),
            target: invoke.target.clone(),
            qualifier: invoke.qualifier.clone(),
            payload: invoke.payload.clone(),
            attributes: invoke.attributes.clone().into(),
            cause: invoke.cause.clone(),
            progress,
        };
        shelf.write([Change::Put(key(&invoke.id), encode(&record))]);
    }

    /// It is over.
    pub fn forget(&self, id: &InvocationId) {
        if let Some(shelf) = self.shelf() {
            shelf.write([Change::Remove(key(id))]);
        }
    }

    /// All of them are over.
    pub fn forget_all(&self) {
        if let Some(shelf) = self.shelf() {
            shelf.clear();
        }
    }

    /// What was left when the daemon ended, the oldest first; the second time there is nothing. What cannot be read is
    /// left out.
    pub fn left(&self) -> Vec<(Invoke, Progress)> {
        let found = self.shelf().map(Shelf::found).unwrap_or_default();
        let read = found.into_values().filter_map(|bytes| decode::<Record>(&bytes).ok());
        let mut left: Vec<_> = read.map(Record::read).collect();
        left.sort_by_key(|(_, progress)| progress.born);
        left
    }
}

fn key(id: &InvocationId) -> Vec<u8> {
    id.0.as_bytes().to_vec()
}
