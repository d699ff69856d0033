//! The test harness: what stands between a test and a daemon, whoever starts it.
//!
//! [`Client`] asks a daemon everything that a test wants to know of it, or do to it. [`Session`] is the Rust face: a
//! daemon inside of the test, and its client. Other languages have theirs in folders beside this file (`python`,
//! `node`): they start `mlemu exec` and speak to the control API.

pub mod client;
pub mod environment;
pub mod guard;
pub(crate) mod script;
mod session;
pub mod trail;
mod trouble;

pub use crate::daemon::control::invocations::Filter;
pub use crate::daemon::control::wait::{Asked, Conditions};
pub use client::Client;
pub use script::schema::schema as test_file_schema;
pub use session::{Builder, Session};
pub use trouble::{Diagnosis, HarnessError};
