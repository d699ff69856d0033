//! Leases, as they are asked for and granted.

use crate::blob::BlobStorage;
use crate::blob::call::Call;
use crate::blob::conditions::Conditions;
use crate::blob::facts::Facts;
use crate::blob::lease::{Granted, Wish};
use crate::storage::answer::{date, empty, set};
use crate::storage::fault::{Fault, code};
use axum::response::Response;
use http::StatusCode;

pub(super) fn wish(call: &Call) -> Result<Wish<'_>, Fault> {
    let number = |name: &str| {
        call.header(name).map(|said| said.parse::<i64>().map_err(|_| Fault::header(name, said))).transpose()
    };
    Ok(Wish {
        action: call.header("x-ms-lease-action").ok_or_else(|| Fault::missing("x-ms-lease-action"))?,
        id: call.header("x-ms-lease-id"),
        proposed: call.header("x-ms-proposed-lease-id"),
        duration: number("x-ms-lease-duration")?,
        breaks_after: number("x-ms-lease-break-period")?,
    })
}

pub(super) fn told(facts: &Facts, granted: &Granted) -> Response {
    let mut response = empty(StatusCode::from_u16(granted.status).unwrap_or_default());
    set(&mut response, "etag", &format!("\"{}\"", facts.etag));
    set(&mut response, "last-modified", &date(facts.modified));
    if let Some(id) = &granted.id {
        set(&mut response, "x-ms-lease-id", id);
    }
    if let Some(left) = granted.left {
        set(&mut response, "x-ms-lease-time", &left.to_string());
    }
    response
}

impl BlobStorage {
    /// A lease changes nothing of a blob that its ETag would tell.
    pub(super) fn lease_blob(&self, call: &Call) -> Result<Response, Fault> {
        let conditions = Conditions::read(call)?;
        let wish = wish(call)?;
        let fresh = self.objects.ids().fresh("lease").uuid();
        let (object, _) = self.find(call)?;
        let mut told_of = None;
        self.objects.describe_version(&call.bucket, &object, None, call.origin(), |attributes| {
            let mut facts = Facts::of(attributes);
            conditions.hold(&facts, attributes, code::ConditionNotMet)?;
            let granted = wish.act(&mut facts.lease, fresh, call.now)?;
            facts.keep(&mut attributes.documents);
            told_of = Some((facts, granted));
            Ok::<_, Fault>(())
        })?;
        let (facts, granted) = told_of.ok_or(code::InternalError)?;
        Ok(told(&facts, &granted))
    }
}
