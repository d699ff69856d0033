//! `Range` of a download.
//!
//! Source: RFC 9110, "Range Requests". Only one range is served; with several the whole object is, as allowed.

use super::fault::Fault;
use std::ops::Range;

/// `Ok(None)`: the whole object.
pub(super) fn read(header: Option<&str>, size: u64) -> Result<Option<Range<u64>>, Fault> {
    let Some(spec) = header.and_then(|header| header.strip_prefix("bytes=")) else { return Ok(None) };
    let Some((first, last)) = spec.split_once('-').filter(|_| !spec.contains(',')) else { return Ok(None) };
    let (first, last) = (first.trim(), last.trim());
    let range = if first.is_empty() {
        let Ok(count) = last.parse::<u64>() else { return Ok(None) };
        size.saturating_sub(count)..size
    } else {
        let Ok(from) = first.parse::<u64>() else { return Ok(None) };
        let Ok(last) = (if last.is_empty() { Ok(u64::MAX) } else { last.parse::<u64>() }) else {
            return Ok(None);
        };
        if last < from {
            return Ok(None);
        }
        from..last.saturating_add(1).min(size)
    };
    if range.start >= size || range.is_empty() { Err(Fault::range()) } else { Ok(Some(range)) }
}

/// The first byte that a request wants.
pub(super) fn begin(headers: &http::HeaderMap) -> u64 {
    let spec = headers.get(http::header::RANGE).and_then(|value| value.to_str().ok());
    let first = spec.and_then(|spec| spec.strip_prefix("bytes=")?.split_once('-')?.0.parse().ok());
    first.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn ranges() {
        let of = |text: &str| read(Some(text), 10).map_err(|fault| fault.status.as_u16());
        assert_eq!(of("bytes=2-4"), Ok(Some(2..5)));
        assert_eq!(of("bytes=8-99"), Ok(Some(8..10)));
        assert_eq!(of("bytes=7-"), Ok(Some(7..10)));
        assert_eq!(of("bytes=-3"), Ok(Some(7..10)));
        assert_eq!(of("bytes=10-"), Err(416));
        assert_eq!(of("bytes=-0"), Err(416));
        for whole in ["bytes=x-", "bytes=4-2", "bytes=1-2,4-5", "lines=1-2", "bytes=-", "bytes"] {
            assert_eq!(of(whole), Ok(None), "{whole}");
        }
        assert_eq!(read(Some("bytes=0-"), 0).map_err(|fault| fault.status.as_u16()), Err(416));
    }
}
