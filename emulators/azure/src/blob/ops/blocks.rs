//! Blobs put together from blocks.
//!
//! The blocks that were put and not yet used are the parts of one upload for each blob. A list takes them, or slices of
//! the blob that is there, in any order.

use super::put::{New, made, tier};
use crate::blob::BlobStorage;
use crate::blob::call::Call;
use crate::blob::conditions::Conditions;
use crate::blob::facts::{Facts, Kind};
use crate::blob::wire::{self, From};
use crate::blob::{headers, receive};
use crate::storage::answer::{date, empty, set, xml};
use crate::storage::fault::{Fault, code};
use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use mlemu_core::occurrence::Created;
use mlemu_engine::objects::{Content, Object, Part, PartName, UploadId};
use std::collections::HashMap;
use std::sync::Arc;

/// Longest id of a block, in bytes.
const LONGEST: usize = 64;
/// Most blocks that wait to be put together.
const MOST: usize = 100_000;

/// Each blob has one upload, which nobody else needs to know.
pub(super) fn upload_id() -> UploadId {
    UploadId("blocks".into())
}

impl BlobStorage {
    pub(super) async fn put_block(&self, call: &Call, body: Body) -> Result<Response, Fault> {
        let name = self.may_put_block(call)?;
        let content = self.receive(call, body, receive::BLOCK).await?;
        self.keep_block(call, name, content)
    }

    pub(super) async fn put_block_from_url(&self, call: &Call) -> Result<Response, Fault> {
        let name = self.may_put_block(call)?;
        let content = self.source_bytes(call, receive::BLOCK).await?;
        self.keep_block(call, name, content)
    }

    /// The name of the block, if there may be one.
    fn may_put_block(&self, call: &Call) -> Result<PartName, Fault> {
        self.must_exist(call)?;
        let name = block_id(call.parameter("blockid").ok_or(code::MissingRequiredQueryParameter)?)?;
        if let Ok(current) = self.objects.get(&call.bucket, &call.blob) {
            let facts = Facts::of(&current.attributes);
            if facts.kind != Kind::Block {
                return Err(code::InvalidBlobType.into());
            }
            Conditions::read(call)?.over(Some(&current), call.now)?;
        }
        if let Ok((first, count)) = self.objects.first_part(&call.bucket, &call.blob, &upload_id()) {
            // All ids of a blob are of one length, so that their order is that of their bytes.
            if first.is_some_and(|first| first.0.len() != name.0.len()) {
                return Err(code::InvalidBlobOrBlock.into());
            }
            if count >= MOST {
                return Err(code::BlockCountExceedsLimit.into());
            }
        }
        Ok(name)
    }

    fn keep_block(&self, call: &Call, name: PartName, content: Content) -> Result<Response, Fault> {
        let mut response = empty(StatusCode::CREATED);
        receive::confirm(&mut response, &content);
        set(&mut response, "x-ms-request-server-encrypted", "true");
        self.objects.open_upload(&call.bucket, &call.blob, &upload_id())?;
        self.objects.put_part(&call.bucket, &call.blob, &upload_id(), name, content)?;
        Ok(response)
    }

    pub(super) fn put_block_list(&self, call: &Call, body: &[u8]) -> Result<Response, Fault> {
        self.must_exist(call)?;
        let wanted = wire::block_list(body)?;
        let mut attributes = headers::attributes(call)?;
        if call.header("x-ms-blob-content-type").is_none() {
            // The type of the request is that of the list.
            attributes.headers.insert("content-type", "application/octet-stream".into());
        }
        let mut facts = self.fresh(call, Kind::Block);
        facts.tier = tier(call)?;
        let current = self.objects.get(&call.bucket, &call.blob).ok();
        if current.as_ref().is_some_and(|current| Facts::of(&current.attributes).kind != Kind::Block) {
            return Err(code::InvalidBlobType.into());
        }
        let uncommitted = self.objects.upload(&call.bucket, &call.blob, &upload_id()).ok();
        let waiting = uncommitted.as_ref().map_or(&[][..], |upload| &upload.parts);
        let parts = chosen(&wanted, waiting, current.as_deref(), call)?;
        let content = self.objects.laid_out(&parts, &facts.etag)?;
        let id = upload_id();
        let new = New { content, attributes, facts, how: Created::Multipart, closing: Some(&id) };
        let (_, facts) = self.commit(call, new)?;
        Ok(made(&facts))
    }

