//! Google's dialect: Cloud Functions behind the functions-framework, Cloud Storage, and Pub/Sub.

mod courier;
pub mod coverage;
mod deploy;
pub mod framework;
pub mod functions;
mod neighbours;
mod place;
mod plug;
pub mod predict;
pub mod profile;
pub mod pubsub;
pub mod registered;
mod rpc;
pub mod scheduler;
pub mod scope;
pub mod storage;
pub mod tasks;
mod tokens;
pub mod trouble;

pub use place::Place;
pub use plug::Gcp;
