//! The limits of Cloud Functions as data, with the vendor page each comes from.
//!
//! Quotas: Cloud Functions documentation, "Quotas"; defaults: the reference of `ServiceConfig`.

use mlemu_core::Limits;
use std::time::Duration;

pub const MIB: u64 = 1024 * 1024;
pub const DEFAULT_MEMORY: u64 = 256 * MIB;
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a container may take until it listens: Cloud Run's startup probe, 240 s by default.
pub const STARTUP: Duration = Duration::from_secs(240);
/// Project and region where nothing says otherwise. `demo-` promises never to mean a real project.
pub const PROJECT: &str = "demo-mlemu";
pub const REGION: &str = "us-central1";

/// The two products of the name Cloud Functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    First,
    Second,
}

impl Generation {
    /// Largest request and largest answer of an HTTP function, in bytes.
    pub fn payload(self) -> u64 {
        match self {
            Generation::First => 10 * MIB,
            Generation::Second => 32 * MIB,
        }
    }

    /// Largest event, in bytes: 10 MB for the first generation, 512 KB from Eventarc for the second.
    pub fn event(self) -> u64 {
        match self {
            Generation::First => 10 * MIB,
            Generation::Second => 512 * 1024,
        }
    }
}

/// The limits of a function that declares these. The scratch folder is memory in this cloud, so it is as large.
pub fn limits(generation: Generation, memory: u64, timeout: Duration) -> Limits {
    Limits {
        memory,
        timeout,
        init: STARTUP,
        tmp: memory,
        request: generation.payload(),
        queued_request: generation.event(),
        response: generation.payload(),
        streamed_response: generation.payload(),
        concurrency: None,
    }
}
