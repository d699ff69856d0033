//! Blobs that go, and snapshots, which stay whatever becomes of the blob.

use crate::blob::BlobStorage;
use crate::blob::call::Call;
use crate::blob::conditions::Conditions;
use crate::blob::facts::Facts;
use crate::blob::headers;
use crate::storage::answer::{empty, set};
use crate::storage::fault::{Fault, code};
use axum::response::Response;
use http::StatusCode;
use mlemu_core::Timestamp;
use mlemu_engine::objects::Extent;

impl BlobStorage {
    pub(super) fn delete_blob(&self, call: &Call) -> Result<Response, Fault> {
        let conditions = Conditions::read(call)?;
        let with = call.header("x-ms-delete-snapshots").map(str::to_ascii_lowercase);
        if call.parameter("snapshot").is_some() {
            return self.delete_snapshot(call, &conditions, with.is_some());
        }
        self.objects.delete_extent(&call.bucket, &call.blob, call.origin(), |current, snapshots| {
            let current = current.ok_or(code::BlobNotFound)?;
            conditions.over(Some(current), call.now)?;
            match with.as_deref() {
                None if snapshots > 0 => Err(Fault::from(code::SnapshotsPresent)),
                None => Ok(Extent::Current),
                Some("include") => Ok(Extent::Whole),
                Some("only") => Ok(Extent::Kept),
                Some(other) => Err(Fault::header("x-ms-delete-snapshots", other)),
            }
        })?;
        let mut response = empty(StatusCode::ACCEPTED);
        set(&mut response, "x-ms-delete-type-permanent", "true");
        Ok(response)
    }

    fn delete_snapshot(
        &self,
        call: &Call,
        conditions: &Conditions,
        says_more: bool,
    ) -> Result<Response, Fault> {
        if says_more {
            return Err(Fault::header("x-ms-delete-snapshots", "include"));
        }
        let (object, facts) = self.find(call)?;
        conditions.hold(&facts, &object.attributes, code::ConditionNotMet)?;
        self.objects.delete_version(&call.bucket, &call.blob, object.version, call.origin(), |_| {
            Ok::<_, Fault>(())
        })?;
        let mut response = empty(StatusCode::ACCEPTED);
        set(&mut response, "x-ms-delete-type-permanent", "true");
        Ok(response)
    }

    pub(super) fn snapshot_blob(&self, call: &Call) -> Result<Response, Fault> {
        let conditions = Conditions::read(call)?;
        let metadata = headers::metadata(call.headers())?;
        let known = self.objects.versions(&call.bucket, &call.blob)?.len();
        let name = moment(call.now, known);
        let kept =
            self.objects.keep_version(&call.bucket, &call.blob, call.origin(), |current, attributes| {
                let mut facts = Facts::of(&current.attributes);
                conditions.hold(&facts, &current.attributes, code::ConditionNotMet)?;
                crate::blob::lease::may_read(
                    facts.lease.as_ref(),
                    conditions.lease(),
                    call.now,
                    crate::blob::lease::OF_BLOB,
                )?;
                if !metadata.is_empty() {
                    attributes.metadata = metadata;
                    facts.touch(self.objects.ids(), call.now);
                }
                facts.lease = None;
                facts.snapshot = Some(name.clone());
                facts.keep(&mut attributes.documents);
                Ok::<_, Fault>(())
            })?;
        let mut response = empty(StatusCode::CREATED);
        headers::stamp(&mut response, &Facts::of(&kept.attributes));
        set(&mut response, "x-ms-snapshot", &name);
        Ok(response)
    }
}

/// A moment with seven digits behind the point, the last of which tells apart what comes in one microsecond.
fn moment(now: Timestamp, known: usize) -> String {
    let at = jiff::Timestamp::from_microsecond(now.0).unwrap_or_default();
    // Where time stands still, the count alone tells snapshots apart.
    let count = u32::try_from(known).unwrap_or(u32::MAX) % 10_000;
    let ticks = u32::try_from(now.0.rem_euclid(1_000_000)).unwrap_or_default() * 10;
    let ticks = (ticks + count) % 10_000_000;
    format!("{}.{ticks:07}Z", at.strftime("%Y-%m-%dT%H:%M:%S"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_called_by_their_moment() {
        assert_eq!(moment(Timestamp(1_795_269_134_500_000), 1), "2026-11-21T13:52:14.5000001Z");
        assert_ne!(moment(Timestamp(7), 1), moment(Timestamp(7), 2));
    }
}
