//! Byte ranges of reads and of copied parts.

use super::fault::{Code, Fault};
use std::ops::Range;

/// The part of `size` bytes that a `Range` header asks for. `None`: the whole, because the header asks for
/// several ranges or for nothing that is one.
pub(super) fn of_header(header: &str, size: u64) -> Result<Option<Range<u64>>, Fault> {
    let Some(wanted) = parse(header) else { return Ok(None) };
    let range = match wanted {
        (Some(first), last) => first..last.map_or(size, |last| last.saturating_add(1)).min(size),
        (None, Some(tail)) => size.saturating_sub(tail)..size,
        (None, None) => return Ok(None),
    };
    if range.is_empty() {
        return Err(Fault::new(Code::InvalidRange)
            .with("RangeRequested", header)
            .with("ActualObjectSize", size.to_string()));
    }
    Ok(Some(range))
}

fn parse(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = header.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| -> Option<Option<u64>> {
        let text = text.trim();
        if text.is_empty() {
            return Some(None);
        }
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // A number too large to hold is larger than any object.
        Some(Some(text.parse().unwrap_or(u64::MAX)))
    };
    let (first, last) = (number(first)?, number(last)?);
    match (first, last) {
        (Some(first), Some(last)) if last < first => None,
        both => Some(both),
    }
}

/// The range of a copied part, which must lie within the source.
pub(super) fn of_copy(header: &str, size: u64) -> Result<Range<u64>, Fault> {
    let message = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy";
    let Some((Some(first), Some(last))) = parse(header) else {
        return Err(Fault::argument("x-amz-copy-source-range", header, message));
    };
    if last >= size {
        let message = format!("Range specified is not valid for source object of size: {size}");
        return Err(Fault::argument("x-amz-copy-source-range", header, message));
    }
    Ok(first..last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let whole =
            ["bytes=", "bytes=-", "bytes=a-b", "items=0-1", "bytes=0-1,3-4", "bytes=5-2", "bytes=+1-2", ""];
        for header in whole {
            assert_eq!(of_header(header, 10).unwrap(), None, "{header}");
        }
        let parts =
            [("0-0", 0..1), ("3-", 3..10), ("-4", 6..10), ("-40", 0..10), ("8-99999999999999999999", 8..10)];
        for (text, expected) in parts {
            assert_eq!(of_header(&format!("bytes={text}"), 10).unwrap(), Some(expected), "{text}");
        }
        for header in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            assert_eq!(of_header(header, 10).unwrap_err().code, Code::InvalidRange, "{header}");
        }
        assert_eq!(of_header("bytes=0-", 0).unwrap_err().code, Code::InvalidRange);
    }

    #[test]
    fn ranges_of_copies_are_strict() {
        assert_eq!(of_copy("bytes=0-9", 10).unwrap(), 0..10);
        for header in ["bytes=0-10", "bytes=0-", "bytes=-5", "0-5", "bytes=5-2"] {
            assert_eq!(of_copy(header, 10).unwrap_err().code, Code::InvalidArgument, "{header}");
        }
    }
}
