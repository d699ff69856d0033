//! Points in time as HTTP writes and reads them, for every cloud's headers.
//!
//! Source: RFC 9110, section 5.6.7.

use jiff::Timestamp as Jiff;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};
use mlemu_core::Timestamp;

/// `Sun, 06 Nov 1994 08:49:37 GMT`
pub fn http(at: Timestamp) -> String {
    let at = Jiff::from_microsecond(at.0).unwrap_or_default();
    DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap_or_default()
}

/// Whole seconds since 1970. `None`: it is no such date.
pub fn seconds_of_http(text: &str) -> Option<i64> {
    DateTimeParser::new().parse_timestamp(text).ok().map(Jiff::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_back() {
        let at = Timestamp(784_111_777_123_456);
        assert_eq!(http(at), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(seconds_of_http(&http(at)), Some(784_111_777));
        for bad in ["yesterday", "", "1994-11-06T08:49:37Z"] {
            assert_eq!(seconds_of_http(bad), None, "{bad}");
        }
    }
}
