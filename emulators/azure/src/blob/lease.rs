//! Leases of blobs and containers: who may write while one lasts.
//!
//! Source: Azure Storage documentation, "Lease Blob" and "Lease Container".

use crate::storage::fault::{Code, Fault, code};
use mlemu_core::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Shortest and longest lease that ends by itself, in seconds.
const SPAN: std::ops::RangeInclusive<i64> = 15..=60;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    pub id: String,
    /// In seconds; `None`: until it is given back.
    seconds: Option<i64>,
    ends: Option<Timestamp>,
    /// It is broken from here on.
    breaks: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Available,
    Leased,
    Expired,
    Breaking,
    Broken,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Available => "available",
            State::Leased => "leased",
            State::Expired => "expired",
            State::Breaking => "breaking",
            State::Broken => "broken",
        }
    }

    pub fn is_locked(self) -> bool {
        matches!(self, State::Leased | State::Breaking)
    }
}

pub(super) fn state(lease: Option<&Lease>, now: Timestamp) -> State {
    match lease {
        None => State::Available,
        Some(Lease { breaks: Some(at), .. }) if now < *at => State::Breaking,
        Some(Lease { breaks: Some(_), .. }) => State::Broken,
        Some(Lease { ends: Some(at), .. }) if now >= *at => State::Expired,
        Some(_) => State::Leased,
    }
}

/// `infinite` or `fixed`, while it is leased.
pub(super) fn duration(lease: Option<&Lease>, now: Timestamp) -> Option<&'static str> {
    let lease = lease.filter(|_| state(lease, now) == State::Leased)?;
    Some(if lease.seconds.is_some() { "fixed" } else { "infinite" })
}

/// Which words are said of a lease that does not fit: those for a blob or for a container.
#[derive(Clone, Copy)]
pub(super) struct Words {
    absent: Code,
    other: Code,
}

pub(super) const OF_BLOB: Words =
    Words { absent: code::LeaseNotPresentWithBlobOperation, other: code::LeaseIdMismatchWithBlobOperation };
pub(super) const OF_CONTAINER: Words = Words {
    absent: code::LeaseNotPresentWithContainerOperation,
    other: code::LeaseIdMismatchWithContainerOperation,
};

/// Whether somebody with that lease id may write.
pub(super) fn may_write(
    lease: Option<&Lease>,
    given: Option<&str>,
    now: Timestamp,
    words: Words,
) -> Result<(), Fault> {
    match given {
        None if state(lease, now).is_locked() => Err(code::LeaseIdMissing.into()),
        None => Ok(()),
        Some(_) => may_read(lease, given, now, words),
    }
}

/// Whoever names a lease must have it.
pub(super) fn may_read(
    lease: Option<&Lease>,
    given: Option<&str>,
    now: Timestamp,
    words: Words,
) -> Result<(), Fault> {
    let Some(given) = given else { return Ok(()) };
    let held = lease.ok_or(words.absent)?;
    if !held.id.eq_ignore_ascii_case(given) {
        return Err(words.other.into());
    }
    match state(lease, now) {
        State::Leased | State::Breaking => Ok(()),
        State::Expired => Err(code::LeaseLost.into()),
        State::Available | State::Broken => Err(words.absent.into()),
    }
}

/// What is asked of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish<'a> {
    pub action: &'a str,
    pub id: Option<&'a str>,
    pub proposed: Option<&'a str>,
    /// In seconds, as it is said: -1 is for ever.
    pub duration: Option<i64>,
    /// In seconds.
    pub breaks_after: Option<i64>,
}

/// What came of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Granted {
    pub status: u16,
    pub id: Option<String>,
    /// Seconds until it is broken.
    pub left: Option<i64>,
}

