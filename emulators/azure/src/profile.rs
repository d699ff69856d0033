//! The limits of Azure Functions as data, with the vendor page each comes from.
//!
//! Source: Azure Functions documentation, "Azure Functions hosting options" (Consumption plan).

use mlemu_core::Limits;
use std::time::Duration;

/// What is known of both plans, with its sources: limits, prices, timings.
pub const PROFILES: &[&str] = &[
    include_str!("../profiles/consumption-2026-11-21.json"),
    include_str!("../profiles/flex-2026-11-21.json"),
    include_str!("../profiles/seed-2019.json"),
];

pub const MIB: u64 = 1024 * 1024;
/// What an instance of the Consumption plan has.
pub const DEFAULT_MEMORY: u64 = 1536 * MIB;
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);
/// Longest `functionTimeout` of the Consumption plan.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a worker may take until it has loaded its functions.
pub const STARTUP: Duration = Duration::from_secs(60);
/// Largest HTTP request, in bytes.
pub const PAYLOAD: u64 = 100 * MIB;
/// An instance's own disk, in bytes.
const SCRATCH: u64 = 1024 * MIB;
/// Subscription and region where nothing says otherwise.
pub const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";
pub const REGION: &str = "local";

/// The limits of an app that declares these.
pub fn limits(memory: u64, timeout: Duration) -> Limits {
    Limits {
        memory,
        timeout,
        init: STARTUP,
        tmp: SCRATCH,
        request: PAYLOAD,
        queued_request: PAYLOAD,
        response: PAYLOAD,
        streamed_response: PAYLOAD,
        concurrency: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlemu_core::Profile;

    #[test]
    fn what_is_enforced_is_what_the_profile_says() {
        let profile = Profile::read(PROFILES[0]).unwrap();
        let figure = |path| profile.figure(path).and_then(|figure| figure.v.as_u64()).unwrap();
        assert_eq!(figure("memory_mb.default") * MIB, DEFAULT_MEMORY);
        assert_eq!(figure("payload.request_mb") * MIB, PAYLOAD);
        assert_eq!(figure("timeouts_s.default"), DEFAULT_TIMEOUT.as_secs());
        assert_eq!(figure("timeouts_s.max"), LONGEST_TIMEOUT.as_secs());
    }
}