    pub(super) fn get_block_list(&self, call: &Call) -> Result<Response, Fault> {
        self.must_exist(call)?;
        let (committed, waiting) = match call.parameter("blocklisttype").unwrap_or("committed") {
            "committed" => (true, false),
            "uncommitted" => (false, true),
            "all" => (true, true),
            other => return Err(Fault::parameter("blocklisttype", other)),
        };
        let found = self.find(call);
        let upload = self.objects.upload(&call.bucket, &call.blob, &upload_id()).ok();
        if let (Err(fault), None) = (&found, &upload) {
            return Err(fault.clone());
        }
        let of_blob: Vec<_> = match &found {
            Ok((object, _)) => {
                object.content.parts.iter().map(|mark| (mark.name.0.clone(), mark.size)).collect()
            }
            Err(_) => Vec::new(),
        };
        let parts = upload.iter().flat_map(|upload| &upload.parts);
        let of_upload: Vec<_> = parts.map(|part| (part.name.0.clone(), part.content.size())).collect();
        let text = wire::blocks(committed.then_some(&of_blob[..]), waiting.then_some(&of_upload[..]));
        let mut response = xml(StatusCode::OK, &text);
        if let Ok((object, facts)) = &found {
            set(&mut response, "etag", &format!("\"{}\"", facts.etag));
            set(&mut response, "last-modified", &date(facts.modified));
            set(&mut response, "x-ms-blob-content-length", &object.content.size().to_string());
        }
        Ok(response)
    }
}

fn block_id(said: &str) -> Result<PartName, Fault> {
    let bytes = STANDARD.decode(said).ok().filter(|bytes| (1..=LONGEST).contains(&bytes.len()));
    bytes.map(PartName).ok_or_else(|| Fault::parameter("blockid", said))
}

/// The blocks that a list names.
fn chosen(
    wanted: &[(From, String)],
    waiting: &[Arc<Part>],
    current: Option<&Object>,
    call: &Call,
) -> Result<Vec<Part>, Fault> {
    let new: HashMap<&[u8], &Arc<Part>> = waiting.iter().map(|part| (part.name.0.as_slice(), part)).collect();
    let old = current.map(slices).unwrap_or_default();
    let mut parts = Vec::with_capacity(wanted.len());
    for (from, id) in wanted {
        let PartName(id) = block_id(id).map_err(|_| code::InvalidBlockId)?;
        let fresh = || new.get(id.as_slice()).map(|part| Part::clone(part));
        let kept = || {
            let content = old.get(id.as_slice())?.clone();
            Some(Part { name: PartName(id.clone()), content, created: call.now })
        };
        let found = match from {
            From::Committed => kept(),
            From::Uncommitted => fresh(),
            From::Latest => fresh().or_else(kept),
        };
        parts.push(found.ok_or(code::InvalidBlockList)?);
    }
    Ok(parts)
}

/// The blocks that a blob was put together from.
fn slices(object: &Object) -> HashMap<&[u8], Content> {
    let parts = &object.content.parts;
    let bodies = object.content.body.cut(parts.iter().map(|mark| mark.size));
    let sliced = parts.iter().zip(bodies).map(|(mark, body)| {
        let mut content = object.content.over(body);
        content.checksums.clone_from(&mark.checksums);
        (mark.name.0.as_slice(), content)
    });
    sliced.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_base64_of_at_most_64_bytes() {
        assert_eq!(block_id("YWI=").unwrap(), PartName(b"ab".into()));
        for bad in ["", "a", "%%", "YWI", &STANDARD.encode([0; 65])] {
            assert!(block_id(bad).is_err(), "{bad}");
        }
    }
}
