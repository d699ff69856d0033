//! What a run leaves behind for a person or a CI job to read: every invocation that is still known, as JSON.

use crate::daemon::control::invocations::Shown;
use crate::daemon::world::World;
use serde::Serialize;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// The document; its version grows when something in it changes its meaning.
#[derive(Serialize)]
struct Trail {
    schema_version: u32,
    invocations: Vec<Shown>,
}

/// Writes the trail of a daemon's life so far.
pub fn write(world: &World, file: &Path) -> std::io::Result<()> {
    let past = world.engine.history().after(0);
    let invocations = past.iter().map(|past| Shown::of(world, past)).collect();
    let mut to = BufWriter::new(File::create(file)?);
    serde_json::to_writer_pretty(&mut to, &Trail { schema_version: 1, invocations })?;
    to.write_all(b"\n")?;
    to.flush()
}
