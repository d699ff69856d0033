//! The test harness: what stands between a test and a daemon, whoever starts it.

//!
//! [`Session`] is the Rust face: a daemon inside of the test. Other languages have theirs in folders beside this
//! file (`python`, `node`): they start `mlemu exec` and speak to the control API.

pub mod environment;
pub mod guard;
pub(crate) mod script;
mod session;
pub mod trail;

pub use mlemu_engine::wait::{Ending, Until};
pub use script::schema::schema as test_file_schema;
pub use session::{Builder, HarnessError, Session};
