//! A session that is recorded: what came from outside, and what came of it.
//!
//! Whatever is the first of its trace came from outside: an object, a message, an invocation. The rest of a trace is
//! what functions and triggers made of it, and is looked at when the recording ends.

use super::world::World;
use bytes::Bytes;
use mlemu_core::occurrence::{Fact, ObjectChange};
use mlemu_core::{Cause, Timestamp};
use mlemu_engine::history::Past;
use mlemu_engine::queues::Heard;
use mlemu_engine::settle::{self, Which};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long the end of a recording waits for what is under way.
const PATIENCE: Duration = Duration::from_secs(30);

/// One thing that came from outside.
pub enum Came {
    Put { bucket: String, key: String, body: Bytes },
    Send { queue: String, body: Bytes },
    Invoke(Arc<Past>),
}

/// An object that functions wrote.
pub struct Written {
    pub bucket: String,
    pub key: String,
    pub body: Bytes,
}

/// Everything that a session was.
pub struct Session {
    pub came: Vec<Came>,
    /// All invocations: of each thing that came, in the order of their arrival.
    pub past: Vec<Arc<Past>>,
    pub written: Vec<Written>,
}

/// An object as it was put, and what began the chain.
struct Put {
    at: Timestamp,
    cause: Cause,
    bucket: Arc<str>,
    key: Arc<str>,
    body: Bytes,
}

/// A recording that runs.
pub struct Recording {
    since: u64,
    puts: Arc<Mutex<Vec<Put>>>,
    sends: mpsc::UnboundedReceiver<Heard>,
    _listening: DropGuard,
}

impl Recording {
    /// From here on everything is recorded.
    pub fn start(world: &Arc<World>) -> Self {
        let puts = Arc::<Mutex<Vec<Put>>>::default();
        let stop = CancellationToken::new();
        let listening = listen(world.clone(), puts.clone());
        tokio::spawn(stop.clone().run_until_cancelled_owned(listening));
        let sends = world.queues.hear();
        Self { since: world.engine.history().newest(), puts, sends, _listening: stop.drop_guard() }
    }

    /// Waits until nothing is under way, and gives what happened.
    pub async fn end(mut self, world: &World) -> Session {
        let settled = world.engine.settle().settled(&Which::Everything);
        // What does not settle is recorded as far as it came.
        let _ = tokio::time::timeout(PATIENCE, settled).await;
        let past = world.engine.history().after(self.since);
        let mut all: Vec<(Timestamp, Arc<str>, bool, Came)> = Vec::new();
        for put in std::mem::take(&mut *self.puts.lock().unwrap_or_else(PoisonError::into_inner)) {
            let (bucket, key) = (put.bucket.to_string(), put.key.to_string());
            let asked = matches!(put.cause, Cause::Request(_));
            all.push((put.at, settle::trace(&put.cause), asked, Came::Put { bucket, key, body: put.body }));
        }
        while let Ok(heard) = self.sends.try_recv() {
            let asked = matches!(heard.cause, Cause::Request(_));
            let came = Came::Send { queue: heard.topic.name.to_string(), body: heard.body };
            all.push((heard.at, settle::trace(&heard.cause), asked, came));
        }
        for one in &past {
            let asked = matches!(one.cause, Cause::Request(_));
            all.push((one.arrived, one.trace(), asked, Came::Invoke(one.clone())));
        }
        all.sort_by_key(|(at, ..)| *at);
        sorted_out(all, past)
    }
}

fn sorted_out(all: Vec<(Timestamp, Arc<str>, bool, Came)>, mut past: Vec<Arc<Past>>) -> Session {
    let (mut came, mut written, mut begun) = (Vec::new(), Vec::<Written>::new(), HashMap::new());
    for (_, trace, asked, thing) in all {
        let place = begun.len();
        if *begun.entry(trace).or_insert(place) == place && asked {
            came.push(thing);
        } else if let Came::Put { bucket, key, body } = thing {
            written.retain(|one| (&one.bucket, &one.key) != (&bucket, &key));
            written.push(Written { bucket, key, body });
        }
    }
    // A replay waits after each step: what came of one comes before what came of the next.
    past.sort_by_key(|one| (begun.get(&one.trace()).copied(), one.number));
    Session { came, past, written }
}

fn listen(world: Arc<World>, puts: Arc<Mutex<Vec<Put>>>) -> impl Future<Output = ()> + Send {
    let mut changes = world.objects.changes();
    async move {
        loop {
            let occurrence = changes.next().await;
            let Fact::Object(fact) = &occurrence.fact;
            if !matches!(fact.change, ObjectChange::Created(_)) {
                continue;
            }
            // One that is gone already was of no use to anybody else either.
            let Ok(bucket) = world.bucket(&fact.bucket, None) else { continue };
            let Ok(object) = world.objects.get(&bucket.id, &fact.key) else { continue };
            let Ok(body) = object.content.body.bytes().await else { continue };
            let (bucket, key) = (fact.bucket.clone(), fact.key.clone());
            let put = Put { at: occurrence.at, cause: occurrence.cause.clone(), bucket, key, body };
            puts.lock().unwrap_or_else(PoisonError::into_inner).push(put);
        }
    }
}
