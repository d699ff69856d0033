//! What became of invocations: a bounded memory of their events, answers, logs and measurements.
//!
//! The journal is a stream of small facts; this is the other view, one entry an invocation, so that a test or a
//! person can ask for one, run it again, or count those that ended. An entry is filled by the instance that
//! runs the call, under a lock of its own.

use crate::pulse::Pulse;
use crate::settle;
use bytes::Bytes;
use mlemu_core::record::Status;
use mlemu_core::{
    Answer, Cause, FunctionFailure, FunctionId, InstanceId, InvocationId, Invoke, LogLine, Mode, Timestamp,
    Usage,
};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Most log that is kept of one invocation, in bytes; of more the newest stays.
const LOG: usize = 1024 * 1024;
/// What a line takes in memory beside its text, in bytes: short ones are mostly that.
const LINE: usize = size_of::<LogLine>() + 32;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub invocations: usize,
    /// Of events, answers and logs together.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { invocations: 10_000, bytes: 256 * 1024 * 1024 }
    }
}

/// One invocation, whether it has ended or not.
#[derive(Debug)]
pub struct Past {
    /// Counts the arrivals: a cursor.
    pub number: u64,
    pub id: InvocationId,
    pub function: FunctionId,
    pub qualifier: Option<String>,
    /// Nobody waits for its answer.
    pub queued: bool,
    pub cause: Cause,
    pub event: Bytes,
    pub arrived: Timestamp,
    course: Mutex<Course>,
}

/// How far an invocation has come.
#[derive(Clone, Debug, Default)]
pub struct Course {
    pub begun: Option<Begun>,
    pub log: VecDeque<LogLine>,
    log_bytes: usize,
    /// Lines that were too many to keep.
    pub log_lost: usize,
    pub ended: Option<Ended>,
}

#[derive(Clone, Debug)]
pub struct Begun {
    pub at: Timestamp,
    /// Label of the revision.
    pub revision: Arc<str>,
    pub instance: InstanceId,
}

#[derive(Clone, Debug)]
pub struct Ended {
    pub at: Timestamp,
    pub status: Status,
    pub result: Result<Answer, FunctionFailure>,
    /// None when it never began.
    pub usage: Option<Usage>,
}

impl Past {
    /// The id of the request that began the chain.
    pub fn trace(&self) -> Arc<str> {
        settle::trace(&self.cause)
    }

    /// A copy of what is known by now.
    pub fn course(&self) -> Course {
        self.lock().clone()
    }

    /// How it ended, without a copy of its log and answer.
    pub fn status(&self) -> Option<Status> {
        self.lock().ended.as_ref().map(|ended| ended.status.clone())
    }

    pub(crate) fn begin(&self, begun: Begun) {
        self.lock().begun = Some(begun);
    }

