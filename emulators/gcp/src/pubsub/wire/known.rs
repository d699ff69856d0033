//! Google's well-known types: points and spans of time, field masks, nothing.

use mlemu_core::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

/// `google.protobuf.Timestamp`; RFC 3339 in JSON.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Time {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Self {
        let (seconds, micros) = (at.0.div_euclid(1_000_000), at.0.rem_euclid(1_000_000));
        Self { seconds, nanos: micros as i32 * 1000 }
    }
}

impl From<Time> for Timestamp {
    fn from(time: Time) -> Self {
        Self(time.seconds.saturating_mul(1_000_000).saturating_add(i64::from(time.nanos / 1000)))
    }
}

/// As the vendor writes times: with three, six or no digits of a fraction.
pub fn rfc3339(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let format = match at.subsec_nanosecond() {
        0 => "%Y-%m-%dT%H:%M:%SZ",
        nanos if nanos % 1_000_000 == 0 => "%Y-%m-%dT%H:%M:%S.%3fZ",
        _ => "%Y-%m-%dT%H:%M:%S.%6fZ",
    };
    at.strftime(format).to_string()
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&rfc3339((*self).into()))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let at: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(Self { seconds: at.as_second(), nanos: at.subsec_nanosecond() })
    }
}

/// `google.protobuf.Duration`; `"10.5s"` in JSON.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Span {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl Span {
    /// `None`: it is negative.
    pub fn duration(self) -> Option<Duration> {
        let (seconds, nanos) = (u64::try_from(self.seconds).ok()?, u32::try_from(self.nanos).ok()?);
        Some(Duration::new(seconds, nanos.min(999_999_999)))
    }
}

impl From<Duration> for Span {
    fn from(span: Duration) -> Self {
        let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        Self { seconds, nanos: span.subsec_nanos() as i32 }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.nanos == 0 {
            return to.serialize_str(&format!("{}s", self.seconds));
        }
        let sign = if self.seconds < 0 || self.nanos < 0 { "-" } else { "" };
        let fraction = format!("{:09}", self.nanos.unsigned_abs());
        to.serialize_str(&format!(
            "{sign}{}.{}s",
            self.seconds.unsigned_abs(),
            fraction.trim_end_matches('0')
        ))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let wrong = || D::Error::custom(format!("`{text}` is no duration; write it like \"3.5s\""));
        let number = text.strip_suffix('s').ok_or_else(wrong)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let seconds: i64 = whole.parse().map_err(|_| wrong())?;
        let nanos: i32 = format!("{fraction:0<9}").parse().map_err(|_| wrong())?;
        Ok(Self { seconds, nanos: if whole.starts_with('-') { -nanos } else { nanos } })
    }
}

/// `google.protobuf.FieldMask`; `"labels,ackDeadlineSeconds"` in JSON.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct FieldMask {
    #[prost(string, repeated, tag = "1")]
    pub paths: Vec<String>,
}

impl Serialize for FieldMask {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.paths.join(","))
    }
}

impl<'de> Deserialize<'de> for FieldMask {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let paths = text.split(',').filter(|path| !path.is_empty()).map(snake).collect();
        Ok(Self { paths })
    }
}

/// `ackDeadlineSeconds` as `ack_deadline_seconds`.
fn snake(path: &str) -> String {
    let mut snake = String::new();
    for letter in path.trim().chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// `google.protobuf.Empty`
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Empty {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_masks_of_json() {
        for (text, seconds, nanos) in [("10s", 10, 0), ("0.5s", 0, 500_000_000), ("-1.25s", -1, -250_000_000)]
        {
            let span: Span = serde_json::from_str(&format!("\"{text}\"")).unwrap();
            assert_eq!((span.seconds, span.nanos), (seconds, nanos));
            assert_eq!(serde_json::to_string(&span).unwrap(), format!("\"{text}\""));
        }
        for wrong in ["10", "s", "1.s5", "ten s", "1.0000000001s", "1.-5s"] {
            assert!(serde_json::from_str::<Span>(&format!("\"{wrong}\"")).is_err(), "{wrong}");
        }
        let mask: FieldMask = serde_json::from_str("\"labels,ackDeadlineSeconds\"").unwrap();
        assert_eq!(mask.paths, ["labels", "ack_deadline_seconds"]);
    }

    #[test]
    fn times_lose_nothing() {
        let at = Timestamp(1_700_000_000_123_456);
        assert_eq!(Timestamp::from(Time::from(at)), at);
        assert_eq!(rfc3339(at), "2023-11-14T22:13:20.123456Z");
        let read: Time = serde_json::from_str("\"2023-11-14T22:13:20.123456Z\"").unwrap();
        assert_eq!(read, at.into());
        assert!(serde_json::from_str::<Time>("\"yesterday\"").is_err());
    }
}
