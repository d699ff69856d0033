//! The record stream: a bounded memory of what happened, and live followers.
use mlemu_core::{Record, Sink, Subject, Timestamp, What};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;

/// Most text that is kept, in bytes: a function that writes a gigabyte must not fill our memory.
const TEXT: usize = 64 * 1024 * 1024;
/// Records that a follower may be behind before it loses the oldest.
const BEHIND: usize = 1024;

/// Keeps the newest records and hands each new one to whoever follows.
pub struct Journal {
    kept: Mutex<Kept>,
    live: broadcast::Sender<Arc<Record>>,
}

struct Kept {
    next: u64,
    records: VecDeque<Arc<Record>>,
    limit: usize,
    /// Text of all kept records, in bytes.
    text: usize,
}

impl Journal {
    /// `limit`: how many records are kept.
    pub fn new(limit: usize) -> Self {
        let (live, _) = broadcast::channel(BEHIND);
        Self { kept: Mutex::new(Kept { next: 1, records: VecDeque::new(), limit, text: 0 }), live }
    }

    /// Forgets the kept records; sequences go on.
    pub fn forget(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = std::mem::take(&mut kept.records);
        kept.text = 0;
        drop(kept);
        drop(gone);
    }

    /// The kept records after `sequence`, and a receiver that goes on exactly where they end.
    pub fn follow(&self, after: u64) -> (Vec<Arc<Record>>, broadcast::Receiver<Arc<Record>>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let past = kept.records.iter().filter(|record| record.sequence > after).cloned().collect();
        (past, self.live.subscribe())
    }
}

/// What a record weighs beyond its own few words.
fn text(record: &Record) -> usize {
    match &record.what {
        What::Log(line) => line.text.len(),
        _ => 0,
    }
}

impl Sink for Journal {
    fn send(&self, at: Timestamp, subject: Subject, what: What) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let record = Arc::new(Record { sequence: kept.next, at, subject, what });
        kept.next += 1;
        kept.text += text(&record);
        kept.records.push_back(record.clone());
        while kept.records.len() > kept.limit || kept.text > TEXT {
            let Some(oldest) = kept.records.pop_front() else { break };
            kept.text -= text(&oldest);
        }
        // Sent under the lock, so that followers see the order of the sequence. No follower is no fault.
        let _ = self.live.send(record);
    }
}
