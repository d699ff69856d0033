//! Google's dialect: Cloud Functions behind the functions-framework, and Cloud Storage.

pub mod framework;
pub mod functions;
mod place;
mod plug;
pub mod profile;
pub mod scope;
pub mod storage;
pub mod trouble;

pub use place::Place;
pub use plug::Gcp;
