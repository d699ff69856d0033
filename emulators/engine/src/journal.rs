//! The record stream: a bounded memory of what happened, and live followers.
use mlemu_core::{Record, Sink, Subject, Timestamp, What};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::watch;

/// Most text that is kept, in bytes: a function that writes a gigabyte must not fill our memory.
const TEXT: usize = 64 * 1024 * 1024;
/// Keeps the newest records and hands each new one to whoever follows.
pub struct Journal {
    kept: Arc<Mutex<Kept>>,
    /// Told the sequence of each new record.
    newest: watch::Sender<u64>,
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
        let kept = Kept { next: 1, records: VecDeque::new(), limit, text: 0 };
        Self { kept: Arc::new(Mutex::new(kept)), newest: watch::Sender::new(0) }
    }

    /// Forgets the kept records; sequences go on.
    pub fn forget(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = std::mem::take(&mut kept.records);
        kept.text = 0;
        drop(kept);
        drop(gone);
    }

    /// What is kept, oldest first.
    pub fn past(&self) -> Vec<Arc<Record>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).records.iter().cloned().collect()
    }

    /// Follows from the first kept record after `sequence` on.
    pub fn follow(&self, after: u64) -> Follower {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let next = kept.oldest().max(after.saturating_add(1)).min(kept.next);
        Follower { kept: self.kept.clone(), newest: self.newest.subscribe(), next }
    }
}

impl Kept {
    /// The sequence of the oldest kept record, or of the next.
    fn oldest(&self) -> u64 {
        self.records.front().map_or(self.next, |record| record.sequence)
    }
}

/// Reads each record from the kept ones, so that who is slow holds no memory: it loses the oldest.
pub struct Follower {
    kept: Arc<Mutex<Kept>>,
    newest: watch::Receiver<u64>,
    /// The sequence that it has not seen yet.
    next: u64,
}

impl Follower {
    /// The next record. Fails with how many were lost, or when the journal is gone.
    pub async fn recv(&mut self) -> Result<Arc<Record>, RecvError> {
        loop {
            match self.try_recv() {
                Ok(record) => return Ok(record),
                Err(TryRecvError::Lagged(missed)) => return Err(RecvError::Lagged(missed)),
                Err(TryRecvError::Closed) => return Err(RecvError::Closed),
                Err(TryRecvError::Empty) => {}
            }
            if self.newest.changed().await.is_err() {
                return Err(RecvError::Closed);
            }
        }
    }

    /// The next record, if it is there already.
    pub fn try_recv(&mut self) -> Result<Arc<Record>, TryRecvError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = kept.oldest();
        let Some(ahead) = self.next.checked_sub(oldest) else {
            let missed = oldest - self.next;
            self.next = oldest;
            return Err(TryRecvError::Lagged(missed));
        };
        let index = usize::try_from(ahead).unwrap_or(usize::MAX);
        let record = kept.records.get(index).cloned().ok_or(TryRecvError::Empty)?;
        self.next += 1;
        Ok(record)
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
        kept.records.push_back(record);
        while kept.records.len() > kept.limit || kept.text > TEXT {
            let Some(oldest) = kept.records.pop_front() else { break };
            kept.text -= text(&oldest);
        }
        self.newest.send_replace(kept.next - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlemu_core::{LogLine, Stream};

    fn say(journal: &Journal, bytes: usize) {
        let at = Timestamp::default();
        let line = LogLine { at, stream: Stream::Stdout, text: "x".repeat(bytes) };
        journal.send(at, Subject::default(), What::Log(line));
    }

    #[tokio::test]
    async fn a_follower_that_does_not_read_holds_no_text() {
        let journal = Journal::new(10_000);
        let mut follower = journal.follow(0);
        say(&journal, 1 << 20);
        let first = Arc::downgrade(journal.past().first().expect("kept"));
        for _ in 0..64 {
            say(&journal, 1 << 20);
        }
        assert!(first.upgrade().is_none(), "it is past the bound");
        assert_eq!(follower.recv().await.err(), Some(RecvError::Lagged(1)));
        let next = follower.recv().await.expect("the oldest that is left");
        assert_eq!(next.sequence, 2);
        journal.forget();
        assert_eq!(follower.recv().await.err(), Some(RecvError::Lagged(63)));
        say(&journal, 1);
        assert_eq!(follower.recv().await.expect("a new one").sequence, 66);
        drop(journal);
        assert_eq!(follower.recv().await.err(), Some(RecvError::Closed));
    }
}
