//! Buckets themselves: making, finding, forgetting, and the configurations that never change.

use crate::s3::acl::{self, Acl};
use crate::s3::address::is_bucket_name;
use crate::s3::call::Call;
use crate::s3::encode::{self, Answer};
use crate::s3::fault::{Code, Fault};
use crate::s3::kept::{self, Kind};
use crate::s3::tree::Element;
use crate::s3::{Front, dates, decode, payload, wire};
use axum::body::Body;
use http::StatusCode;
use mlemu_core::Scope;
use mlemu_engine::objects::{BucketId, Fault as CoreFault, Versioning};
use std::sync::Arc;

const MOST: usize = 10_000;

pub(in crate::s3) fn list(front: &Front, call: &Call) -> Answer {
    let prefix = call.query.text("prefix");
    let after = call.query.text("continuation-token");
    let limit = call.number("max-buckets", MOST, MOST)?;
    let mut buckets: Vec<_> = front
        .objects()
        .buckets(&call.scope)
        .into_iter()
        .filter(|bucket| bucket.id.name().starts_with(prefix) && **bucket.id.name() > *after)
        .collect();
    let more = buckets.len() > limit;
    buckets.truncate(limit);
    let continuation_token = buckets.last().filter(|_| more).map(|bucket| bucket.id.name().to_string());
    let entry = |bucket: &mlemu_engine::objects::BucketView| wire::BucketEntry {
        name: bucket.id.name().to_string(),
        creation_date: dates::iso(bucket.created),
        bucket_region: bucket.scope.region.to_string(),
    };
    encode::xml(&wire::ListAllMyBucketsResult {
        xmlns: wire::Ns,
        owner: encode::owner(&call.scope.account),
        buckets: wire::Buckets { bucket: buckets.iter().map(entry).collect() },
        continuation_token,
        prefix: call.query.get("prefix").map(str::to_owned),
    })
}

pub(in crate::s3) async fn create(front: &Front, call: &Call, body: Body) -> Answer {
    if !is_bucket_name(&call.bucket) {
        return Err(Fault::new(Code::InvalidBucketName).with("BucketName", &call.bucket));
    }
    let region = location_constraint(front, call, body).await?;
    let scope = match region {
        Some(region) => Arc::new(Scope { region: region.into(), ..Scope::clone(&call.scope) }),
        None => call.scope.clone(),
    };
    let wanted = Wanted::of(call, &scope)?;
    match front.objects().create_bucket(&scope, &call.bucket) {
        // The oldest region forgives a repeated creation; others do not.
        Err(CoreFault::BucketExists { .. }) if &*scope.region == "us-east-1" => {}
        made => wanted.give(front, &made?)?,
    }
    let mut response = encode::empty(StatusCode::OK);
    encode::set(response.headers_mut(), "location", &format!("/{}", call.bucket));
    Ok(response)
}

/// What a new bucket shall have from the beginning.
struct Wanted {
    acl: Option<Acl>,
    ownership: Option<Element>,
    lock: bool,
}

impl Wanted {
    fn of(call: &Call, scope: &Scope) -> Result<Self, Fault> {
        let owner = encode::owner(&scope.account).id;
        let ownership = call.header("x-amz-object-ownership").map(|text| {
            let rule = Element::branch("Rule", vec![Element::leaf("ObjectOwnership", text)]);
            kept::checked(Kind::Ownership, Element::branch(Kind::Ownership.name(), vec![rule]))
        });
        let lock = call.header("x-amz-bucket-object-lock-enabled");
        Ok(Self {
            acl: Acl::of_headers(&call.headers, &owner, &owner)?,
            ownership: ownership.transpose()?,
            lock: lock.is_some_and(|text| text.eq_ignore_ascii_case("true")),
        })
    }

    fn give(&self, front: &Front, bucket: &BucketId) -> Result<(), Fault> {
        let objects = front.objects();
        let keep = |name: &str, document: String| objects.set_document(bucket, name, Some(document.into()));
        if let Some(acl) = &self.acl {
            keep(acl::DOCUMENT, acl.document())?;
        }
        if let Some(ownership) = &self.ownership {
            keep(Kind::Ownership.name(), ownership.document())?;
        }
        if self.lock {
            objects.set_versioning(bucket, Versioning::Enabled)?;
            let enabled = Element::leaf("ObjectLockEnabled", "Enabled");
            keep(
                Kind::ObjectLock.name(),
                Element::branch(Kind::ObjectLock.name(), vec![enabled]).document(),
            )?;
        }
        Ok(())
    }
}

async fn location_constraint(front: &Front, call: &Call, body: Body) -> Result<Option<String>, Fault> {
    let no_length = call.header("content-length").is_none_or(|length| length == "0");
    if no_length && !call.headers.contains_key(http::header::TRANSFER_ENCODING) {
        return Ok(None);
    }
    let document = payload::document(front, call, body).await?;
    if document.trim_ascii().is_empty() {
        return Ok(None);
    }
    let wanted: wire::CreateBucketConfiguration = decode::xml("CreateBucketConfiguration", &document)?;
    Ok(wanted.location_constraint.filter(|region| !region.is_empty()))
}

pub(in crate::s3) fn head(front: &Front, call: &Call) -> Answer {
    let bucket = front.objects().bucket(&call.bucket_id())?;
    let mut response = encode::empty(StatusCode::OK);
    let headers = response.headers_mut();
    encode::set(headers, "x-amz-bucket-region", &bucket.scope.region);
    encode::set(headers, "x-amz-access-point-alias", "false");
    encode::set(headers, "content-type", "application/xml");
    Ok(response)
}

pub(in crate::s3) fn delete(front: &Front, call: &Call) -> Answer {
    let bucket = call.bucket_id();
    front.objects().delete_bucket(&bucket)?;
    front.notifications.forget(&bucket);
    front.parts.triggers.set(&bucket, Vec::new());
    Ok(encode::empty(StatusCode::NO_CONTENT))
}

pub(in crate::s3) fn location(front: &Front, call: &Call) -> Answer {
    let bucket = front.objects().bucket(&call.bucket_id())?;
    let region = match &*bucket.scope.region {
        // The oldest region has no name here.
        "us-east-1" => String::new(),
        region => region.to_owned(),
    };
    encode::xml(&wire::LocationConstraint { xmlns: wire::Ns, region })
}

pub(in crate::s3) fn absent(front: &Front, call: &Call, code: Code) -> Fault {
    match front.objects().bucket(&call.bucket_id()) {
        Ok(_) => Fault::new(code).with("BucketName", &call.bucket),
        Err(fault) => fault.into(),
    }
}