impl Wish<'_> {
    pub fn act(&self, lease: &mut Option<Lease>, fresh: String, now: Timestamp) -> Result<Granted, Fault> {
        let state = state(lease.as_ref(), now);
        match self.action.to_ascii_lowercase().as_str() {
            "acquire" => self.acquire(lease, state, fresh, now),
            "renew" => self.renew(lease, state, now),
            "change" => self.change(lease, state),
            "release" => self.release(lease),
            "break" => self.end(lease, state, now),
            other => Err(Fault::header("x-ms-lease-action", other)),
        }
    }

    fn acquire(
        &self,
        lease: &mut Option<Lease>,
        state: State,
        fresh: String,
        now: Timestamp,
    ) -> Result<Granted, Fault> {
        let seconds = self.duration.ok_or_else(|| Fault::missing("x-ms-lease-duration"))?;
        if seconds != -1 && !SPAN.contains(&seconds) {
            return Err(Fault::header("x-ms-lease-duration", &seconds.to_string()));
        }
        let id = match self.proposed {
            Some(id) => checked("x-ms-proposed-lease-id", id)?.to_owned(),
            None => fresh,
        };
        let is_own = lease.as_ref().is_some_and(|held| held.id.eq_ignore_ascii_case(&id));
        match state {
            State::Breaking if is_own => return Err(code::LeaseIsBreakingAndCannotBeAcquired.into()),
            State::Leased if is_own => {}
            State::Leased | State::Breaking => return Err(code::LeaseAlreadyPresent.into()),
            State::Available | State::Expired | State::Broken => {}
        }
        let seconds = (seconds > 0).then_some(seconds);
        *lease = Some(Lease {
            id: id.clone(),
            seconds,
            ends: seconds.map(|seconds| later(now, seconds)),
            breaks: None,
        });
        Ok(Granted { status: 201, id: Some(id), left: None })
    }

    fn held<'l>(&self, lease: &'l mut Option<Lease>) -> Result<&'l mut Lease, Fault> {
        let given = checked("x-ms-lease-id", self.id.ok_or_else(|| Fault::missing("x-ms-lease-id"))?)?;
        let held = lease.as_mut().ok_or(code::LeaseNotPresentWithLeaseOperation)?;
        let is_own = held.id.eq_ignore_ascii_case(given);
        if is_own { Ok(held) } else { Err(code::LeaseIdMismatchWithLeaseOperation.into()) }
    }

    fn renew(&self, lease: &mut Option<Lease>, state: State, now: Timestamp) -> Result<Granted, Fault> {
        let held = self.held(lease)?;
        if matches!(state, State::Breaking | State::Broken) {
            return Err(code::LeaseIsBrokenAndCannotBeRenewed.into());
        }
        held.ends = held.seconds.map(|seconds| later(now, seconds));
        Ok(Granted { status: 200, id: Some(held.id.clone()), left: None })
    }

    fn change(&self, lease: &mut Option<Lease>, state: State) -> Result<Granted, Fault> {
        let proposed = self.proposed.ok_or_else(|| Fault::missing("x-ms-proposed-lease-id"))?;
        let proposed = checked("x-ms-proposed-lease-id", proposed)?.to_owned();
        let repeated = lease.as_ref().is_some_and(|held| held.id.eq_ignore_ascii_case(&proposed));
        match state {
            State::Leased if repeated => {}
            State::Leased => self.held(lease)?.id.clone_from(&proposed),
            State::Breaking => {
                self.held(lease)?;
                return Err(code::LeaseIsBreakingAndCannotBeChanged.into());
            }
            State::Available | State::Expired | State::Broken => {
                return Err(code::LeaseNotPresentWithLeaseOperation.into());
            }
        }
        Ok(Granted { status: 200, id: Some(proposed), left: None })
    }

    fn release(&self, lease: &mut Option<Lease>) -> Result<Granted, Fault> {
        self.held(lease)?;
        *lease = None;
        Ok(Granted { status: 200, id: None, left: None })
    }

    fn end(&self, lease: &mut Option<Lease>, state: State, now: Timestamp) -> Result<Granted, Fault> {
        let held = lease.as_mut().ok_or(code::LeaseNotPresentWithLeaseOperation)?;
        if self.breaks_after.is_some_and(|seconds| !(0..=60).contains(&seconds)) {
            return Err(Fault::header(
                "x-ms-lease-break-period",
                &self.breaks_after.unwrap_or_default().to_string(),
            ));
        }
        let until =
            |at: Option<Timestamp>| at.map_or(0, |at| ((at.0 - now.0) as f64 / 1e6).ceil().max(0.0) as i64);
        let left = match state {
            State::Leased => {
                let rest = if held.seconds.is_some() { Some(until(held.ends)) } else { None };
                let asked = self.breaks_after;
                rest.into_iter().chain(asked).min().unwrap_or(0)
            }
            State::Breaking => until(held.breaks).min(self.breaks_after.unwrap_or(i64::MAX)),
            State::Available | State::Expired | State::Broken => 0,
        };
        held.breaks = Some(later(now, left));
        Ok(Granted { status: 202, id: None, left: Some(left) })
    }
}

fn later(now: Timestamp, seconds: i64) -> Timestamp {
    now.plus(Duration::from_secs(seconds.unsigned_abs()))
}

