//! Containers: made, told of, removed; who may read them.

use crate::blob::BlobStorage;
use crate::blob::call::{ACCESS, Call, POLICIES};
use crate::blob::conditions::Conditions;
use crate::blob::facts::{Facts, Kind, etag};
use crate::blob::headers::{self, META};
use crate::blob::lease::{self, OF_CONTAINER, Wish};
use crate::blob::wire::{self, element};
use crate::storage::answer::{empty, escaped, set, xml};
use crate::storage::fault::{Fault, code};
use crate::storage::policy;
use crate::storage::properties::KEPT;
use axum::response::Response;
use http::StatusCode;
use mlemu_engine::objects::{Attributes, BucketView, Documents, Fault as Core};
use std::collections::BTreeMap;

/// The document with the container's metadata.
const METADATA: &str = "metadata";
/// Containers of one page.
pub(super) const PAGE: usize = 5000;

fn metadata_of(documents: &Documents) -> BTreeMap<String, String> {
    documents.get(METADATA).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn keep_metadata(documents: &mut Documents, metadata: &BTreeMap<String, String>) {
    let text = serde_json::to_string(metadata).unwrap_or_default();
    documents.insert(METADATA.into(), text.into());
}

impl BlobStorage {
    /// Makes a container that says no more than that it is there.
    pub(in crate::blob) fn make(
        &self,
        account: &str,
        container: &str,
        metadata: BTreeMap<String, String>,
    ) -> Result<Facts, Fault> {
        let bucket = self.objects.create_bucket(&self.accounts.scope(account), container)?;
        let facts = Facts::new(Kind::Block, etag(self.objects.ids()), self.clock.now());
        self.objects.describe_bucket(&bucket, |documents| {
            facts.keep(documents);
            keep_metadata(documents, &metadata);
            Ok::<_, Fault>(())
        })?;
        Ok(facts)
    }

    pub(super) fn create_container(&self, call: &Call) -> Result<Response, Fault> {
        let metadata = headers::metadata(call.headers())?;
        let access = access(call)?;
        let facts = self.make(&call.account, &call.container, metadata)?;
        if let Some(access) = access {
            self.objects.set_document(&call.bucket, ACCESS, Some(access.into()))?;
        }
        Ok(stamped(StatusCode::CREATED, &facts))
    }

    pub(super) fn get_container(&self, call: &Call) -> Result<Response, Fault> {
        let (view, facts) = self.open(call)?;
        let mut response = stamped(StatusCode::OK, &facts);
        headers::told_lease(&mut response, &facts, call.now);
        for (name, value) in metadata_of(&view.documents) {
            set(&mut response, &format!("{META}{name}"), &value);
        }
        told_access(&mut response, &view);
        set(&mut response, "x-ms-has-immutability-policy", "false");
        set(&mut response, "x-ms-has-legal-hold", "false");
        set(&mut response, "x-ms-immutable-storage-with-versioning-enabled", "false");
        set(&mut response, "x-ms-default-encryption-scope", "$account-encryption-key");
        set(&mut response, "x-ms-deny-encryption-scope-override", "false");
        Ok(response)
    }

    /// The container, if its lease is the one that the request names, where it names one.
    fn open(&self, call: &Call) -> Result<(BucketView, Facts), Fault> {
        let view = self.objects.bucket(&call.bucket)?;
        let facts = Facts::of_documents(&view.documents);
        lease::may_read(facts.lease.as_ref(), call.header("x-ms-lease-id"), call.now, OF_CONTAINER)?;
        Ok((view, facts))
    }

    pub(super) fn delete_container(&self, call: &Call) -> Result<Response, Fault> {
        let conditions = Conditions::read(call)?;
        self.objects.delete_bucket_whole(&call.bucket, |view| {
            let facts = Facts::of_documents(&view.documents);
            conditions.hold(&facts, &Attributes::default(), code::ConditionNotMet)?;
            lease::may_write(facts.lease.as_ref(), conditions.lease(), call.now, OF_CONTAINER)
        })?;
        Ok(empty(StatusCode::ACCEPTED))
    }

    /// Changes what is said of a container, if its conditions hold.
    fn describe_container(
        &self,
        call: &Call,
        change: impl FnOnce(&mut Documents),
    ) -> Result<Response, Fault> {
        let conditions = Conditions::read(call)?;
        let facts = self.objects.describe_bucket(&call.bucket, |documents| {
            let mut facts = Facts::of_documents(documents);
            conditions.hold(&facts, &Attributes::default(), code::ConditionNotMet)?;
            lease::may_read(facts.lease.as_ref(), conditions.lease(), call.now, OF_CONTAINER)?;
            change(documents);
            facts.touch(self.objects.ids(), call.now);
            facts.keep(documents);
            Ok::<_, Fault>(facts)
        })?;
        Ok(stamped(StatusCode::OK, &facts))
    }

    pub(super) fn set_container_metadata(&self, call: &Call) -> Result<Response, Fault> {
        let metadata = headers::metadata(call.headers())?;
        self.describe_container(call, |documents| keep_metadata(documents, &metadata))
    }

    pub(super) fn container_acl(&self, call: &Call) -> Result<Response, Fault> {
        let (view, facts) = self.open(call)?;
        let stored = view.document(POLICIES).map_or("", |text| text);
        let policies = policy::read(stored.as_bytes())?;
        let mut response = xml(StatusCode::OK, &policy::written(&policies));
        headers::stamp(&mut response, &facts);
        told_access(&mut response, &view);
        Ok(response)
    }

    pub(super) fn set_container_acl(&self, call: &Call, body: &[u8]) -> Result<Response, Fault> {
        let policies = policy::read(body)?;
        let access = access(call)?;
        self.describe_container(call, |documents| {
            documents.insert(POLICIES.into(), policy::written(&policies).into());
            match access {
                Some(access) => drop(documents.insert(ACCESS.into(), access.into())),
                None => drop(documents.remove(ACCESS)),
            }
        })
    }

    pub(super) fn lease_container(&self, call: &Call) -> Result<Response, Fault> {
        let conditions = Conditions::read(call)?;
        let wish = super::leases::wish(call)?;
        let fresh = self.objects.ids().fresh("lease").uuid();
        let (facts, granted) = self.objects.describe_bucket(&call.bucket, |documents| {
            let mut facts = Facts::of_documents(documents);
            conditions.hold(&facts, &Attributes::default(), code::ConditionNotMet)?;
            let granted = Wish::act(&wish, &mut facts.lease, fresh, call.now)?;
            facts.keep(documents);
            Ok::<_, Fault>((facts, granted))
        })?;
        Ok(super::leases::told(&facts, &granted))
    }

    pub(super) fn list_containers(&self, call: &Call) -> Result<Response, Fault> {
        let said = |name: &str| call.parameter(name).unwrap_or_default();
        let (prefix, marker, include) = (said("prefix"), said("marker"), said("include"));
        let most = super::list::page_size(call)?;
        let scope = self.accounts.scope(&call.account);
        let all = self.objects.buckets(&scope).into_iter().filter(|view| **view.id.name() != *KEPT);
        let mut all = all.filter(|view| view.id.name().starts_with(prefix) && **view.id.name() >= *marker);
        let shown: String = all
            .by_ref()
            .take(most)
            .map(|view| container(&view, include.contains("metadata"), call))
            .collect();
        let next = all.next().map(|view| view.id.name().to_string()).unwrap_or_default();
        let mut text = String::new();
        for (name, said) in [("Prefix", prefix), ("Marker", marker), ("MaxResults", said("maxresults"))] {
            if !said.is_empty() {
                text.push_str(&element(name, said));
            }
        }
        let endpoint = escaped(&super::list::endpoint(call));
        let text = format!(
            "<EnumerationResults ServiceEndpoint=\"{endpoint}\">{text}<Containers>{shown}</Containers>{}</EnumerationResults>",
            element("NextMarker", &next)
        );
        Ok(xml(StatusCode::OK, &text))
    }

    /// Whether the container is there.
    pub(in crate::blob) fn must_exist(&self, call: &Call) -> Result<(), Fault> {
        match self.objects.bucket(&call.bucket) {
            Ok(_) => Ok(()),
            Err(Core::NoBucket { .. }) => Err(code::ContainerNotFound.into()),
            Err(fault) => Err(fault.into()),
        }
    }
}

fn container(view: &BucketView, with_metadata: bool, call: &Call) -> String {
    let facts = Facts::of_documents(&view.documents);
    let mut properties = element("Last-Modified", &crate::storage::answer::date(facts.modified));
    properties.push_str(&element("Etag", &format!("\"{}\"", facts.etag)));
    properties.push_str(&wire::lease_elements(&facts, call.now));
    if let Some(access) = view.document(ACCESS) {
        properties.push_str(&element("PublicAccess", access));
    }
    properties
        .push_str("<HasImmutabilityPolicy>false</HasImmutabilityPolicy><HasLegalHold>false</HasLegalHold>");
    let metadata = if with_metadata { wire::metadata(&metadata_of(&view.documents)) } else { String::new() };
    let name = element("Name", view.id.name());
    format!("<Container>{name}<Properties>{properties}</Properties>{metadata}</Container>")
}

fn access(call: &Call) -> Result<Option<&'static str>, Fault> {
    match call.header("x-ms-blob-public-access") {
        None => Ok(None),
        Some("container" | "true") => Ok(Some("container")),
        Some("blob") => Ok(Some("blob")),
        Some(other) => Err(Fault::header("x-ms-blob-public-access", other)),
    }
}

fn told_access(response: &mut Response, view: &BucketView) {
    if let Some(access) = view.document(ACCESS) {
        set(response, "x-ms-blob-public-access", access);
    }
}

fn stamped(status: StatusCode, facts: &Facts) -> Response {
    let mut response = empty(status);
    set(&mut response, "etag", &format!("\"{}\"", facts.etag));
    set(&mut response, "last-modified", &crate::storage::answer::date(facts.modified));
    response
}
