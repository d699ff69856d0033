//! One request: whom it is for, who asks, and what is said in its head.

use super::BlobStorage;
use super::facts::Facts;
use super::routes::{Asked, Operation};
use crate::storage::account::primary;
use crate::storage::address::{Address, Query};
use crate::storage::allow::{Bearer, Grant};
use crate::storage::answer::RequestId;
use crate::storage::fault::{Fault, code};
use crate::storage::policy;
use crate::storage::sas::{Resource, Service};
use http::HeaderMap;
use http::request::Parts;
use mlemu_core::Timestamp;
use mlemu_engine::objects::{BucketId, Object, Origin, Version};
use std::sync::Arc;

/// The document of a container that says who may read without being asked.
pub(super) const ACCESS: &str = "access";
/// The document of a container with its stored policies.
pub(super) const POLICIES: &str = "policies";

pub(super) struct Call {
    pub parts: Arc<Parts>,
    pub query: Query,
    pub account: String,
    pub container: String,
    pub blob: String,
    pub bucket: BucketId,
    pub id: RequestId,
    pub grant: Grant,
    pub now: Timestamp,
}

impl Call {
    pub fn read(
        blobs: &BlobStorage,
        parts: &Arc<Parts>,
        address: &Address,
        asked: Asked,
        id: &RequestId,
    ) -> Result<Self, Fault> {
        let Asked { operation, query, container, blob } = asked;
        let now = blobs.clock.now();
        let bucket = blobs.bucket(&address.account, &container);
        let snapshot = query.get("snapshot").map_or("", String::as_str);
        let resource = Resource {
            service: Service::Blob,
            account: &address.account,
            container: &container,
            blob: &blob,
            snapshot,
        };
        let bearer = Bearer { parts, query: &query, need: operation.need(), resource, now };
        let document =
            |name: &str| blobs.objects.bucket(&bucket).ok().and_then(|view| view.document(name).cloned());
        let stored = |id: &str| {
            let all = policy::read(document(POLICIES)?.as_bytes()).ok()?;
            all.into_iter().find(|policy| policy.id == id)
        };
        let grant = bearer.grant(&blobs.accounts, blobs.strict, stored)?;
        if grant == Grant::Public && !is_public(operation, document(ACCESS).as_deref()) {
            return Err(code::NoAuthenticationInformation.into());
        }
        let account = primary(&address.account).to_owned();
        Ok(Self { parts: parts.clone(), query, account, container, blob, bucket, id: id.clone(), grant, now })
    }

    /// A read for somebody who was allowed already.
    pub fn trusted(
        blobs: &BlobStorage,
        parts: &Arc<Parts>,
        address: &Address,
        asked: Asked,
        by: &Self,
    ) -> Self {
        let Asked { query, container, blob, .. } = asked;
        let bucket = blobs.bucket(&address.account, &container);
        let account = primary(&address.account).to_owned();
        let (id, grant) = (by.id.clone(), by.grant.clone());
        Self { parts: parts.clone(), query, account, container, blob, bucket, id, grant, now: by.now }
    }

    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub fn origin(&self) -> Origin {
        Origin {
            cause: self.id.cause(&self.parts),
            source_ip: "127.0.0.1".into(),
            request_id: self.id.0.clone(),
        }
    }

    /// The header as a number.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Fault> {
        self.header(name).map(|said| said.parse().map_err(|_| Fault::header(name, said))).transpose()
    }
}

fn is_public(operation: Operation, access: Option<&str>) -> bool {
    let is_read = matches!(
        operation,
        Operation::GetBlob
            | Operation::GetBlobProperties
            | Operation::GetBlobMetadata
            | Operation::GetPageRanges
            | Operation::GetBlockList
    );
    match access {
        Some("container") => {
            is_read || matches!(operation, Operation::ListBlobs | Operation::GetContainerProperties)
        }
        Some("blob") => is_read,
        _ => false,
    }
}

impl BlobStorage {
    /// The blob that a request is for: as it is, or one of its snapshots.
    pub(super) fn find(&self, call: &Call) -> Result<(Arc<Object>, Facts), Fault> {
        let named =
            ["snapshot", "versionid"].into_iter().find_map(|name| Some((name, call.parameter(name)?)));
        let object = match named {
            None => self.objects.get(&call.bucket, &call.blob)?,
            Some((name, wanted)) if wanted.parse::<jiff::Timestamp>().is_err() => {
                return Err(Fault::parameter(name, wanted));
            }
            Some((_, wanted)) => self.snapshot_named(&call.bucket, &call.blob, wanted)?,
        };
        let facts = Facts::of(&object.attributes);
        Ok((object, facts))
    }

    pub(super) fn snapshot_named(
        &self,
        bucket: &BucketId,
        blob: &str,
        wanted: &str,
    ) -> Result<Arc<Object>, Fault> {
        let versions = self.objects.versions(bucket, blob)?;
        let is_it = |object: &&Arc<Object>| Facts::of(&object.attributes).snapshot.as_deref() == Some(wanted);
        let found = versions.iter().filter_map(Version::object).find(is_it).cloned();
        found.ok_or_else(|| code::BlobNotFound.into())
    }
}
