//! What is said of a blob anew: metadata, properties, tags, tier.

use super::put::tier;
use crate::blob::BlobStorage;
use crate::blob::call::Call;
use crate::blob::conditions::Conditions;
use crate::blob::facts::{Facts, Kind};
use crate::blob::{headers, lease, wire};
use crate::storage::answer::{empty, set, xml};
use crate::storage::fault::{Fault, code};
use axum::response::Response;
use http::StatusCode;
use mlemu_core::occurrence::Described;
use mlemu_engine::objects::{self, Attributes, Object};

impl BlobStorage {
    /// Changes what is said of a blob, if its conditions hold and its lease allows it.
    pub(super) fn describe(
        &self,
        call: &Call,
        object: &Object,
        how: Option<Described>,
        change: impl FnOnce(&mut Attributes, &mut Facts) -> Result<(), Fault>,
    ) -> Result<Facts, Fault> {
        let conditions = Conditions::read(call)?;
        let mut told = Facts::default();
        self.objects.describe_version(&call.bucket, object, how, call.origin(), |attributes| {
            conditions.write(attributes, call.now)?;
            let mut facts = Facts::of(attributes);
            facts.touch(self.objects.ids(), call.now);
            change(attributes, &mut facts)?;
            facts.keep(&mut attributes.documents);
            told = facts;
            Ok::<_, Fault>(())
        })?;
        Ok(told)
    }

    pub(super) fn set_metadata(&self, call: &Call) -> Result<Response, Fault> {
        let metadata = headers::metadata(call.headers())?;
        let object = self.objects.get(&call.bucket, &call.blob)?;
        let facts = self.describe(call, &object, None, |attributes, _| {
            attributes.metadata = metadata;
            Ok(())
        })?;
        let mut response = empty(StatusCode::OK);
        headers::stamp(&mut response, &facts);
        Ok(response)
    }

    /// A property that is not said again is gone, unless only a page blob's length or number is.
    pub(super) fn set_properties(&self, call: &Call) -> Result<Response, Fault> {
        let object = self.objects.get(&call.bucket, &call.blob)?;
        let length = call.number("x-ms-blob-content-length")?;
        if let Some(length) = length {
            self.resize(call, &object, length)?;
        }
        let object = self.objects.get(&call.bucket, &call.blob)?;
        let says_any = headers::PROPERTIES.iter().any(|(_, by)| call.header(by).is_some());
        let only_pages = length.is_some() || call.header("x-ms-sequence-number-action").is_some();
        let facts = self.describe(call, &object, None, |attributes, facts| {
            if says_any || !only_pages {
                attributes.headers.clear();
                headers::properties(call, attributes);
            }
            renumber(call, facts)
        })?;
        let mut response = empty(StatusCode::OK);
        headers::stamp(&mut response, &facts);
        if facts.kind == Kind::Page {
            set(&mut response, "x-ms-blob-sequence-number", &facts.sequence.to_string());
        }
        Ok(response)
    }

    fn resize(&self, call: &Call, object: &Object, length: u64) -> Result<(), Fault> {
        if Facts::of(&object.attributes).kind != Kind::Page {
            return Err(code::InvalidBlobType.into());
        }
        if !length.is_multiple_of(512) {
            return Err(Fault::header("x-ms-blob-content-length", &length.to_string()));
        }
        let old = &object.content.body;
        let more = objects::Body::zeros(length.saturating_sub(old.len()));
        let body = objects::Body::join([&old.slice(0..length), &more]);
        self.rewrite(call, object, object.content.over(body), |_| ())?
            .map(drop)
            .ok_or_else(|| code::ServerBusy.into())
    }

    pub(super) fn get_tags(&self, call: &Call) -> Result<Response, Fault> {
        let (object, facts) = self.find(call)?;
        let conditions = Conditions::read(call)?;
        conditions.hold(&facts, &object.attributes, code::ConditionNotMet)?;
        Ok(xml(StatusCode::OK, &wire::tags(&object.attributes.tags)))
    }

    /// Tags change nothing of a blob that its ETag would tell.
    pub(super) fn set_tags(&self, call: &Call, body: &[u8]) -> Result<Response, Fault> {
        let tags = headers::checked_tags(wire::read_tags(body)?.into_iter())?;
        let conditions = Conditions::read(call)?;
        let (object, _) = self.find(call)?;
        let how = Some(Described::Tagged);
        self.objects.describe_version(&call.bucket, &object, how, call.origin(), |attributes| {
            conditions.write(attributes, call.now)?;
            attributes.tags = tags;
            Ok::<_, Fault>(())
        })?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(super) fn set_tier(&self, call: &Call) -> Result<Response, Fault> {
        let tier = tier(call)?.ok_or_else(|| Fault::missing("x-ms-access-tier"))?;
        let conditions = Conditions::read(call)?;
        let (object, facts) = self.find(call)?;
        if facts.kind != Kind::Block {
            return Err(code::InvalidBlobType.into());
        }
        conditions.hold(&facts, &object.attributes, code::ConditionNotMet)?;
        self.objects.describe_version(&call.bucket, &object, None, call.origin(), |attributes| {
            let mut facts = Facts::of(attributes);
            lease::may_read(facts.lease.as_ref(), conditions.lease(), call.now, lease::OF_BLOB)?;
            facts.tier = Some(tier);
            facts.keep(&mut attributes.documents);
            Ok::<_, Fault>(())
        })?;
        Ok(empty(StatusCode::OK))
    }
}

/// A page blob's number, as its writers count.
fn renumber(call: &Call, facts: &mut Facts) -> Result<(), Fault> {
    let Some(action) = call.header("x-ms-sequence-number-action") else { return Ok(()) };
    if facts.kind != Kind::Page {
        return Err(code::InvalidBlobType.into());
    }
    let said = call.number("x-ms-blob-sequence-number")?;
    facts.sequence = match (action.to_ascii_lowercase().as_str(), said) {
        ("max", Some(said)) => facts.sequence.max(said),
        ("update", Some(said)) => said,
        ("increment", None) => facts.sequence.checked_add(1).ok_or(code::SequenceNumberIncrementTooLarge)?,
        _ => return Err(Fault::header("x-ms-sequence-number-action", action)),
    };
    Ok(())
}
