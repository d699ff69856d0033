//! The time of the request, in the forms that vendors write it.

use super::args::{Args, Trouble, text_of};
use crate::suggest::similar;
use jiff::Timestamp;
use serde_json::Value;

pub(super) const TABLE: super::Table = &[("now", now)];

const FORMS: [&str; 8] = ["iso", "iso-ms", "epoch", "epoch-ms", "epoch-hex", "hex", "log", "rfc1123"];

/// `{{now}}`, `{{now "epoch-ms"}}`, `{{now "iso" offset="-5m"}}`.
fn now(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    let form = if args.count() == 0 { "iso".into() } else { args.text(0)? };
    let offset = match args.named("offset")? {
        Some(offset) => micros(&text_of(offset))?,
        None => 0,
    };
    let moment = args.kit.now.saturating_add(offset);
    let time = Timestamp::from_microsecond(moment)
        .map_err(|_| Trouble::new(format!("{moment} microseconds since 1970 is no time that has a date")))?;
    written(time, &form).ok_or_else(|| {
        let hint = crate::error::did_you_mean(&similar(&form, FORMS));
        let hint = hint.unwrap_or_else(|| format!("there are: {}", FORMS.join(", ")));
        Trouble::new(format!("`now` has no form `{form}`")).hint(hint)
    })
}

fn written(time: Timestamp, form: &str) -> Option<Value> {
    let text = |pattern: &str| Some(time.strftime(pattern).to_string().into());
    match form {
        "iso" => text("%Y-%m-%dT%H:%M:%SZ"),
        "iso-ms" => text("%Y-%m-%dT%H:%M:%S.%3fZ"),
        "epoch" => Some(time.as_second().into()),
        "epoch-ms" => Some(time.as_millisecond().into()),
        "epoch-hex" => Some(format!("{:08x}", time.as_second()).into()),
        "hex" => Some(format!("{:014x}", time.as_microsecond()).into()),
        "log" => text("%d/%b/%Y:%H:%M:%S +0000"),
        "rfc1123" => text("%a, %d %b %Y %H:%M:%S GMT"),
        _ => None,
    }
}

/// `-5m`, `+2h`, `50ms`, `1d`.
fn micros(text: &str) -> Result<i64, Trouble> {
    let digits = text.trim_start_matches(['-', '+']);
    let split = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let unit = match &digits[split..] {
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => 0,
    };
    let amount: Option<i64> = digits[..split].parse().ok().and_then(|amount: i64| amount.checked_mul(unit));
    match amount {
        Some(amount) if unit > 0 => Ok(if text.starts_with('-') { -amount } else { amount }),
        _ => {
            Err(Trouble::new(format!("`{text}` is no offset"))
                .hint("write a number and ms, s, m, h or d: -5m"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn forms() {
        let time = Timestamp::from_microsecond(1_428_582_896_042_999).unwrap();
        for (form, value) in [
            ("iso", json!("2015-04-09T12:34:56Z")),
            ("iso-ms", json!("2015-04-09T12:34:56.042Z")),
            ("epoch", json!(1_428_582_896)),
            ("epoch-ms", json!(1_428_582_896_042_i64)),
            ("epoch-hex", json!("552671f0")),
            ("hex", json!("051349e00d03f7")),
            ("log", json!("09/Apr/2015:12:34:56 +0000")),
            ("rfc1123", json!("Thu, 09 Apr 2015 12:34:56 GMT")),
        ] {
            assert_eq!(written(time, form), Some(value), "{form}");
        }
        assert_eq!(written(time, "sio"), None);
    }

    #[test]
    fn offsets() {
        assert_eq!(micros("-5m"), Ok(-300_000_000));
        assert_eq!(micros("+1d"), Ok(86_400_000_000));
        assert_eq!(micros("50ms"), Ok(50_000));
        for wrong in ["", "5", "m", "5 m", "5y", "99999999999999999999h", "9999999999999d", "é"] {
            assert!(micros(wrong).is_err(), "{wrong}");
        }
    }
}
