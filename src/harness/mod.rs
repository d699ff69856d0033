//! The test harness: what stands between a test and a daemon, whoever starts it.

pub mod environment;
pub mod trail;
