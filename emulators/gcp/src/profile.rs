//! The limits of Cloud Functions as data, with the vendor page each comes from.
//!
//! Quotas: Cloud Functions documentation, "Quotas"; defaults: the reference of `ServiceConfig`.

use mlemu_core::Limits;
use std::time::Duration;

/// What is known of both generations, with its sources: limits, prices, timings.
pub const PROFILES: &[&str] = &[
    include_str!("../profiles/gen1-2026-11-21.json"),
    include_str!("../profiles/gen2-2026-11-21.json"),
    include_str!("../profiles/seed-2019.json"),
];

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
    /// The name of its profile.
    pub fn profile(self) -> &'static str {
        match self {
            Generation::First => "gcf-gen1",
            Generation::Second => "gcf-gen2",
        }
    }

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

/// Most requests at a time that an instance may be given.
///
/// Source: Cloud Functions documentation, "Concurrency".
pub fn most_concurrency(generation: Generation) -> u32 {
    match generation {
        Generation::First => 1,
        Generation::Second => 1000,
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

#[cfg(test)]
mod tests {
    use super::*;
    use mlemu_core::Profile;

    #[test]
    fn what_is_enforced_is_what_the_profiles_say() {
        for (text, generation) in PROFILES.iter().zip([Generation::First, Generation::Second]) {
            let profile = Profile::read(text).unwrap();
            let figure = |path| profile.figure(path).and_then(|figure| figure.v.as_u64());
            assert_eq!(figure("payload.http_request_mb").unwrap() * MIB, generation.payload());
            let event = figure("payload.event_mb").map(|mb| mb * MIB);
            let event = event.or_else(|| figure("payload.eventarc_event_kb").map(|kb| kb * 1024));
            assert_eq!(event, Some(generation.event()));
            assert_eq!(figure("memory_mb.default").unwrap() * MIB, DEFAULT_MEMORY);
            assert_eq!(figure("timeouts_s.default").unwrap(), DEFAULT_TIMEOUT.as_secs());
        }
    }
}
