//! Lambda's limits as data, with the vendor page each comes from.
//!
//! Quotas: AWS Lambda Developer Guide, "Lambda quotas"; asynchronous payload: API reference, "Invoke".

use mlemu_core::Limits;
use std::time::Duration;

/// What is known of Lambda, with its sources: limits, prices, timings.
pub const PROFILES: &[&str] =
    &[include_str!("../profiles/lambda-2026-11-21.json"), include_str!("../profiles/seed-2019.json")];

pub const MIB: u64 = 1024 * 1024;

/// Largest event and answer of a waited-for invocation. Answers may be 100 bytes longer in the messages.
pub const SYNC_PAYLOAD: u64 = 6 * MIB;
pub const SYNC_RESPONSE: u64 = 6_291_556;
pub const QUEUED_PAYLOAD: u64 = MIB;
pub const STREAMED_RESPONSE: u64 = 200 * MIB;
pub const ZIPPED_PACKAGE: u64 = 52_428_800;
pub const UNZIPPED_PACKAGE: u64 = 262_144_000;
pub const CREATE_REQUEST: u64 = 70_167_211;
pub const ENVIRONMENT_BYTES: usize = 4096;
pub const DEFAULT_MEMORY: u64 = 128 * MIB;
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);
pub const DEFAULT_TMP: u64 = 512 * MIB;
pub const INIT: Duration = Duration::from_secs(10);
/// Memory that comes with one whole CPU.
pub const MEMORY_PER_CPU: u64 = 1769 * MIB;

/// Account and region where nothing says otherwise: what every local AWS tool uses.
pub const ACCOUNT: &str = "000000000000";
pub const REGION: &str = "us-east-1";

/// The limits of a function that declares these three.
pub fn limits(memory: u64, timeout: Duration, tmp: u64) -> Limits {
    Limits {
        memory,
        timeout,
        init: INIT,
        tmp,
        request: SYNC_PAYLOAD,
        queued_request: QUEUED_PAYLOAD,
        response: SYNC_RESPONSE,
        streamed_response: STREAMED_RESPONSE,
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
        assert_eq!(figure("limits.unzipped_bytes"), UNZIPPED_PACKAGE);
        assert_eq!(figure("limits.zip_upload_mb") * MIB, ZIPPED_PACKAGE);
        assert_eq!(figure("limits.env_kb") as usize * 1024, ENVIRONMENT_BYTES);
        assert_eq!(figure("limits.tmp_default_mb") * MIB, DEFAULT_TMP);
        assert_eq!(figure("memory_mb.default") * MIB, DEFAULT_MEMORY);
        assert_eq!(figure("timeouts_s.default"), DEFAULT_TIMEOUT.as_secs());
        assert_eq!(figure("timeouts_s.init_max"), INIT.as_secs());
        assert_eq!(figure("payload.sync_request_mb") * MIB, SYNC_PAYLOAD);
        assert_eq!(figure("payload.async_mb") * MIB, QUEUED_PAYLOAD);
        assert_eq!(figure("payload.stream_response_mb") * MIB, STREAMED_RESPONSE);
    }

    #[test]
    fn beliefs_are_marked() {
        let profile = Profile::read(PROFILES[0]).unwrap();
        let unverified = |path| profile.is_unverified(&profile.figure(path).unwrap().src);
        assert!(unverified("limits.image_gb") && unverified("payload.stream_response_mb"));
        assert!(!unverified("limits.unzipped_bytes") && !unverified("cold_start.python3.12/zip"));
    }
}
