//! Signed URLs and forms: whether they still hold, and who signed them.
//!
//! When, what and with which headers is always checked. The signature itself is, wherever the key is known: HMAC keys
//! that were made here, and the service account whose key file the project names. Others count when nobody is strict.
//!
//! Source: Cloud Storage, "V4 signing process with your own program", "V2 signing process", "Signatures".

mod account;
pub(super) mod form;
mod query;
#[cfg(test)]
mod tests;

pub(super) use account::Account;
pub(super) use query::check;

use super::fault::Fault;
use hmac::{Hmac, Mac};
use http::StatusCode;
use mlemu_core::Timestamp;
use sha2::{Digest as _, Sha256};
use std::fmt::Write;

/// Longest that a signature of the fourth version holds, in seconds.
const LONGEST: u64 = 7 * 24 * 3600;
/// How far the signer's clock may be ahead, in microseconds.
const AHEAD: i64 = 15 * 60 * 1_000_000;

/// A key by which a signature can be verified.
pub(super) enum Key<'a> {
    Rsa(&'a Account),
    Hmac(String),
}

/// What is known of keys, by who signs with them.
pub(super) struct Keys<'a> {
    pub account: Option<&'a Account>,
    pub hmac: &'a dyn Fn(&str) -> Option<String>,
    /// A signature that cannot be verified is refused.
    pub strict: bool,
}

impl Keys<'_> {
    fn of(&self, signer: &str) -> Option<Key<'_>> {
        let account = self.account.filter(|account| account.email == signer);
        account.map(Key::Rsa).or_else(|| (self.hmac)(signer).map(Key::Hmac))
    }
}

/// What a signature is of.
struct Claim<'a> {
    signer: &'a str,
    /// `YYYYMMDD/LOCATION/storage/goog4_request`.
    scope: &'a str,
    signature: &'a [u8],
}

impl Claim<'_> {
    /// Whether one of `texts` was signed. Fails in the vendor's words.
    fn verify(&self, keys: &Keys<'_>, texts: &[String]) -> Result<(), Fault> {
        let holds = match keys.of(self.signer) {
            None if keys.strict => return Err(unknown(self.signer)),
            None => true,
            Some(Key::Rsa(account)) => {
                texts.iter().any(|text| account.signed(text.as_bytes(), self.signature))
            }
            Some(Key::Hmac(secret)) => texts.iter().any(|text| self.is_mac(&secret, text)),
        };
        if holds { Ok(()) } else { Err(mismatch(texts)) }
    }

    fn is_mac(&self, secret: &str, text: &str) -> bool {
        let first = format!("GOOG4{secret}").into_bytes();
        let key = self.scope.split('/').fold(first, |key, part| mac(&key, part.as_bytes()));
        Hmac::<Sha256>::new_from_slice(&key)
            .is_ok_and(|hmac| hmac.chain_update(text.as_bytes()).verify_slice(self.signature).is_ok())
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let hmac = Hmac::<Sha256>::new_from_slice(key);
    hmac.map(|hmac| hmac.chain_update(text).finalize().into_bytes().to_vec()).unwrap_or_default()
}

fn sha256(text: &[u8]) -> String {
    hex(&Sha256::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    (digits.len().is_multiple_of(2)).then(|| digits.chunks(2).map(pair).collect())?
}

/// `20260102T030405Z`
fn moment(text: &str) -> Option<Timestamp> {
    let parsed = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    let at = parsed.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(Timestamp(at.as_microsecond()))
}

/// `EMAIL/YYYYMMDD/LOCATION/storage/goog4_request`: who signed, and the scope. An account may have no slash in it.
fn credential<'a>(text: &'a str, date: &str) -> Result<(&'a str, &'a str), Fault> {
    let wrong =
        || invalid(format!("The credential scope of {text} is not DATE/LOCATION/storage/goog4_request."));
    let (signer, scope) = text.split_once('/').ok_or_else(wrong)?;
    let parts: Vec<&str> = scope.split('/').collect();
    match parts[..] {
        [day, _, "storage", "goog4_request"] if date.starts_with(day) && day.len() == 8 => {
            Ok((signer, scope))
        }
        _ => Err(wrong()),
    }
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::coded(StatusCode::BAD_REQUEST, "InvalidArgument", "Invalid argument.").because(message)
}

fn expired(at: Timestamp) -> Fault {
    let fault = Fault::coded(StatusCode::BAD_REQUEST, "ExpiredToken", "The provided token has expired.");
    fault.because(format!("Request signature expired at: {}", super::wire::time(at)))
}

fn early() -> Fault {
    Fault::coded(StatusCode::FORBIDDEN, "AccessDenied", "Access denied.").because("Request is not valid yet.")
}

fn unknown(signer: &str) -> Fault {
    let fault = Fault::coded(StatusCode::FORBIDDEN, "AccessDenied", "Access denied.");
    fault.because(format!("mlemu knows no key of {signer}: name its file as service_account under [gcp]"))
}

fn mismatch(texts: &[String]) -> Fault {
    let message = "The request signature we calculated does not match the signature you provided. Check your Google secret key and signing method.";
    let fault = Fault::coded(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message);
    fault.because(texts.first().cloned().unwrap_or_default())
}
