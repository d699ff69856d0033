//! Blobs in one request, and the one way in which every new blob comes to be.

use crate::blob::BlobStorage;
use crate::blob::call::Call;
use crate::blob::conditions::Conditions;
use crate::blob::facts::{Facts, Kind, etag};
use crate::blob::headers;
use crate::blob::lease;
use crate::blob::receive;
use crate::storage::answer::empty;
use crate::storage::fault::{Fault, code};
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use mlemu_core::occurrence::Created;
use mlemu_engine::objects::{self, Attributes, Content, NewObject, Object, UploadId};
use std::sync::Arc;

/// Largest page blob, in bytes.
const LARGEST: u64 = 8 << 40;
pub(super) const TIERS: [&str; 4] = ["Hot", "Cool", "Cold", "Archive"];

/// A blob on its way in.
pub(super) struct New<'a> {
    pub content: Content,
    pub attributes: Attributes,
    pub facts: Facts,
    pub how: Created,
    /// The blocks that were put for it, which are over then.
    pub closing: Option<&'a UploadId>,
}

impl BlobStorage {
    pub(super) async fn put_blob(&self, call: &Call, body: Body) -> Result<Response, Fault> {
        self.must_exist(call)?;
        let said = call.header("x-ms-blob-type").ok_or_else(|| Fault::missing("x-ms-blob-type"))?;
        let kind = Kind::read(said).ok_or_else(|| Fault::header("x-ms-blob-type", said))?;
        let mut attributes = headers::attributes(call)?;
        let mut facts = self.fresh(call, kind);
        // Refused before the body is read where it can be; what counts is the check at the commit.
        may_put(call, &Conditions::read(call)?, self.objects.get(&call.bucket, &call.blob).ok().as_deref())?;
        let content = match kind {
            Kind::Block => {
                facts.tier = tier(call)?;
                let content = self.receive(call, body, receive::BLOB).await?;
                if let Some(md5) = receive::md5(&content) {
                    attributes.headers.entry("content-md5").or_insert(md5);
                }
                content
            }
            Kind::Append | Kind::Page => {
                let content = self.receive(call, body, 0).await.map_err(|_| code::InvalidBlobOrBlock)?;
                begun(call, &mut facts, content)?
            }
        };
        let (object, facts) =
            self.commit(call, New { content, attributes, facts, how: Created::Put, closing: None })?;
        let mut response = empty(StatusCode::CREATED);
        headers::stamp(&mut response, &facts);
        if kind == Kind::Block {
            receive::confirm(&mut response, &object.content);
        }
        Ok(response)
    }

    pub(super) fn fresh(&self, call: &Call, kind: Kind) -> Facts {
        Facts::new(kind, etag(self.objects.ids()), call.now)
    }

    /// Puts a new blob in the place of what is there. A lease that lasts goes on.
    pub(super) fn commit(&self, call: &Call, new: New<'_>) -> Result<(Arc<Object>, Facts), Fault> {
        let conditions = Conditions::read(call)?;
        let New { mut content, attributes, mut facts, how, closing } = new;
        content.etag = facts.etag.as_str().into();
        let new =
            NewObject { key: call.blob.as_str().into(), content, attributes, how, origin: call.origin() };
        let object = self.objects.put_over(&call.bucket, new, closing, |current, attributes| {
            may_put(call, &conditions, current)?;
            if let Some(before) = current.map(|current| Facts::of(&current.attributes)) {
                let goes_on = lease::state(before.lease.as_ref(), call.now).is_locked();
                facts.lease = before.lease.filter(|_| goes_on);
            }
            facts.keep(&mut attributes.documents);
            Ok::<_, Fault>(())
        })?;
        Ok((object, facts))
    }

    /// Puts other bytes in the place of a blob's, which stays the same otherwise. Nobody is told of a new blob. `None`:
    /// somebody else was faster, and what these bytes were joined to is not there any more.
    pub(super) fn rewrite(
        &self,
        call: &Call,
        before: &Object,
        mut content: Content,
        change: impl FnOnce(&mut Facts),
    ) -> Result<Option<Facts>, Fault> {
        let conditions = Conditions::read(call)?;
        let mut facts = Facts::of(&before.attributes);
        facts.touch(self.objects.ids(), call.now);
        content.etag = facts.etag.as_str().into();
        content.md5 = None;
        let mut attributes = before.attributes.clone();
        attributes.headers.remove("content-md5");
        let new = NewObject {
            key: before.key.clone(),
            content,
            attributes,
            how: Created::Post,
            origin: call.origin(),
        };
        let put = self.objects.put_over(&call.bucket, new, None, |current, attributes| {
            conditions.over(current, call.now)?;
            if current.is_none_or(|current| current.sequence != before.sequence) {
                return Err(Fault::from(code::ServerBusy));
            }
            change(&mut facts);
            facts.keep(&mut attributes.documents);
            Ok(())
        });
        match put {
            Ok(_) => Ok(Some(facts)),
            Err(fault) if fault.code == code::ServerBusy => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

/// The tier that a request names.
pub(super) fn tier(call: &Call) -> Result<Option<(String, mlemu_core::Timestamp)>, Fault> {
    let Some(said) = call.header("x-ms-access-tier") else { return Ok(None) };
    let known = TIERS.iter().find(|tier| tier.eq_ignore_ascii_case(said));
    let known = known.ok_or_else(|| Fault::header("x-ms-access-tier", said))?;
    Ok(Some(((*known).to_owned(), call.now)))
}

/// The answer to a write that made something.
pub(super) fn made(facts: &Facts) -> Response {
    let mut response = empty(StatusCode::CREATED);
    headers::stamp(&mut response, facts);
    response
}

/// What an append or page blob is at first.
fn begun(call: &Call, facts: &mut Facts, mut content: Content) -> Result<Content, Fault> {
    if facts.kind == Kind::Page {
        let length = call.number("x-ms-blob-content-length")?;
        let length = length.ok_or_else(|| Fault::missing("x-ms-blob-content-length"))?;
        if !length.is_multiple_of(512) || length > LARGEST {
            return Err(Fault::header("x-ms-blob-content-length", &length.to_string()));
        }
        facts.sequence = call.number("x-ms-blob-sequence-number")?.unwrap_or_default();
        content.body = objects::Body::zeros(length);
    }
    content.md5 = None;
    Ok(content)
}

/// Whether a request may put a blob in the place of this one.
pub(super) fn may_put(call: &Call, conditions: &Conditions, current: Option<&Object>) -> Result<(), Fault> {
    conditions.over(current, call.now)?;
    let may_replace = call.grant.has('w');
    if current.is_some() && !may_replace { Err(code::UnauthorizedBlobOverwrite.into()) } else { Ok(()) }
}
