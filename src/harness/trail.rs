//! What a run leaves behind for a person or a CI job to read: every invocation of every scope, as JSON, whatever
//! resets have wiped meanwhile.

use crate::daemon::control::invocations::Shown;
use crate::daemon::world::World;
use crate::daemon::worlds::Worlds;
use mlemu_engine::history::Past;
use serde::Serialize;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Invocations that may still change; the rest is in the file.
const OPEN: usize = 1000;

type Told = (Arc<World>, Arc<Past>);

/// One invocation of the document, which is `{ "schema_version": 1, "invocations": [...] }`. The version grows when
/// something in it changes its meaning.
#[derive(Serialize)]
struct Entry<'a> {
    scope: &'a str,
    #[serde(flatten)]
    shown: Shown,
}

/// A trail that is written while a daemon runs.
pub struct Trail {
    stop: CancellationToken,
    writing: JoinHandle<io::Result<()>>,
}

impl Trail {
    /// From here on every invocation in every world is written. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn open(file: &Path, worlds: &Worlds) -> io::Result<Self> {
        let to = BufWriter::new(File::create(file)?);
        let stop = CancellationToken::new();
        let (tell, told) = mpsc::unbounded_channel();
        let writing = tokio::task::spawn_blocking(move || write(to, told));
        let stopped = stop.clone();
        worlds.each(move |world| {
            // From now on, whenever the task begins.
            let arrivals = world.engine.history().hear();
            tokio::spawn(follow(world.clone(), arrivals, tell.clone(), stopped.clone()));
        });
        Ok(Self { stop, writing })
    }

    /// Completes when everything is in the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn close(self, worlds: &Worlds) -> io::Result<()> {
        self.stop.cancel();
        worlds.each_no_more();
        self.writing.await.unwrap_or_else(|lost| Err(lost.into()))
    }
}

/// Tells of the invocations of one world until it is enough.
async fn follow(
    world: Arc<World>,
    mut arrivals: mpsc::UnboundedReceiver<Arc<Past>>,
    tell: mpsc::UnboundedSender<Told>,
    stop: CancellationToken,
) {
    loop {
        let past = tokio::select! {
            biased;
            past = arrivals.recv() => past,
            () = stop.cancelled() => None,
        };
        let Some(past) = past else { return };
        // Its reader ends with us.
        let _ = tell.send((world.clone(), past));
    }
}

fn write(mut to: BufWriter<File>, mut told: mpsc::UnboundedReceiver<Told>) -> io::Result<()> {
    let (mut open, mut written) = (VecDeque::new(), 0_usize);
    to.write_all(b"{ \"schema_version\": 1, \"invocations\": [")?;
    let mut entry = |to: &mut BufWriter<File>, (world, past): Told| {
        to.write_all(if written == 0 { b"\n" } else { b",\n" })?;
        written += 1;
        serde_json::to_writer(to, &Entry { scope: &world.name.name, shown: Shown::of(&world, &past) })?;
        io::Result::Ok(())
    };
    while let Some(one) = told.blocking_recv() {
        open.push_back(one);
        if open.len() > OPEN
            && let Some(oldest) = open.pop_front()
        {
            entry(&mut to, oldest)?;
        }
    }
    open.into_iter().try_for_each(|one| entry(&mut to, one))?;
    to.write_all(b"\n] }\n")?;
    to.flush()
}
