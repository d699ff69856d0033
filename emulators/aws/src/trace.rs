//! Which request began a chain of causes, as trace headers tell it.
//!
//! Lambda gives each invocation a trace header, and AWS's SDKs send it along with every call that a function
//! makes (AWS uses it to detect loops: Lambda Developer Guide, "Use Lambda recursive loop detection"). So what a
//! function does is known to be caused by whatever started the function. The trace is the header's root; a chain
//! that began without a header is known by its first request's id, which travels in a field of our own.

use mlemu_core::Timestamp;
use sha2::{Digest, Sha256};

/// A field that other readers of the header pass on.
const OWN: &str = "Mlemu";

/// The trace that a header stands for.
pub fn of(header: &str) -> &str {
    field(header, OWN)
        .or_else(|| field(header, "Root"))
        .unwrap_or_else(|| header.split(';').next().unwrap_or_default().trim())
}

fn field<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let fields = header.split(';').filter_map(|field| field.trim().split_once('='));
    fields
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .find(|v| !v.is_empty())
}

/// The header of an invocation that belongs to `trace`, for a caller who sent none.
pub fn header(trace: &str, now: Timestamp) -> String {
    let hex = digits(trace);
    if is_root(trace) {
        return format!("Root={trace};Parent={};Sampled=0", &hex[24..40]);
    }
    let seconds = now.millis() / 1000;
    format!("Root=1-{seconds:08x}-{};Parent={};Sampled=0;{OWN}={trace}", &hex[..24], &hex[24..40])
}

/// As many digits as a root and a parent need, the same for the same trace: those of an id, or else of a digest.
fn digits(trace: &str) -> String {
    let own: String = trace.chars().filter(char::is_ascii_hexdigit).collect();
    if own.len() >= 32 && trace.len() == 36 {
        return format!("{own}{}", &own[..8]);
    }
    mlemu_engine::objects::hex(&Sha256::digest(trace.as_bytes()))
}

/// `1-<time>-<96 bits>`, as X-Ray writes it.
fn is_root(trace: &str) -> bool {
    trace.strip_prefix("1-").is_some_and(|rest| rest.len() == 33 && rest.as_bytes()[8] == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";

    #[test]
    fn a_header_stands_for_its_root() {
        assert_eq!(of(&format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1")), ROOT);
        assert_eq!(of("Self=1-x; root=r ;Sampled=0"), "r");
        assert_eq!(of("plain"), "plain");
        assert_eq!(of(";;="), "");
        assert_eq!(of("Root=;Sampled=1"), "Root=");
    }

    #[test]
    fn what_is_handed_to_a_function_comes_back_as_the_same_trace() {
        for trace in [ROOT, "79B1F1E2A5C9D0E3", "b4a1-uuid", "1-short"] {
            let header = header(trace, Timestamp(1_700_000_000_000_000));
            assert_eq!(of(&header), trace, "{header}");
            assert!(header.starts_with("Root=1-"), "{header}");
        }
    }
}
