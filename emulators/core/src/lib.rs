//! The vocabulary of mlemu and the seams between its parts.
//!
//! Everything here is plain data or a trait. This crate does no I/O, reads no clock, starts no task and
//! knows no cloud by name. Read the modules in this order: [`id`], [`function`], [`invoke`], [`outcome`],
//! [`record`], then the seams: [`build`], [`sandbox`], [`runtime`], [`clock`], and last what starts a
//! function by itself: [`occurrence`], [`declare`], and what it would meet in its cloud: [`profile`], [`terms`].

pub mod build;
pub mod clock;
pub mod declare;
pub mod function;
pub mod here;
pub mod id;
pub mod invoke;
pub mod occurrence;
pub mod outcome;
pub mod profile;
pub mod record;
pub mod runtime;
pub mod sandbox;
pub mod spread;
pub mod terms;

pub use build::{Build, BuildFailure, Built, Language, Needs, PackageFault, Unpacked};
pub use clock::{Clock, Due, Timestamp};
pub use function::{Environment, Limits, Revision, Source};
pub use here::is_here;
pub use id::{Cause, Epoch, FunctionId, InstanceId, InvocationId, Scope};
pub use invoke::{ChunkSink, HangUp, Invoke, Mode, Refusal, Reply, RequestHead, Strain, Throttle};
pub use occurrence::{EventShape, Occurrence};
pub use outcome::{Answer, FunctionFailure, LogLine, Outcome, ResponseHead, StartKind, Stream, Usage};
pub use profile::Profile;
pub use record::{Record, Sink, Subject, What};
pub use runtime::{Keeping, Runtime, Session};
pub use sandbox::{Confined, Ending, Enforcement, Reading, Sandbox, SandboxSpec};
pub use terms::{ColdStarts, Shares, Simulated, Terms};

/// A future that a dyn-compatible trait can return.
pub type Boxed<'a, T> = futures_util::future::BoxFuture<'a, T>;
