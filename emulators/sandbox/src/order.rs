//! What the daemon and a shim say to each other, over the socket that is the shim's standard input.
//!
//! The daemon sends one [`Order`]: four bytes of length, then JSON. Closing its side means "end it", said or
//! died. The shim answers with lines of JSON, each a [`Report`]. Nothing of this is ever on a command line,
//! where everybody could read a secret.

use crate::fence::Fence;
use mlemu_core::Environment;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Process id of the daemon, to see at once when it is gone.
    pub daemon: i32,
    pub program: PathBuf,
    pub args: Vec<String>,
    pub env: Environment,
    pub folder: PathBuf,
    pub fence: Fence,
    pub scratch: ScratchKind,
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
