//! Amazon's dialect: Lambda, its Runtime API, S3, and what tools ask before they deploy.

pub mod apology;
pub mod auth;
mod declared;
pub mod events;
pub mod gateway;
pub mod iam;
pub mod lambda;
mod pattern;
mod plug;
pub mod profile;
pub mod reach;
pub mod runtime_api;
pub mod s3;
pub mod sagemaker;
pub mod schedule;
mod service;
pub mod sns;
pub mod sqs;
pub mod trace;
pub mod trouble;

pub use plug::Aws;