    pub(crate) fn line(&self, line: &LogLine) {
        let mut course = self.lock();
        course.log_bytes += LINE + line.text.len();
        course.log.push_back(line.clone());
        while course.log_bytes > LOG {
            let Some(oldest) = course.log.pop_front() else { break };
            course.log_bytes -= LINE + oldest.text.len();
            course.log_lost += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In bytes, as far as it is kept.
    fn weight(&self) -> usize {
        let course = self.lock();
        let answer = course.ended.as_ref().and_then(|ended| ended.result.as_ref().ok());
        self.event.len() + course.log_bytes + answer.map_or(0, |answer| answer.body.len())
    }
}

/// A cheap handle; clones share one memory.
#[derive(Clone)]
pub struct History {
    shared: Arc<Shared>,
}

struct Shared {
    limits: Limits,
    pulse: Arc<Pulse>,
    kept: Mutex<Kept>,
}

/// `past` is in the order of its numbers.
#[derive(Default)]
struct Kept {
    newest: u64,
    past: VecDeque<Arc<Past>>,
    /// Numbers in the order of the ends.
    ended: VecDeque<u64>,
    /// How many of `ended` were forgotten.
    ended_before: u64,
    bytes: usize,
    /// Told of each arrival.
    ears: Vec<mpsc::UnboundedSender<Arc<Past>>>,
}

impl Kept {
    fn at(&self, number: u64) -> Option<&Arc<Past>> {
        // Where nothing was forgotten out of the middle, a number says its place.
        let ahead = number.checked_sub(self.past.front()?.number)?;
        let there = self.past.get(usize::try_from(ahead).ok()?).filter(|past| past.number == number);
        there.or_else(|| self.past.get(self.past.binary_search_by_key(&number, |past| past.number).ok()?))
    }

    fn forget_what_is_too_much(&mut self, limits: Limits) {
        while self.past.len() > limits.invocations || self.bytes > limits.bytes {
            let Some(oldest) = self.past.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.weight());
        }
        while self.ended.len() > limits.invocations {
            self.ended.pop_front();
            self.ended_before += 1;
        }
    }
}

impl History {
    /// `pulse` is rung at every end.
    pub fn new(limits: Limits, pulse: Arc<Pulse>) -> Self {
        Self { shared: Arc::new(Shared { limits, pulse, kept: Mutex::default() }) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn arrive(&self, invoke: &Invoke, at: Timestamp) -> Arc<Past> {
        let mut kept = self.kept();
        kept.newest += 1;
        let past = Arc::new(Past {
            number: kept.newest,
            id: invoke.id.clone(),
            function: invoke.target.clone(),
            qualifier: invoke.qualifier.clone(),
            queued: invoke.mode == Mode::Queue,
            cause: invoke.cause.clone(),
            event: invoke.payload.clone(),
            arrived: at,
            course: Mutex::default(),
        });
        kept.bytes += past.event.len();
        kept.past.push_back(past.clone());
        // Nobody hears it who has left.
        kept.ears.retain(|ear| ear.send(past.clone()).is_ok());
        kept.forget_what_is_too_much(self.shared.limits);
        past
    }

    /// Only the first end counts.
    pub(crate) fn end(&self, past: &Past, ended: Ended) {
        {
            let mut course = past.lock();
            if course.ended.is_some() {
                return;
            }
            course.ended = Some(ended);
        }
        let mut kept = self.kept();
        // One that was forgotten meanwhile weighs nothing any more.
        if kept.at(past.number).is_some_and(|known| known.id == past.id) {
            kept.bytes += past.weight() - past.event.len();
            kept.ended.push_back(past.number);
            kept.forget_what_is_too_much(self.shared.limits);
        }
        drop(kept);
        self.shared.pulse.ring();
    }

    /// Every invocation that arrives from now on, whatever is forgotten.
    pub fn hear(&self) -> mpsc::UnboundedReceiver<Arc<Past>> {
        let (ear, heard) = mpsc::unbounded_channel();
        self.kept().ears.push(ear);
        heard
    }

    /// The number of the newest arrival.
    pub fn newest(&self) -> u64 {
        self.kept().newest
    }

    /// Those that arrived after `number`, in the order of arrival.
    pub fn after(&self, number: u64) -> Vec<Arc<Past>> {
        let kept = self.kept();
        let skipped = kept.past.partition_point(|past| past.number <= number);
        kept.past.iter().skip(skipped).cloned().collect()
    }

    pub fn get(&self, id: &str) -> Option<Arc<Past>> {
        self.kept().past.iter().rev().find(|past| *past.id.0 == *id).cloned()
    }

    /// Those that ended after the first `seen` ends, in the order of their ends, and how many ends there are.
    pub fn ended_after(&self, seen: u64) -> (Vec<Arc<Past>>, u64) {
        let kept = self.kept();
        let skipped = usize::try_from(seen.saturating_sub(kept.ended_before)).unwrap_or(usize::MAX);
        let found = kept.ended.iter().skip(skipped).filter_map(|number| kept.at(*number)).cloned().collect();
        (found, kept.ended_before + kept.ended.len() as u64)
    }

    /// Forgets everything that `goes`; numbers are not used again.
    pub fn forget(&self, goes: impl Fn(&Past) -> bool) {
        let mut kept = self.kept();
        let (mut left, mut gone) = (VecDeque::new(), Vec::new());
        for past in std::mem::take(&mut kept.past) {
            if goes(&past) { gone.push(past) } else { left.push_back(past) }
        }
        kept.past = left;
        kept.bytes = kept.past.iter().map(|past| past.weight()).sum();
        drop(kept);
    }
}

#[cfg(test)]
mod tests;
