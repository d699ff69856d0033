//! What keeps an object where it is: holds and retention.
//!
//! Source: Cloud Storage, "Object holds", "Bucket Lock", "Object Retention Lock".

use super::call::Call;
use super::fault::Fault;
use super::settings::Said;
use super::wire;
use mlemu_core::Timestamp;
use mlemu_engine::objects::{Attributes, Object};
use serde_json::{Map, Value};

pub(super) const RETENTION: &str = "retention";

/// Fails where the object may be neither removed nor replaced.
pub(super) fn check(said: &Said, bucket: &str, object: &Object, now: Timestamp) -> Result<(), Fault> {
    let (headers, key) = (&object.attributes.headers, &object.key);
    for (hold, name) in [("temporaryHold", "Temporary"), ("eventBasedHold", "Event-Based")] {
        if headers.get(hold).is_some_and(|held| held == "true") {
            let message = format!(
                "Object '{bucket}/{key}' is under active {name} hold and cannot be deleted, overwritten or archived until hold is removed."
            );
            return Err(Fault::forbidden("objectUnderActiveHold", message));
        }
    }
    match until(said, object).into_iter().chain(own(&object.attributes).map(|(_, until)| until)).max() {
        Some(until) if until > now => {
            let until = wire::time(until);
            let message = format!(
                "Object '{bucket}/{key}' is subject to bucket's retention policy or object retention and cannot be deleted or overwritten until {until}"
            );
            Err(Fault::forbidden("retentionPolicyNotMet", message))
        }
        _ => Ok(()),
    }
}

/// When the bucket's policy lets go of an object.
pub(super) fn until(said: &Said, object: &Object) -> Option<Timestamp> {
    let seconds = i64::try_from(said.retention()?).ok()?;
    Some(Timestamp(object.created.0.saturating_add(seconds.saturating_mul(1_000_000))))
}

/// The object's own retention: whether it is locked, and until when.
fn own(attributes: &Attributes) -> Option<(bool, Timestamp)> {
    let retention: Value = serde_json::from_str(attributes.documents.get(RETENTION)?).ok()?;
    let until: jiff::Timestamp = retention["retainUntilTime"].as_str()?.parse().ok()?;
    Some((retention["mode"] == "Locked", Timestamp(until.as_microsecond())))
}

/// A retention that is locked is only prolonged; one that is not is shortened by who says so aloud.
pub(super) fn may_change(
    attributes: &Attributes,
    document: &Map<String, Value>,
    call: &Call,
    now: Timestamp,
) -> Result<(), Fault> {
    let (Some(said), Some((locked, until))) = (document.get(RETENTION), own(attributes)) else {
        return Ok(());
    };
    if until <= now {
        return Ok(());
    }
    let wanted = said["retainUntilTime"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let shorter = wanted.is_none_or(|wanted| wanted.as_microsecond() < until.0);
    let overrides = call.wants("overrideUnlockedRetention");
    if (locked && (shorter || said["mode"] != "Locked")) || (shorter && !overrides) {
        let message = "The retention of the object can only be prolonged, or shortened with overrideUnlockedRetention while it is not locked.";
        return Err(Fault::forbidden("retentionPolicyNotMet", message));
    }
    Ok(())
}
