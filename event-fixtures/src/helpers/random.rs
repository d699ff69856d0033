//! Ids and other values that differ, from the seed of the request.

use super::args::{Args, Trouble};
use super::encode::hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::sync::atomic::Ordering;

pub(super) const TABLE: super::Table = &[
    ("counter", counter),
    ("rand-base64", rand_base64),
    ("rand-hex", rand_hex),
    ("rand-int", rand_int),
    ("uuid", uuid),
];

const MAX_DIGITS: usize = 1 << 16;

/// 1, 2, 3 within one event; `width=4` fills up with zeros.
fn counter(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    let count = args.kit.counter.fetch_add(1, Ordering::Relaxed) + 1;
    match args.named("width")?.map(|width| width.as_u64().filter(|width| *width <= 20)) {
        None => Ok(count.into()),
        Some(Some(width)) => Ok(format!("{count:0width$}", width = width as usize).into()),
        Some(None) => Err(Trouble::new("the `width` of `counter` is a number up to 20")),
    }
}

fn rand_hex(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    let digits = args.amount(0, MAX_DIGITS)?;
    let mut text = hex(&args.kit.seeded.bytes(digits.div_ceil(2)));
    text.truncate(digits);
    Ok(text.into())
}

/// Base64 of so many bytes.
fn rand_base64(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    Ok(STANDARD.encode(args.kit.seeded.bytes(args.amount(0, MAX_DIGITS)?)).into())
}

/// A whole number between two, both included.
fn rand_int(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    let (low, high) = (args.integer(0)?, args.integer(1)?);
    if high < low {
        return Err(Trouble::new(format!("`rand-int {low} {high}`: the second is less than the first")));
    }
    Ok(args.kit.seeded.between(low, high).into())
}

/// A UUID of version 4.
#[expect(clippy::unnecessary_wraps, reason = "all helpers have one form")]
fn uuid(args: &Args<'_, '_>) -> Result<Value, Trouble> {
    let mut bytes = args.kit.seeded.bytes(16);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex(&bytes);
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    Ok(parts.join("-").into())
}
