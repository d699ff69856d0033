//! What the daemon and a shim say to each other, over the socket that is the shim's standard input.
//!
//! The daemon sends a [`Duty`] when the process starts. A shim gets an [`Order`] when there is a function for it,
//! a keeper a [`Notice`] of each instance; each message is
//! four bytes of length and JSON. Closing its side means "end it", said or died. The shim answers with lines
//! of JSON, each a [`Report`]. Nothing of this is ever on a command line, where everybody could read a secret.

use crate::fence::Fence;
use mlemu_core::Environment;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

/// What a process of ours is there for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Duty {
    /// One instance.
    Shim(Post),
    /// To end what shims do not.
    Keeper,
}

/// What a keeper hears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// An instance has a function now; `shim` is a process id.
    Began { id: u64, shim: i32, fence: Fence },
    /// Nothing is left of it.
    Ended { id: u64 },
}

/// Where a shim stands, before it knows for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// Process id of the daemon, to see at once when it is gone.
    pub daemon: i32,
    pub fence: Fence,
}

/// The function to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// For people.
    pub name: String,
    /// With a path; names without one are not searched for.
    pub program: PathBuf,
    pub args: Vec<String>,
    pub env: Environment,
    pub folder: PathBuf,
    pub scratch: ScratchKind,
}

/// A message as it is sent.
pub fn frame(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let body = serde_json::to_vec(message)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    Ok([&length.to_le_bytes()[..], &body].concat())
}

/// The body of the next message.
pub fn receive(from: &mut impl io::Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut body = vec![0; u32::from_le_bytes(length) as usize];
    from.read_exact(&mut body)?;
    Ok(body)
}

/// How the private `/tmp` is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScratchKind {
    /// `folder` is a memory file system of the right size; it and its like are mounted below `all`.
    Sized { all: PathBuf, folder: PathBuf },
    /// `folder` is a plain folder: it is put over `/tmp` where that is allowed, without a size.
    Plain { folder: PathBuf },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// The function's program runs.
    Started {
        process: i32,
    },
    Failed {
        why: String,
    },
    /// The first process ended and nothing is left of the others.
    Ended(Ended),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub how: How,
    /// The kernel killed something because the hard limit was reached.
    pub out_of_memory: bool,
    /// Largest resident size that any one process ever had, in bytes.
    pub peak_resident: u64,
    pub cpu_micros: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    Exit(i32),
    Signal(i32),
}
