//! Buckets themselves: making, finding, forgetting, and the configurations that never change.

use crate::s3::address::is_bucket_name;
use crate::s3::call::Call;
use crate::s3::encode::{self, Answer};
use crate::s3::fault::{Code, Fault};
use crate::s3::{Front, dates, decode, payload, wire};
use axum::body::Body;
use http::StatusCode;
use mlemu_core::Scope;
use mlemu_engine::objects::Fault as CoreFault;
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
    match front.objects().create_bucket(&scope, &call.bucket) {
        // The oldest region forgives a repeated creation; others do not.
        Err(CoreFault::BucketExists { .. }) if &*scope.region == "us-east-1" => {}
        made => drop(made?),
    }
    let mut response = encode::empty(StatusCode::OK);
    encode::set(response.headers_mut(), "location", &format!("/{}", call.bucket));
    Ok(response)
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

pub(in crate::s3) fn acl(front: &Front, call: &Call) -> Answer {
    front.objects().bucket(&call.bucket_id())?;
    Ok(owner_only(call))
}

/// The list that says: the owner may do everything.
pub(super) fn owner_only(call: &Call) -> http::Response<Body> {
    let id = encode::owner(&call.scope.account).id;
    let text = format!(
        "{}<AccessControlPolicy xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner><ID>{id}</ID></Owner>\
         <AccessControlList><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:type=\"CanonicalUser\"><ID>{id}</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant>\
         </AccessControlList></AccessControlPolicy>",
        encode::DECLARATION
    );
    encode::document_of(StatusCode::OK, text)
}

pub(in crate::s3) fn absent(front: &Front, call: &Call, code: Code) -> Fault {
    match front.objects().bucket(&call.bucket_id()) {
        Ok(_) => Fault::new(code).with("BucketName", &call.bucket),
        Err(fault) => fault.into(),
    }
}

pub(in crate::s3) fn fixed(front: &Front, call: &Call, document: &str) -> Answer {
    front.objects().bucket(&call.bucket_id())?;
    Ok(encode::document_of(StatusCode::OK, format!("{}{document}", encode::DECLARATION)))
}

/// No bucket has a configuration of cross-origin requests.
pub(in crate::s3) fn preflight(call: &Call) -> Fault {
    let code = if call.headers.contains_key(http::header::ORIGIN) {
        Code::AccessForbidden
    } else {
        Code::BadRequest
    };
    Fault::new(code)
}
