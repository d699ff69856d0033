//! The life of an invocation, from the call to its one completion.
//!
//! [`Engine::invoke`] admits a call ([`admission`]) and hands it to its function's dispatcher
//! ([`dispatch`]): one task that owns that function's queue and knows its instances. Each instance
//! ([`instance`]) is a task of its own that owns a sandbox, a runtime session and the invocation in
//! flight, and completes it exactly once, however it ends. [`watch`] publishes a new revision when a source
//! changes. What happened goes to the [`journal`], which every report reads, and, by invocation, to the
//! [`history`]. [`objects`] keeps what was uploaded, and [`triggers`] turns its changes into invocations on the
//! same road. [`care`] tries queued calls again. [`queues`] keeps messages, and [`sources`] takes them from there to functions. [`endpoints`] share requests for predictions among
//! functions. [`settle`] counts what
//! is under way, so that a test can wait until nothing is.
//!
//! No cloud is known here: a vendor's protocol is a `dyn Runtime`, its event a `dyn EventShape`.

mod admission;
pub mod aids;
pub mod care;
pub mod clock;
mod conditions;
pub mod dates;
mod dispatch;
pub mod endpoints;
mod face;
pub mod faults;
mod gate;
mod ground;
pub mod history;
pub mod ids;
mod instance;
pub mod journal;
pub mod objects;
mod owed;
mod parts;
mod pulse;
pub mod queues;
mod registry;
pub mod schedules;
pub mod settle;
pub mod sources;
pub mod store;
pub mod triggers;
mod turns;
pub mod wait;
mod watch;

pub use clock::{SteeredClock, SystemClock};
pub use conditions::Simulation;
pub use dispatch::Interrupt;
pub use face::{Draft, Engine, FunctionView, Routes};
pub use faults::Faults;
pub use gate::Gate;
pub use ground::Ground;
pub use history::History;
pub use ids::Ids;
pub use journal::Journal;
pub use parts::{Parts, Policy};
pub use pulse::Pulse;
pub use settle::Settle;
pub use store::{Durability, Kept, KeptGuard, Shelf, Store, StoreError, Unwritten};
pub use turns::Turns;
