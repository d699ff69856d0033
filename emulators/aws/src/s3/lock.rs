//! Object Lock: until when a version must stay, and who may shorten that.
//!
//! Follows "Locking objects with Object Lock" of the Amazon S3 user guide. What holds for a version is kept among
//! its headers, because that is how it is answered.

use super::call::Call;
use super::dates;
use super::fault::{Code, Fault};
use super::kept::Kind;
use super::tree::Element;
use http::HeaderMap;
use mlemu_core::Timestamp;
use mlemu_engine::objects::{Attributes, BucketView, Object, Versioning};
use std::time::Duration;

pub(super) const MODE: &str = "x-amz-object-lock-mode";
pub(super) const UNTIL: &str = "x-amz-object-lock-retain-until-date";
pub(super) const HOLD: &str = "x-amz-object-lock-legal-hold";
const BYPASS: &str = "x-amz-bypass-governance-retention";

const DAY: u64 = 24 * 60 * 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Governance,
    Compliance,
}

impl Mode {
    pub fn read(text: &str) -> Option<Self> {
        match text {
            "GOVERNANCE" => Some(Mode::Governance),
            "COMPLIANCE" => Some(Mode::Compliance),
            _ => None,
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Mode::Governance => "GOVERNANCE",
            Mode::Compliance => "COMPLIANCE",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retention {
    pub mode: Mode,
    pub until: Timestamp,
}

impl Retention {
    pub fn of(attributes: &Attributes) -> Option<Self> {
        let header = |name| attributes.headers.get(name);
        Some(Self { mode: Mode::read(header(MODE)?)?, until: dates::of_iso(header(UNTIL)?)? })
    }

    pub fn write(self, attributes: &mut Attributes) {
        attributes.headers.insert(MODE, self.mode.text().to_owned());
        attributes.headers.insert(UNTIL, dates::iso(self.until));
    }

    /// Whether `next` may take its place.
    fn allows(self, next: Option<Retention>, bypass: bool) -> bool {
        let is_longer = next.is_some_and(|next| next.mode == self.mode && next.until >= self.until);
        is_longer || self.mode == Mode::Governance && bypass
    }
}

pub(super) fn is_held(attributes: &Attributes) -> bool {
    attributes.headers.get(HOLD).is_some_and(|hold| hold == "ON")
}

fn document(bucket: &BucketView) -> Option<Element> {
    let document = bucket.document(Kind::ObjectLock.name())?;
    // It was checked when it came.
    Element::parse(Kind::ObjectLock.name(), document.as_bytes()).ok()
}

pub(super) fn is_locked(bucket: &BucketView) -> bool {
    bucket.document(Kind::ObjectLock.name()).is_some()
}

/// Only a bucket that keeps versions can have a lock.
pub(super) fn check_bucket(bucket: &BucketView) -> Result<(), Fault> {
    if bucket.versioning == Versioning::Enabled {
        return Ok(());
    }
    let message = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration";
    Err(Fault::because(Code::InvalidBucketState, message))
}

/// An operation on locks needs a bucket that has one.
pub(super) fn check_locked(bucket: &BucketView) -> Result<(), Fault> {
    if is_locked(bucket) {
        return Ok(());
    }
    Err(Fault::because(Code::InvalidRequest, "Bucket is missing Object Lock Configuration"))
}

/// Adds to a new object what its request says of locks, or what its bucket says for all.
pub(super) fn apply(
    bucket: &BucketView,
    headers: &HeaderMap,
    now: Timestamp,
    attributes: &mut Attributes,
) -> Result<(), Fault> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (mode, until, hold) = (header(MODE), header(UNTIL), header(HOLD));
    if mode.or(until).or(hold).is_some() {
        check_locked(bucket)?;
    }
    if let Some(hold) = hold {
        if !["ON", "OFF"].contains(&hold) {
            return Err(Fault::argument(HOLD, hold, "Legal Hold must be either of 'ON' or 'OFF'"));
        }
        attributes.headers.insert(HOLD, hold.to_owned());
    }
    let retention = match (mode, until) {
        (None, None) => usual(bucket, now),
        (Some(mode), Some(until)) => Some(asked(mode, until, now)?),
        _ => {
            let message =
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied";
            return Err(Fault::because(Code::InvalidArgument, message));
        }
    };
    if let Some(retention) = retention {
        retention.write(attributes);
    }
    Ok(())
}

fn asked(mode: &str, until: &str, now: Timestamp) -> Result<Retention, Fault> {
    let mode = Mode::read(mode).ok_or_else(|| Fault::argument(MODE, mode, "Unknown wormMode directive."))?;
    let wrong = |message: &str| Fault::argument(UNTIL, until, message);
    let until = dates::of_iso(until)
        .ok_or_else(|| wrong("The retain until date must be provided in ISO 8601 format"))?;
    if until <= now {
        return Err(wrong("The retain until date must be in the future!"));
    }
    Ok(Retention { mode, until })
}

/// The bucket's retention for objects that ask for none.
fn usual(bucket: &BucketView, now: Timestamp) -> Option<Retention> {
    let document = document(bucket)?;
    let usual = document.child("Rule")?.child("DefaultRetention")?;
    let number = |name| usual.text_of(name)?.trim().parse::<u64>().ok();
    let days = number("Days").or_else(|| number("Years").map(|years| years.saturating_mul(365)))?;
    let until = now.plus(Duration::from_secs(days.saturating_mul(DAY)));
    Some(Retention { mode: Mode::read(usual.text_of("Mode")?)?, until })
}

/// Whether the request asks to pass over governance. Only buckets with a lock have something to pass over.
pub(super) fn bypass(bucket: &BucketView, call: &Call) -> Result<bool, Fault> {
    let Some(text) = call.header(BYPASS) else { return Ok(false) };
    if !is_locked(bucket) {
        let message = "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.";
        return Err(Fault::argument(BYPASS, text, message));
    }
    Ok(text.eq_ignore_ascii_case("true"))
}

fn protected() -> Fault {
    Fault::because(Code::AccessDenied, "Access Denied because object protected by object lock.")
}

/// Refuses to remove a version that must stay.
pub(super) fn check_removal(object: &Object, bypass: bool, now: Timestamp) -> Result<(), Fault> {
    let retention = Retention::of(&object.attributes).filter(|retention| retention.until > now);
    let is_retained = retention.is_some_and(|retention| !retention.allows(None, bypass));
    if is_held(&object.attributes) || is_retained { Err(protected()) } else { Ok(()) }
}

/// Puts `next` in place of the retention there is, if that allows it.
pub(super) fn retain(
    attributes: &mut Attributes,
    next: Option<Retention>,
    bypass: bool,
    now: Timestamp,
) -> Result<(), Fault> {
    let current = Retention::of(attributes).filter(|retention| retention.until > now);
    if current.is_some_and(|current| !current.allows(next, bypass)) {
        return Err(protected());
    }
    match next {
        Some(next) => next.write(attributes),
        None => attributes.headers.retain(|name, _| ![MODE, UNTIL].contains(name)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_change_a_retention() {
        let day = |days: i64| Timestamp(days * 86_400_000_000);
        let of = |mode, days| Some(Retention { mode, until: day(days) });
        let (soft, hard) = (Mode::Governance, Mode::Compliance);
        let table = [
            (None, of(soft, 9), false, true),
            (of(soft, 5), of(soft, 9), false, true),
            (of(soft, 5), of(soft, 4), false, false),
            (of(soft, 5), of(soft, 4), true, true),
            (of(soft, 5), None, false, false),
            (of(soft, 5), None, true, true),
            (of(soft, 5), of(hard, 9), false, false),
            (of(soft, 5), of(hard, 9), true, true),
            (of(hard, 5), of(hard, 9), false, true),
            (of(hard, 5), of(hard, 4), true, false),
            (of(hard, 5), of(soft, 9), true, false),
            (of(hard, 1), None, false, true),
        ];
        for (current, next, bypass, expected) in table {
            let mut attributes = Attributes::default();
            if let Some(current) = current {
                current.write(&mut attributes);
            }
            let verdict = retain(&mut attributes, next, bypass, day(2)).is_ok();
            assert_eq!(verdict, expected, "{current:?} to {next:?}, bypass {bypass}");
            if expected {
                assert_eq!(Retention::of(&attributes), next);
            }
        }
    }
}
