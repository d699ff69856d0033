//! Copies: of blobs that are here, which share their bytes.
//!
//! A source elsewhere cannot be reached: nothing here leaves this machine.

use super::put::{New, tier};
use super::read::read_range;
use crate::blob::BlobStorage;
use crate::blob::call::Call;
use crate::blob::conditions::Conditions;
use crate::blob::facts::{Copied, Facts, Kind};
use crate::blob::routes::{self, Operation};
use crate::blob::{headers, receive};
use crate::storage::address::Address;
use crate::storage::answer::{empty, set};
use crate::storage::fault::{Fault, code};
use axum::response::Response;
use http::header::AUTHORIZATION;
use http::{Request, StatusCode, Uri};
use mlemu_core::occurrence::Created;
use mlemu_engine::objects::{Content, Object};
use std::sync::Arc;

impl BlobStorage {
    /// The blob that a request names as its source, if whoever asks may read it.
    fn source(&self, call: &Call) -> Result<(Arc<Object>, Facts, String), Fault> {
        let url = call.header("x-ms-copy-source").ok_or_else(|| Fault::missing("x-ms-copy-source"))?;
        let bad = || Fault::header("x-ms-copy-source", url);
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let host = uri.host().filter(|_| uri.scheme().is_some()).ok_or_else(bad)?;
        let is_here = host == "localhost"
            || host.ends_with(".localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !is_here {
            return Err(Fault::from(code::CannotVerifyCopySource)
                .with("Reason", "only blobs of this machine can be copied"));
        }
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = path.strip_prefix(self.accounts.prefix()).unwrap_or(path);
        let mut request = Request::get(path).header("host", authority);
        if let Some(said) = call.header("x-ms-copy-source-authorization") {
            request = request.header(AUTHORIZATION, said);
        }
        let parts = Arc::new(request.body(()).map_err(|_| bad())?.into_parts().0);
        let address = Address::read(&parts).ok_or_else(bad)?;
        let asked = routes::asked(&parts, &address)?;
        if asked.operation != Operation::GetBlob {
            return Err(bad());
        }
        let own = address.account == call.account && !asked.query.contains_key("sig");
        let mut source = Call::read(self, &parts, &address, asked.clone(), &call.id).or_else(|fault| {
            // Whoever may write in an account may read there too.
            if own { Ok(Call::trusted(self, &parts, &address, asked, call)) } else { Err(fault) }
        })?;
        source.query.retain(|name, _| name == "snapshot" || name == "versionid");
        let unseen = |fault: Fault| match fault.code.name {
            "BlobNotFound" | "ContainerNotFound" => fault,
            _ => code::CannotVerifyCopySource.into(),
        };
        let (object, facts) = self.find(&source).map_err(unseen)?;
        Conditions::of_source(call)?.hold(&facts, &object.attributes, code::ConditionNotMet)?;
        Ok((object, facts, url.to_owned()))
    }

    /// Bytes of the source, or of its range, for a block or a page, if they are not more than `limit`. They are shared
    /// where they can be.
    pub(super) async fn source_bytes(&self, call: &Call, limit: u64) -> Result<Content, Fault> {
        let (object, facts, _) = self.source(call)?;
        if facts.tier.is_some_and(|(tier, _)| tier == "Archive") {
            return Err(code::BlobArchived.into());
        }
        let size = object.content.size();
        let range = match call.header("x-ms-source-range") {
            None => 0..size,
            Some(said) => read_range(said).filter(|range| range.start < size).ok_or(code::InvalidRange)?,
        };
        let body = object.content.body.slice(range);
        // Said before anything is read: a page blob may be of any size and take no room.
        if body.len() > limit {
            return Err(code::RequestBodyTooLarge.into());
        }
        let digests = body.digest(&[mlemu_engine::objects::ChecksumKind::Crc64Nvme]).await;
        let mut content = object.content.clone();
        content.body = body;
        Ok(content.rewritten(digests.map_err(|_| code::InternalError)?))
    }

    /// `later`: the client asked for a copy that goes on behind its back. It is done at once all the same.
    pub(super) fn copy_blob(&self, call: &Call, later: bool) -> Result<Response, Fault> {
        self.must_exist(call)?;
        let (source, of_source, url) = self.source(call)?;
        let mut attributes = headers::attributes(call)?;
        attributes.headers.clone_from(&source.attributes.headers);
        if attributes.metadata.is_empty() {
            attributes.metadata.clone_from(&source.attributes.metadata);
        }
        if !later && copies_tags(call) {
            attributes.tags.clone_from(&source.attributes.tags);
        }
        let mut facts = self.fresh(call, of_source.kind);
        facts.tier = tier(call)?;
        (facts.sequence, facts.appends) = (of_source.sequence, of_source.appends);
        let id = self.objects.ids().fresh("copy").uuid();
        let bytes = source.content.size();
        facts.copy = Some(Copied { id: id.clone(), source: url, bytes, at: call.now });
        let content = source.content.clone();
        let (object, facts) =
            self.commit(call, New { content, attributes, facts, how: Created::Copy, closing: None })?;
        let mut response = empty(StatusCode::ACCEPTED);
        headers::stamp(&mut response, &facts);
        set(&mut response, "x-ms-copy-id", &id);
        set(&mut response, "x-ms-copy-status", "success");
        if !later {
            receive::confirm(&mut response, &object.content);
        }
        Ok(response)
    }

    pub(super) async fn put_blob_from_url(&self, call: &Call) -> Result<Response, Fault> {
        self.must_exist(call)?;
        let content = self.source_bytes(call, receive::BLOB).await?;
        let (source, ..) = self.source(call)?;
        let mut attributes = headers::attributes(call)?;
        let copies = call
            .header("x-ms-copy-source-blob-properties")
            .is_none_or(|said| said.eq_ignore_ascii_case("true"));
        if copies {
            for (name, value) in &source.attributes.headers {
                let own =
                    headers::PROPERTIES.iter().any(|(known, by)| known == name && call.header(by).is_some());
                if !own {
                    attributes.headers.insert(name, value.clone());
                }
            }
        }
        if copies_tags(call) {
            attributes.tags.clone_from(&source.attributes.tags);
        }
        if let Some(md5) = receive::md5(&content) {
            attributes.headers.insert("content-md5", md5);
        }
        let mut facts = self.fresh(call, Kind::Block);
        facts.tier = tier(call)?;
        let (object, facts) =
            self.commit(call, New { content, attributes, facts, how: Created::Put, closing: None })?;
        let mut response = empty(StatusCode::CREATED);
        headers::stamp(&mut response, &facts);
        receive::confirm(&mut response, &object.content);
        Ok(response)
    }

    /// Every copy has ended when it is answered.
    pub(super) fn abort_copy(&self, call: &Call) -> Result<Response, Fault> {
        self.find(call)?;
        Err(code::NoPendingCopyOperation.into())
    }
}

/// Tags are only copied for who says so, and never behind the client's back.
fn copies_tags(call: &Call) -> bool {
    call.header("x-ms-copy-source-tag-option").is_some_and(|said| said.eq_ignore_ascii_case("COPY"))
}
