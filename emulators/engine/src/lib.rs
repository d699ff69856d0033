//! The life of an invocation: registry, dispatch, instances, triggers, objects, records.

pub mod clock;
pub mod function;
pub mod journal;
pub mod objects;
pub mod triggers;

pub use clock::SystemClock;
pub use function::{Draft, Engine, FunctionView, Parts};
pub use journal::Journal;
