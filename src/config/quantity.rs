//! Sizes and durations as people write them: `512MB`, `1.5GB`, `30s`, `2m`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

const SIZE_UNITS: &[(&str, f64)] = &[
    ("B", 1.0),
    ("KB", 1024.0),
    ("KiB", 1024.0),
    ("MB", 1_048_576.0),
    ("MiB", 1_048_576.0),
    ("GB", 1_073_741_824.0),
    ("GiB", 1_073_741_824.0),
];
const TIME_UNITS: &[(&str, f64)] = &[("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
/// More than any machine has, and far from where arithmetic would overflow.
const MOST_BYTES: f64 = 1e15;
const MOST_SECONDS: f64 = 1e9;

/// Bytes. A megabyte is 1,048,576 of them, as every cloud counts memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Size(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Span(pub Duration);

impl Size {
    fn parse(text: &str) -> Option<Self> {
        let bytes = measure(text, SIZE_UNITS).filter(|bytes| *bytes <= MOST_BYTES)?;
        Some(Self(bytes.round() as u64))
    }
}

impl Span {
    fn parse(text: &str) -> Option<Self> {
        let seconds = measure(text, TIME_UNITS).filter(|seconds| *seconds <= MOST_SECONDS)?;
        Some(Self(Duration::from_secs_f64(seconds)))
    }
}

/// A duration as people write it; `None`: it is none.
pub fn duration(text: &str) -> Option<Duration> {
    Span::parse(text).map(|span| span.0)
}

/// Bytes as people write them; `None`: it is no size.
pub fn bytes(text: &str) -> Option<u64> {
    Size::parse(text).map(|size| size.0)
}

/// Reads a quantity from a string, and says how to write one when it is something else.
struct Reader<T> {
    what: &'static str,
    parse: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Reader { what: "a size like \"512MB\" or \"2GB\"", parse: Size::parse })
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Reader { what: "a duration like \"30s\" or \"500ms\"", parse: Span::parse })
    }
}

/// A number with a unit, in the smallest unit's measure.
fn measure(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(split);
    let unit = unit.trim_start();
    let factor = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1;
    Some(number.parse::<f64>().ok()? * factor)
}

impl JsonSchema for Size {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^[0-9.]+ *([kKmMgG][iI]?)?[bB]$", "examples": ["512MB", "2GB"] })
    }
}

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^[0-9.]+ *(ms|s|m|h)$", "examples": ["30s", "500ms"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_clouds_count_them() {
        let size = |text: &str| Size::parse(text).map(|size| size.0);
        assert_eq!(size("1024MB"), Some(1 << 30));
        assert_eq!(size("1.5 GB"), Some(3 << 29));
        assert_eq!(size("512mib"), Some(512 << 20));
        for bad in ["", "1024", "MB", "-1MB", "1e3MB", "1.2.3MB", "99999999999999999GB", "10 apples", "١MB"]
        {
            assert_eq!(size(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations_are_read() {
        let span = |text: &str| Span::parse(text).map(|span| span.0);
        assert_eq!(span("30s"), Some(Duration::from_secs(30)));
        assert_eq!(span("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(span("1.5m"), Some(Duration::from_secs(90)));
        for bad in ["30", "s", "-3s", "3 days", "999999999999h"] {
            assert_eq!(span(bad), None, "{bad}");
        }
    }
}
