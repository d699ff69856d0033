//! What is to be written, in order, and how far writing has come.

use super::Unwritten;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How long after a failure the writer tries again by itself.
const AGAIN: Duration = Duration::from_secs(1);

/// One change of what is kept.
#[derive(Debug)]
pub(super) enum Write {
    Put(Vec<u8>, Vec<u8>),
    Remove(Vec<u8>),
    /// Everything whose key begins so.
    Clear(Vec<u8>),
    /// A file that nothing points at once everything before this is written.
    Unlink(PathBuf),
}

#[derive(Default)]
struct Waiting {
    writes: Vec<Write>,
    /// The newest number that the writer has taken.
    taken: u64,
    held: usize,
    closing: bool,
}

#[derive(Default)]
struct Progress {
    /// Everything up to here is written.
    written: u64,
    /// Everything up to here was tried.
    tried: u64,
    /// Why the newest commit failed, if it did.
    why: Option<Arc<str>>,
}

pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    come: Condvar,
    /// The newest number; written under the lock of `waiting`.
    issued: AtomicU64,
    progress: watch::Sender<Progress>,
}

impl Default for Inbox {
    fn default() -> Self {
        let (progress, _) = watch::channel(Progress::default());
        Self { waiting: Mutex::default(), come: Condvar::new(), issued: AtomicU64::new(0), progress }
    }
}

impl Inbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is submitted at once is committed at once.
    pub fn submit(&self, writes: Vec<Write>) {
        let mut waiting = self.waiting();
        waiting.writes.extend(writes);
        self.issued.fetch_add(1, Ordering::Release);
        if waiting.held == 0 {
            self.come.notify_one();
        }
    }

    pub fn issued(&self) -> u64 {
        self.issued.load(Ordering::Acquire)
    }

    pub fn is_failing(&self) -> bool {
        self.progress.borrow().why.is_some()
    }

    pub async fn written(&self) -> Result<(), Unwritten> {
        let issued = self.issued();
        if self.progress.borrow().written >= issued {
            return Ok(());
        }
        let mut progress = self.progress.subscribe();
        // The sender is here, so it is there.
        let Ok(seen) = progress.wait_for(|now| now.tried >= issued).await else { return Ok(()) };
        match &seen.why {
            Some(why) if seen.written < issued => Err(Unwritten { why: why.clone() }),
            _ => Ok(()),
        }
    }

    pub fn hold(&self) {
        self.waiting().held += 1;
    }

    pub fn let_go(&self) {
        self.waiting().held -= 1;
        self.come.notify_one();
    }

    pub fn close(&self) {
        self.waiting().closing = true;
        self.come.notify_one();
    }

    /// Everything that has come, and up to which number. `None`: there will be nothing more. With `owing` it may
    /// be nothing: then it is time to try again. Blocking, for the writer alone.
    pub fn next(&self, owing: bool) -> Option<(Vec<Write>, u64)> {
        let mut waiting = self.waiting();
        loop {
            let issued = self.issued();
            let has_come = issued > waiting.taken && waiting.held == 0;
            if has_come || waiting.closing {
                if waiting.closing && issued == waiting.taken {
                    return None;
                }
                waiting.taken = issued;
                return Some((std::mem::take(&mut waiting.writes), issued));
            }
            if owing {
                let (back, timer) =
                    self.come.wait_timeout(waiting, AGAIN).unwrap_or_else(PoisonError::into_inner);
                waiting = back;
                if timer.timed_out() && waiting.held == 0 {
                    return Some((Vec::new(), waiting.taken));
                }
            } else {
                waiting = self.come.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Nothing more is written.
    pub fn end(&self) {
        self.progress.send_modify(|progress| {
            progress.tried = u64::MAX;
            progress.why.get_or_insert_with(|| "it is closed".into());
        });
    }

    /// Everything up to `number` was tried, and is written unless there is a reason why not.
    pub fn report(&self, number: u64, failed: Option<Arc<str>>) {
        self.progress.send_modify(|progress| {
            progress.tried = number;
            if failed.is_none() {
                progress.written = number;
            }
            progress.why = failed;
        });
    }
}
