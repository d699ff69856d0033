//! Move tasks: messages go back from a dead-letter queue at their own pace, while others ask how far it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mlemu_core::Timestamp;
use mlemu_engine::ids::Id;
use mlemu_engine::queues::{Queues, TopicId};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Messages moved under one lock when no rate is set.
const STRIDE: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Running,
    Completed,
    Cancelled,
    Failed,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "RUNNING",
            Status::Completed => "COMPLETED",
            Status::Cancelled => "CANCELLED",
            Status::Failed => "FAILED",
        }
    }
}

pub struct Task {
    id: Id,
    pub from: TopicId,
    /// `None`: each message goes where it came from.
    pub to: Option<TopicId>,
    /// Messages per second.
    pub rate: Option<i64>,
    /// Messages that were there at the start.
    pub to_move: usize,
    pub started: Timestamp,
    moved: AtomicUsize,
    status: Mutex<Status>,
}

impl Task {
    pub fn new(
        id: Id,
        from: &TopicId,
        to: Option<TopicId>,
        rate: Option<i64>,
        to_move: usize,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            from: from.clone(),
            to,
            rate,
            to_move,
            started: now,
            moved: AtomicUsize::new(0),
            status: Mutex::new(Status::Running),
        }
    }

    pub fn handle(&self) -> String {
        let source = super::arn_of(&self.from);
        BASE64.encode(json!({ "taskId": self.id.uuid(), "sourceArn": source }).to_string())
    }

    pub fn status(&self) -> Status {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn moved(&self) -> usize {
        self.moved.load(Ordering::Relaxed)
    }

    /// `false`: it has ended already.
    pub fn cancel(&self) -> bool {
        self.end(Status::Cancelled)
    }

    fn end(&self, how: Status) -> bool {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = *status == Status::Running;
        if runs {
            *status = how;
        }
        runs
    }

    /// Moves what was there at the start, until that is done or somebody cancels.
    pub async fn run(self: Arc<Self>, queues: Queues) {
        let pause = self.rate.map(|rate| Duration::from_secs(1) / rate.unsigned_abs().max(1) as u32);
        while self.status() == Status::Running {
            let left = self.to_move.saturating_sub(self.moved());
            let most = if pause.is_some() { left.min(1) } else { left.min(STRIDE) };
            if most == 0 {
                self.end(Status::Completed);
                return;
            }
            let Ok(step) = queues.move_messages(&self.from.only(), self.to.as_ref(), most) else {
                self.end(Status::Failed);
                return;
            };
            self.moved.fetch_add(step.moved, Ordering::Relaxed);
            if step.stuck {
                self.end(Status::Failed);
            } else if step.moved < most {
                self.end(Status::Completed);
            }
            match pause {
                Some(pause) => queues.clock().sleep(pause).await,
                None => tokio::task::yield_now().await,
            }
        }
    }
}

/// The tasks of all queues, oldest first.
#[derive(Default)]
pub struct Tasks(Mutex<Vec<Arc<Task>>>);

impl Tasks {
    /// `None`: one of the same source is still running.
    pub fn add(&self, task: Task) -> Option<Arc<Task>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.iter().any(|other| other.from == task.from && other.status() == Status::Running) {
            return None;
        }
        let task = Arc::new(task);
        all.push(task.clone());
        Some(task)
    }

    pub fn of(&self, from: &TopicId) -> Vec<Arc<Task>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|task| task.from == *from).cloned().collect()
    }

    pub fn find(&self, handle: &str) -> Option<Arc<Task>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|task| task.handle() == handle).cloned()
    }
}
