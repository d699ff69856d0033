//! Append blobs: more at the end, until they are sealed.

use crate::blob::BlobStorage;
use crate::blob::call::Call;
use crate::blob::conditions::Conditions;
use crate::blob::facts::{Facts, Kind};
use crate::blob::{headers, receive};
use crate::storage::answer::{empty, set};
use crate::storage::fault::{Fault, code};
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use mlemu_engine::objects::{self, Content, Object};
use std::sync::Arc;

/// Most blocks of an append blob.
const MOST: u32 = 50_000;

impl BlobStorage {
    pub(super) async fn append_block(&self, call: &Call, body: Body) -> Result<Response, Fault> {
        self.may_append(call, 0)?;
        let content = self.receive(call, body, receive::APPEND).await?;
        self.append(call, &content)
    }

    pub(super) async fn append_block_from_url(&self, call: &Call) -> Result<Response, Fault> {
        self.may_append(call, 0)?;
        let content = self.source_bytes(call, receive::APPEND).await?;
        self.append(call, &content)
    }

    /// The blob, if so many bytes may be added to it.
    fn may_append(&self, call: &Call, more: u64) -> Result<(Arc<Object>, Facts), Fault> {
        let object = self.objects.get(&call.bucket, &call.blob)?;
        let facts = Facts::of(&object.attributes);
        if facts.kind != Kind::Append {
            return Err(code::InvalidBlobType.into());
        }
        if facts.sealed {
            return Err(code::BlobIsSealed.into());
        }
        Conditions::read(call)?.over(Some(&object), call.now)?;
        let size = object.content.size();
        if call.number("x-ms-blob-condition-appendpos")?.is_some_and(|at| at != size) {
            return Err(code::AppendPositionConditionNotMet.into());
        }
        if call.number("x-ms-blob-condition-maxsize")?.is_some_and(|most| size + more > most) {
            return Err(code::MaxBlobSizeConditionNotMet.into());
        }
        if facts.appends >= MOST {
            return Err(code::BlockCountExceedsLimit.into());
        }
        Ok((object, facts))
    }

    fn append(&self, call: &Call, added: &Content) -> Result<Response, Fault> {
        if added.size() == 0 {
            return Err(Fault::header("content-length", "0"));
        }
        loop {
            let (before, _) = self.may_append(call, added.size())?;
            let body = objects::Body::join([&before.content.body, &added.body]);
            let Some(facts) = self.rewrite(call, &before, added.over(body), |facts| facts.appends += 1)?
            else {
                continue;
            };
            let mut response = empty(StatusCode::CREATED);
            headers::stamp(&mut response, &facts);
            receive::confirm(&mut response, added);
            set(&mut response, "x-ms-blob-append-offset", &before.content.size().to_string());
            set(&mut response, "x-ms-blob-committed-block-count", &facts.appends.to_string());
            return Ok(response);
        }
    }

    pub(super) fn seal(&self, call: &Call) -> Result<Response, Fault> {
        let (object, facts) = self.find(call)?;
        if facts.kind != Kind::Append {
            return Err(code::InvalidBlobType.into());
        }
        let size = object.content.size();
        if call.number("x-ms-blob-condition-appendpos")?.is_some_and(|at| at != size) {
            return Err(code::AppendPositionConditionNotMet.into());
        }
        let facts = self.describe(call, &object, None, |_, facts| {
            facts.sealed = true;
            Ok(())
        })?;
        let mut response = empty(StatusCode::OK);
        headers::stamp(&mut response, &facts);
        set(&mut response, "x-ms-blob-sealed", "true");
        Ok(response)
    }
}
