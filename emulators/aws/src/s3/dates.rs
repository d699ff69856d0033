//! The forms in which S3 writes and reads points in time.

use jiff::Timestamp as Jiff;
use mlemu_core::Timestamp;
pub(super) use mlemu_engine::dates::{http, seconds_of_http};

fn jiff(at: Timestamp) -> Jiff {
    Jiff::from_microsecond(at.0).unwrap_or_default()
}

/// `1994-11-06T08:49:37.123Z`
pub(super) fn iso(at: Timestamp) -> String {
    jiff(at).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// `1994-11-06T08:49:37Z`
pub(super) fn iso_seconds(at: Timestamp) -> String {
    jiff(at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Of `2007-12-01T12:00:00.000Z`.
pub(super) fn of_iso(text: &str) -> Option<Timestamp> {
    text.contains('T').then(|| text.parse::<Jiff>().ok())?.map(|at| Timestamp(at.as_microsecond()))
}

/// Whole seconds since 1970.
pub(super) fn seconds(at: Timestamp) -> i64 {
    at.0.div_euclid(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let at = Timestamp(784_111_777_123_456);
        assert_eq!(iso(at), "1994-11-06T08:49:37.123Z");
        assert_eq!(seconds_of_http(&http(at)), Some(seconds(at)));
        assert_eq!(of_iso("1994-11-06T08:49:37.123Z"), Some(Timestamp(784_111_777_123_000)));
    }
}