/// A lease id is a GUID.
fn checked<'a>(name: &str, id: &'a str) -> Result<&'a str, Fault> {
    if uuid::Uuid::parse_str(id).is_ok() { Ok(id) } else { Err(Fault::header(name, id)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "11111111-1111-1111-1111-111111111111";
    const B: &str = "22222222-2222-2222-2222-222222222222";

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000_000)
    }

    fn wish<'a>(
        action: &'a str,
        id: Option<&'a str>,
        proposed: Option<&'a str>,
        duration: Option<i64>,
    ) -> Wish<'a> {
        Wish { action, id, proposed, duration, breaks_after: None }
    }

    fn named(result: Result<Granted, Fault>) -> Result<u16, &'static str> {
        result.map(|granted| granted.status).map_err(|fault| fault.code.name)
    }

    #[test]
    fn a_lease_lives_as_the_vendor_says() {
        let mut lease = None;
        let mut act = |wish: Wish<'_>, now: i64| named(wish.act(&mut lease, B.into(), at(now)));
        assert_eq!(act(wish("acquire", None, Some(A), Some(14)), 0), Err("InvalidHeaderValue"));
        assert_eq!(act(wish("acquire", None, Some("x"), Some(15)), 0), Err("InvalidHeaderValue"));
        assert_eq!(act(wish("acquire", None, None, None), 0), Err("MissingRequiredHeader"));
        assert_eq!(act(wish("renew", Some(A), None, None), 0), Err("LeaseNotPresentWithLeaseOperation"));
        assert_eq!(act(wish("acquire", None, Some(A), Some(15)), 0), Ok(201));
        assert_eq!(act(wish("acquire", None, Some(B), Some(15)), 1), Err("LeaseAlreadyPresent"));
        assert_eq!(
            act(wish("acquire", None, Some(A), Some(15)), 1),
            Ok(201),
            "whoever has it may have it again"
        );
        assert_eq!(act(wish("renew", Some(B), None, None), 2), Err("LeaseIdMismatchWithLeaseOperation"));
        assert_eq!(act(wish("renew", Some(A), None, None), 20), Ok(200), "also when it had ended");
        assert_eq!(act(wish("change", Some(A), Some(B), None), 21), Ok(200));
        assert_eq!(act(wish("change", Some(A), Some(B), None), 21), Ok(200), "repeated");
        let broken = Wish { breaks_after: Some(5), ..wish("break", None, None, None) };
        assert_eq!(act(broken.clone(), 22), Ok(202));
        assert_eq!(
            act(wish("acquire", None, Some(B), Some(15)), 23),
            Err("LeaseIsBreakingAndCannotBeAcquired")
        );
        assert_eq!(act(wish("change", Some(B), Some(A), None), 23), Err("LeaseIsBreakingAndCannotBeChanged"));
        assert_eq!(act(wish("renew", Some(B), None, None), 40), Err("LeaseIsBrokenAndCannotBeRenewed"));
        assert_eq!(act(wish("acquire", None, Some(A), Some(-1)), 41), Ok(201));
        assert_eq!(act(wish("release", Some(A), None, None), 42), Ok(200));
        assert_eq!(act(broken, 43), Err("LeaseNotPresentWithLeaseOperation"));
        assert_eq!(act(wish("steal", None, None, None), 43), Err("InvalidHeaderValue"));
    }

    #[test]
    fn who_may_write_while_it_lasts() {
        let mut lease = None;
        wish("acquire", None, Some(A), Some(15)).act(&mut lease, String::new(), at(0)).unwrap();
        let write =
            |given, now| may_write(lease.as_ref(), given, at(now), OF_BLOB).map_err(|fault| fault.code.name);
        assert_eq!(write(None, 1), Err("LeaseIdMissing"));
        assert_eq!(write(Some(B), 1), Err("LeaseIdMismatchWithBlobOperation"));
        assert_eq!(write(Some(A), 1), Ok(()));
        assert_eq!((write(None, 20), write(Some(A), 20)), (Ok(()), Err("LeaseLost")));
        let none = may_write(None, Some(A), at(0), OF_CONTAINER).map_err(|fault| fault.code.name);
        assert_eq!(none, Err("LeaseNotPresentWithContainerOperation"));
        assert_eq!(
            (duration(lease.as_ref(), at(1)), duration(lease.as_ref(), at(20))),
            (Some("fixed"), None)
        );
        assert_eq!(state(lease.as_ref(), at(20)).name(), "expired");
    }
}
