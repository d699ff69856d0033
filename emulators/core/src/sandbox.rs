//! Seam: confinement of one instance's processes.

use crate::Boxed;
use crate::function::Environment;
use crate::outcome::Stream;
use bytes::Bytes;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// What holds the memory limit. Detected, never assumed; named in every report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Enforcement {
    Cgroup2,
    Cgroup1,
    /// No cgroup may be written: the process tree is measured every few milliseconds and killed past its limit.
    Watchdog,
    None,
}

impl fmt::Display for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Enforcement::Cgroup2 => "cgroup2",
            Enforcement::Cgroup1 => "cgroup1",
            Enforcement::Watchdog => "watchdog",
            Enforcement::None => "none",
        })
    }
}

/// Receives what a process writes. `write` must return quickly and may be called from any thread.
pub trait Output: Send + Sync {
    fn write(&self, stream: Stream, bytes: Bytes);
}

/// A process to start and the walls around it.
#[derive(Clone)]
pub struct SandboxSpec {
    /// For people and for names in the system, e.g. `score-17`.
    pub name: String,
    pub program: PathBuf,
    pub args: Vec<String>,
    /// The whole environment: nothing is inherited.
    pub env: Environment,
    pub folder: PathBuf,
    /// In bytes.
    pub memory: u64,
    /// In CPUs; `None`: unlimited.
    pub cpu: Option<f64>,
    /// Size of the private `/tmp`, in bytes.
    pub tmp: u64,
    /// Files in it count as memory.
    pub tmp_is_memory: bool,
    /// Name of the scratch folder, so that a process started again in the same instance finds its files.
    pub tmp_name: String,
    pub output: Arc<dyn Output>,
}

impl fmt::Debug for SandboxSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxSpec").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How a sandbox's first process ended. All its descendants are gone by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Exit(i32),
    Signal(i32),
    OutOfMemory,
    /// We were asked to.
    Killed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Bytes in use now by the whole process tree.
    pub memory: u64,
    /// Highest since the start, in bytes.
    pub peak_memory: u64,
    pub cpu: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot start `{program}`: {why}")]
pub struct StartFailure {
    pub program: String,
    pub why: String,
}

/// A running sandbox. Dropping it kills it.
pub trait Confined: Send + Sync {
    /// Completes when the first process has ended; may be awaited many times.
    fn ended(&self) -> Boxed<'static, Ending>;

    /// Stops all processes where they are. Completes once they have stopped.
    fn freeze(&self) -> Boxed<'_, ()>;
    fn thaw(&self) -> Boxed<'_, ()>;

    /// Reads a few files of `/proc` and the cgroup.
    fn measure(&self) -> Reading;

    /// Highest memory since the start, in bytes; cheap enough to ask after each invocation.
    fn peak_memory(&self) -> u64 {
        self.measure().peak_memory
    }

    /// From now on its processes may take so many CPUs together; `None`: as much as there is.
    fn grant(&self, _cpus: Option<f64>) {}

    /// Completes once everything written before this call has been given to the [`Output`].
    fn drain(&self) -> Boxed<'_, ()>;

    /// Kills the whole tree now.
    fn kill(&self);
}

pub trait Sandbox: Send + Sync {
    fn enforcement(&self) -> Enforcement;
    fn start(&self, spec: SandboxSpec) -> Boxed<'_, Result<Box<dyn Confined>, StartFailure>>;
    /// Makes a scratch folder as full as it can be, or of its `size` again, in bytes. `false`: it has no size of its own
    /// here.
    fn fill(&self, _tmp_name: &str, _size: Option<u64>) -> Boxed<'_, bool> {
        Box::pin(std::future::ready(false))
    }

    /// Forgets the scratch folder of an instance that is gone.
    fn forget(&self, tmp_name: &str);
}
