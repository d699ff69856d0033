//! The instructions, as they are written.

use http::StatusCode;
use std::time::Duration;

const KIB: u64 = 1024;

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) enum Instruction {
    /// Nothing is done, and the answer is this status.
    Status(StatusCode),
    /// The same once so many bytes of an upload have been kept; of a download the answer breaks off there.
    StatusAfter(StatusCode, u64),
    /// The connection breaks off without an answer to speak of.
    Reset,
    /// The answer breaks off after so many bytes.
    Broken(u64),
    /// The last chunk of an upload breaks off when so many bytes of it have been kept; of a download the answer does.
    BrokenLast(u64),
    /// The answer stops after so many bytes, for ever or for a while.
    Stalled(u64, Option<Duration>),
    /// The first byte of the answer is another.
    Corrupted,
}

impl Instruction {
    /// An instruction of a list. `None`: there is none like it, or only for the gRPC API.
    pub fn read(text: &str) -> Option<Self> {
        Some(match text {
            "return-reset-connection" => Instruction::Reset,
            "return-broken-stream" => Instruction::Broken(10),
            "return-corrupted-data" => Instruction::Corrupted,
            "stall-always" => Instruction::Stalled(0, None),
            "stall-at-256KiB" => Instruction::Stalled(256 * KIB, None),
            _ => return Self::with_numbers(text),
        })
    }

    fn with_numbers(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("return-broken-stream-final-chunk-after-") {
            return Some(Instruction::BrokenLast(bytes(rest)?));
        }
        if let Some(rest) = text.strip_prefix("return-broken-stream-after-") {
            return Some(Instruction::Broken(bytes(rest)?));
        }
        if let Some(rest) = text.strip_prefix("stall-for-") {
            let (seconds, after) = rest.split_once("s-after-")?;
            let seconds = seconds.parse().ok().filter(|seconds| *seconds <= 3600)?;
            return Some(Instruction::Stalled(bytes(after)?, Some(Duration::from_secs(seconds))));
        }
        let rest = text.strip_prefix("return-")?;
        let (code, after) =
            rest.split_once("-after-").map_or((rest, None), |(code, after)| (code, Some(after)));
        let status = StatusCode::from_bytes(code.as_bytes()).ok().filter(|status| status.as_u16() >= 300)?;
        match after {
            None => Some(Instruction::Status(status)),
            Some(after) => Some(Instruction::StatusAfter(status, bytes(after)?)),
        }
    }

    /// An instruction of a request's own header: a client that counts its tries is spared from the third on.
    pub fn of_header(text: &str) -> Option<Self> {
        let (text, tries) = text.split_once("/retry-").unwrap_or((text, "0"));
        if tries.parse::<u32>().ok()? >= 3 {
            return None;
        }
        match text {
            "return-broken-stream" => Some(Instruction::Broken(KIB * KIB)),
            _ => Self::read(text),
        }
    }
}

/// `100B`, `256K`
fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = match (text.strip_suffix('K'), text.strip_suffix('B')) {
        (Some(number), _) => (number, KIB),
        (_, Some(number)) => (number, 1),
        _ => (text, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions() {
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        for (text, expected) in [
            ("return-503", Instruction::Status(unavailable)),
            ("return-503-after-256K", Instruction::StatusAfter(unavailable, 256 * KIB)),
            ("return-broken-stream-final-chunk-after-2K", Instruction::BrokenLast(2048)),
            ("return-broken-stream-after-512K", Instruction::Broken(512 * KIB)),
            ("return-broken-stream", Instruction::Broken(10)),
            ("stall-at-256KiB", Instruction::Stalled(256 * KIB, None)),
            ("stall-for-2s-after-1K", Instruction::Stalled(KIB, Some(Duration::from_secs(2)))),
        ] {
            assert_eq!(Instruction::read(text), Some(expected), "{text}");
        }
        for wrong in [
            "",
            "return-",
            "return-200",
            "return-x",
            "stall",
            "stall-for-9999s-after-1K",
            "return-503-after-xK",
            "return-503-after-99999999999999999999K",
            "redirect-send-token-t",
            "return-503-if-dp-enforced",
        ] {
            assert_eq!(Instruction::read(wrong), None, "{wrong}");
        }
        assert_eq!(Instruction::of_header("return-503-after-256K/retry-3"), None);
        assert!(Instruction::of_header("return-503-after-256K/retry-2").is_some());
        assert_eq!(Instruction::of_header("return-broken-stream"), Some(Instruction::Broken(KIB * KIB)));
    }
}
