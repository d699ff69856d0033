//! Google's dialect: Cloud Functions behind the functions-framework, and Cloud Storage.

pub mod framework;
pub mod functions;
mod place;
mod plug;
pub mod profile;
pub mod storage;

pub use place::Place;
pub use plug::Gcp;
