//! A session that is recorded: what came from outside, and what came of it.
//!
//! Whatever is the first of its trace came from outside: an object, a message, an invocation; and so did what was done
//! to the clock, to schedules and by rules of faults. The rest of a trace is what functions and triggers made of it,
//! and is looked at when the recording ends. A reset begins the recording anew, as it begins everything anew.

use super::control::queues;
use super::world::World;
use bytes::Bytes;
use mlemu_core::occurrence::{Fact, ObjectChange, Occurrence};
use mlemu_core::{Cause, Timestamp};
use mlemu_engine::clock::Course;
use mlemu_engine::history::Past;
use mlemu_engine::queues::Heard;
use mlemu_engine::settle::Which;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long the end of a recording waits for what is under way.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was done that is no request of a cloud.
#[derive(Clone, Debug)]
pub enum Did {
    /// Time stands still, here.
    Froze(Timestamp),
    /// Time passes as the machine's.
    WentReal,
    Advanced(Duration),
    /// A rule, as the control API takes it.
    Fault(Value),
    /// A schedule was started, by its id.
    Fired(String),
}

/// One thing that came from outside.
pub enum Came {
    Put { bucket: String, key: String, body: Bytes },
    Send { queue: String, body: Bytes },
    Invoke(Arc<Past>),
    Did(Did),
}

/// An object that functions wrote.
pub struct Written {
    pub bucket: String,
    pub key: String,
    pub body: Bytes,
}

/// Everything that a session was.
#[derive(Default)]
pub struct Session {
    /// Where time stood still when it began.
    pub frozen: Option<Timestamp>,
    pub came: Vec<Came>,
    /// All invocations: of each thing that came, in the order of their arrival.
    pub past: Vec<Arc<Past>>,
    pub written: Vec<Written>,
    /// Every queue, and how many messages were left in it.
    pub depths: Vec<(String, usize)>,
}

/// Something that was noticed, in its order.
enum Noted {
    Put { cause: Cause, bucket: String, key: String, body: Bytes },
    Send { cause: Cause, queue: String, body: Bytes },
    Invocation(Arc<Past>),
    Did(Did),
}

/// What has been noticed since the recording began, or began anew.
#[derive(Default)]
struct Notes {
    frozen: Option<Timestamp>,
    list: Vec<Noted>,
}

impl Notes {
    fn beginning(world: &World) -> Self {
        let frozen = match world.clock.course() {
            Course::Steered { at, rate } if rate <= 0.0 => Some(at),
            _ => None,
        };
        Self { frozen, list: Vec::new() }
    }
}

/// A recording that runs.
struct Recording {
    notes: Arc<Mutex<Notes>>,
    told: mpsc::UnboundedSender<Told>,
    _listening: DropGuard,
}

/// What the listener hears from us.
enum Told {
    /// Answered when it is noted.
    Did(Did, oneshot::Sender<()>),
    /// Answered when everything before it is noted.
    End(oneshot::Sender<()>),
}

/// Where the recording of a world is, while there is one.
#[derive(Default)]
pub struct Recorder(Mutex<Option<Recording>>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// From here on everything is recorded. `false`: it is already. Must be called inside a tokio runtime.
    pub fn record(self: &Arc<Self>) -> bool {
        let mut recorder = locked(&self.recorder.0);
        if recorder.is_some() {
            return false;
        }
        let notes = Arc::new(Mutex::new(Notes::beginning(self)));
        let (told, tells) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let listening = listen(self.clone(), notes.clone(), tells);
        tokio::spawn(stop.clone().run_until_cancelled_owned(listening));
        *recorder = Some(Recording { notes, told, _listening: stop.drop_guard() });
        true
    }

    /// Notes what somebody did, if it is recorded, before anything that comes after it.
    pub(super) async fn did(&self, did: impl FnOnce() -> Did) {
        let (answer, noted) = oneshot::channel();
        match &*locked(&self.recorder.0) {
            Some(recording) => {
                // Its listener lives as long as it does.
                let _ = recording.told.send(Told::Did(did(), answer));
            }
            None => return,
        }
        let _ = noted.await;
    }

    /// Nothing of what was recorded so far happened.
    pub(super) fn record_anew(&self) {
        if let Some(recording) = &*locked(&self.recorder.0) {
            *locked(&recording.notes) = Notes::beginning(self);
        }
    }

    /// Waits until nothing is under way, and gives what happened. `None`: nothing is recorded.
    pub async fn end_recording(&self) -> Option<Session> {
        let recording = locked(&self.recorder.0).take()?;
        let settled = async {
            if matches!(self.clock.course(), Course::Real) {
                self.engine.settle().settled(&Which::Everything).await;
            } else {
                // What waits for its time would wait for ever.
                self.engine.settle().still().await;
            }
        };
        // What does not settle is recorded as far as it came.
        let _ = tokio::time::timeout(PATIENCE, settled).await;
        let (answer, noted) = oneshot::channel();
        if recording.told.send(Told::End(answer)).is_ok() {
            // It answers, or it is gone and has noted all that it will.
            let _ = noted.await;
        }
        let notes = std::mem::take(&mut *locked(&recording.notes));
        let depth = |counts: &mlemu_engine::queues::Counts| counts.visible + counts.leased + counts.delayed;
        let all = self.queues.all_counts();
        let depths = all.iter().map(|(id, counts)| (queues::name(id), depth(counts))).collect();
        Some(Session { depths, frozen: notes.frozen, ..sorted_out(notes.list) })
    }
}

