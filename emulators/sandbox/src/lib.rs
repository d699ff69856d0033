//! Confinement of functions: starting them behind walls, measuring them truthfully, and making sure that
//! nothing of them is left.
//!
//! Three parties take part. The *daemon* asks through [`Processes`], its [`mlemu_core::Sandbox`]. One
//! immortal *spawner* thread starts every process, because the kernel ties a child's fate to the thread that
//! made it. Each instance has a *shim*, this same binary under a hidden subcommand ([`shim_main`]), that
//! raises the walls, starts the function and outlives it by the moment it takes to kill what is left,
//! whoever died first.

#[cfg(target_os = "linux")]
mod bay;
#[cfg(target_os = "linux")]
mod detect;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod fence;
#[cfg(target_os = "linux")]
mod findings;
mod foreground;
#[cfg(target_os = "linux")]
mod group;
pub mod memory;
#[cfg(target_os = "linux")]
mod meter;
#[cfg(target_os = "linux")]
mod order;
#[cfg(target_os = "linux")]
mod output;
#[cfg(target_os = "linux")]
mod pacer;
#[cfg(target_os = "linux")]
mod processes;
#[cfg(target_os = "linux")]
mod running;
#[cfg(target_os = "linux")]
mod scratch;
#[cfg(target_os = "linux")]
mod session;
#[cfg(target_os = "linux")]
mod shim;
#[cfg(target_os = "linux")]
mod spawner;
#[cfg(target_os = "linux")]
mod tree;
#[cfg(target_os = "linux")]
mod watchdog;

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{Processes, findings, shim_main};
#[cfg(target_os = "linux")]
pub use findings::findings;
pub use foreground::Foreground;
#[cfg(target_os = "linux")]
pub use processes::Processes;
#[cfg(target_os = "linux")]
pub use shim::shim_main;

use std::path::PathBuf;

/// The binary that becomes a shim, normally our own executable, and the arguments that make it call
/// [`shim_main`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShimProgram {
    /// Absolute.
    pub program: PathBuf,
    pub args: Vec<String>,
}

/// One thing that this machine can or cannot do, for a person who asks why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    pub name: &'static str,
    pub ok: bool,
    pub text: String,
    /// What to do about it, where something can be done.
    pub fix: Option<String>,
}
