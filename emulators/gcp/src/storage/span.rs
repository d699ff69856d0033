//! `Content-Range` of the requests of a resumable upload, and how far each gets.
//!
//! Source: Cloud Storage, "Perform resumable uploads".

use super::Storage;
use super::fault::Fault;
use super::routes::Op;
use super::trouble::{Instruction, cut_upload};
use http::header;
use http::request::Parts;

/// `Content-Range` of one request of a resumable upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// No such header: all that is left.
    Whole,
    /// `bytes 0-9/20`, or `/*` while the total is not known.
    From { start: u64, length: u64, total: Option<u64> },
    /// `bytes 5-*/20`, or `/*`: all that is left, whose length the client does not know.
    Rest { start: u64, total: Option<u64> },
    /// `bytes */20`: how much has come?
    Asks { total: Option<u64> },
}

impl Span {
    pub fn read(header: Option<&str>) -> Result<Self, Fault> {
        let Some(text) = header else { return Ok(Span::Whole) };
        let malformed = || Fault::invalid(format!("Failed to parse Content-Range header: {text}"));
        let (span, total) =
            text.strip_prefix("bytes ").and_then(|rest| rest.split_once('/')).ok_or_else(malformed)?;
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| malformed());
        let total = if total.trim() == "*" { None } else { Some(number(total)?) };
        if span.trim() == "*" {
            return Ok(Span::Asks { total });
        }
        let (start, last) = span.split_once('-').ok_or_else(malformed)?;
        let start = number(start)?;
        if last.trim() == "*" {
            return Ok(Span::Rest { start, total });
        }
        let last = number(last)?;
        let end = last.checked_add(1).filter(|end| *end > start && total.is_none_or(|total| *end <= total));
        Ok(Span::From { start, length: end.ok_or_else(malformed)? - start, total })
    }

    pub fn total(self) -> Option<u64> {
        match self {
            Span::Whole => None,
            Span::From { total, .. } | Span::Rest { total, .. } | Span::Asks { total } => total,
        }
    }

    /// Where it begins, where it says so.
    pub fn start(self) -> Option<u64> {
        match self {
            Span::From { start, .. } | Span::Rest { start, .. } => Some(start),
            Span::Whole | Span::Asks { .. } => None,
        }
    }

    /// Whether a request ends its upload, of which `received` bytes have come by then.
    pub fn ends(self, received: u64) -> bool {
        match (self, self.total()) {
            (_, Some(total)) => total == received,
            (Span::Whole | Span::Rest { .. }, None) => true,
            (Span::From { .. } | Span::Asks { .. }, None) => false,
        }
    }

    /// The header must tell the truth of the body.
    pub fn agrees(self, size: u64) -> Result<(), Fault> {
        match self {
            Span::From { length, .. } if length != size => Err(Fault::invalid(format!(
                "The Content-Range header promises {length} bytes, there are {size}."
            ))),
            _ => Ok(()),
        }
    }
}

/// How far an upload gets with one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// What came before, in bytes.
    received: u64,
    /// What comes now.
    length: u64,
    is_last: bool,
}

impl Progress {
    /// How much of this request is kept, where it ends early.
    pub fn cut(&self, instruction: &Instruction) -> Option<u64> {
        cut_upload(instruction, self.received, self.length, self.is_last)
    }
}

impl Storage {
    /// `None`: the request uploads nothing.
    pub(super) fn progress(&self, op: &Op, parts: &Parts) -> Option<Progress> {
        if !matches!(op, Op::Upload { .. } | Op::Resume) {
            return None;
        }
        let header = |name| parts.headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        let length = header(header::CONTENT_LENGTH).and_then(|text| text.parse().ok()).unwrap_or_default();
        let query = parts.uri.query().unwrap_or_default();
        let id = query.split('&').find_map(|pair| pair.strip_prefix("upload_id="));
        let received = id.and_then(|id| self.sessions.get(id).ok()).map_or(0, |upload| upload.received());
        let span = Span::read(header(header::CONTENT_RANGE)).ok()?;
        let is_last = match span {
            Span::Whole | Span::Rest { .. } => id.is_some(),
            Span::From { start, length, total } => total == Some(start + length),
            Span::Asks { .. } => false,
        };
        Some(Progress { received, length, is_last })
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn spans() {
        assert_eq!(Span::read(None), Ok(Span::Whole));
        let from = Span::From { start: 5, length: 5, total: Some(10) };
        assert_eq!(Span::read(Some("bytes 5-9/10")), Ok(from));
        let rest = Span::Rest { start: 5, total: None };
        assert_eq!(Span::read(Some("bytes 5-*/*")), Ok(rest));
        assert_eq!((rest.start(), rest.ends(7), from.ends(7), from.ends(10)), (Some(5), true, false, true));
        assert_eq!(Span::read(Some("bytes */*")), Ok(Span::Asks { total: None }));
        assert_eq!(Span::read(Some("bytes */10")), Ok(Span::Asks { total: Some(10) }));
        for bad in [
            "",
            "bytes",
            "bytes 1-2",
            "bytes 2-1/9",
            "bytes 0-9/5",
            "bytes -/-",
            "bytes *-3/9",
            "bytes a-b/c",
            "chars 0-1/2",
            "bytes 0-18446744073709551615/*",
        ] {
            assert!(Span::read(Some(bad)).is_err(), "{bad}");
        }
    }
}