/// What began a chain.
#[derive(PartialEq)]
enum Root {
    Invocation(Arc<str>),
    /// An object or a message.
    Thing,
    /// A schedule.
    Time,
}

/// What began each chain that an invocation or a schedule began. A function's own requests are of the trace of its
/// call, and the call came first.
fn roots(list: &[Noted]) -> HashMap<Arc<str>, Root> {
    let mut roots = HashMap::new();
    for noted in list {
        let Noted::Invocation(past) = noted else { continue };
        match &past.cause {
            Cause::Request(trace) => {
                roots.entry(trace.clone()).or_insert_with(|| Root::Invocation(past.id.0.clone()));
            }
            Cause::Schedule(trace) => {
                roots.insert(trace.clone(), Root::Time);
            }
            Cause::Occurrence { .. } | Cause::Mlemu => {}
        }
    }
    roots
}

/// Tells what came from outside from what came of it.
struct Sorting {
    roots: HashMap<Arc<str>, Root>,
    /// The places of the traces, in the order in which they began.
    begun: HashMap<Arc<str>, usize>,
    session: Session,
}

fn sorted_out(list: Vec<Noted>) -> Session {
    let mut sorting = Sorting { roots: roots(&list), begun: HashMap::new(), session: Session::default() };
    for noted in list {
        sorting.take(noted);
    }
    let Sorting { begun, mut session, .. } = sorting;
    // A replay waits after each step: what came of one comes before what came of the next.
    session.past.sort_by_key(|one| (begun.get(&one.trace()).copied(), one.number));
    session
}

impl Sorting {
    fn take(&mut self, noted: Noted) {
        match noted {
            Noted::Did(did) => self.session.came.push(Came::Did(did)),
            Noted::Put { cause, bucket, key, body } => {
                if self.came_from_outside(&cause) {
                    self.session.came.push(Came::Put { bucket, key, body });
                } else {
                    self.session.written.retain(|one| (&one.bucket, &one.key) != (&bucket, &key));
                    self.session.written.push(Written { bucket, key, body });
                }
            }
            Noted::Send { cause, queue, body } => {
                if self.came_from_outside(&cause) {
                    self.session.came.push(Came::Send { queue, body });
                }
            }
            Noted::Invocation(past) => {
                self.begins(past.trace());
                if self.roots.get(&past.trace()) == Some(&Root::Invocation(past.id.0.clone())) {
                    self.session.came.push(Came::Invoke(past.clone()));
                }
                self.session.past.push(past);
            }
        }
    }

    fn begins(&mut self, trace: Arc<str>) {
        let place = self.begun.len();
        self.begun.entry(trace).or_insert(place);
    }

    /// Whether a thing is the first of its trace, and that of a request.
    fn came_from_outside(&mut self, cause: &Cause) -> bool {
        self.begins(cause.trace());
        let Cause::Request(trace) = cause else { return false };
        let is_first = !self.roots.contains_key(trace);
        self.roots.entry(trace.clone()).or_insert(Root::Thing);
        is_first
    }
}

fn listen(
    world: Arc<World>,
    notes: Arc<Mutex<Notes>>,
    mut told: mpsc::UnboundedReceiver<Told>,
) -> impl Future<Output = ()> + Send {
    // From now on, whenever the task begins.
    let (mut changes, mut sends) = (world.objects.changes(), world.queues.hear());
    let mut pasts = world.engine.history().hear();
    async move {
        let note = |noted: Noted| locked(&notes).list.push(noted);
        loop {
            // What was done is noted behind everything that came before it.
            tokio::select! {
                biased;
                occurrence = changes.next() => {
                    if let Some(put) = put(&world, &occurrence).await {
                        note(put);
                    }
                }
                Some(heard) = sends.recv() => note(sent(heard)),
                Some(past) = pasts.recv() => note(Noted::Invocation(past)),
                Some(told) = told.recv() => match told {
                    Told::Did(did, answer) => {
                        note(Noted::Did(did));
                        // Whoever did it may have given up.
                        let _ = answer.send(());
                    }
                    Told::End(answer) => {
                        // Whoever asked may have given up.
                        let _ = answer.send(());
                    }
                },
            }
        }
    }
}

async fn put(world: &World, occurrence: &Occurrence) -> Option<Noted> {
    let Fact::Object(fact) = &occurrence.fact;
    if !matches!(fact.change, ObjectChange::Created(_)) {
        return None;
    }
    // One that is gone already was of no use to anybody else either.
    let bucket = world.bucket(&fact.bucket, None).ok()?;
    let object = world.objects.get(&bucket.id, &fact.key).ok()?;
    let body = object.content.body.bytes().await.ok()?;
    let (bucket, key) = (fact.bucket.to_string(), fact.key.to_string());
    Some(Noted::Put { cause: occurrence.cause.clone(), bucket, key, body })
}

fn sent(heard: Heard) -> Noted {
    Noted::Send { cause: heard.cause, queue: heard.topic.name.to_string(), body: heard.body }
}
