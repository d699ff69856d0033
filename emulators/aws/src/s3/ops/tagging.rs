//! Tags of objects.

use crate::s3::call::Call;
use crate::s3::encode::{self, Answer};
use crate::s3::fault::Fault;
use crate::s3::versions::{self, wanted};
use crate::s3::wire::{Ns, Tag, TagSet, Tagging};
use crate::s3::{Front, decode, payload};
use axum::body::Body;
use http::StatusCode;
use mlemu_core::occurrence::Described;
use std::collections::BTreeMap;

pub(in crate::s3) fn get(front: &Front, call: &Call) -> Answer {
    let object = wanted(front, call)?;
    let tags = object.attributes.tags.iter();
    let tag = tags.map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect();
    let mut response = encode::xml(&Tagging { xmlns: Ns, tag_set: TagSet { tag } })?;
    versions::tell(front, response.headers_mut(), &call.bucket_id(), object.version);
    Ok(response)
}

pub(in crate::s3) async fn put(front: &Front, call: &Call, body: Body) -> Answer {
    wanted(front, call)?;
    let document = payload::document(front, call, body).await?;
    let tags = decode::tags_of_document(decode::xml("Tagging", &document)?)?;
    replace(front, call, tags, Described::Tagged)
}

pub(in crate::s3) fn delete(front: &Front, call: &Call) -> Answer {
    replace(front, call, BTreeMap::new(), Described::Untagged)
}

fn replace(front: &Front, call: &Call, tags: BTreeMap<String, String>, how: Described) -> Answer {
    let (bucket, object) = (call.bucket_id(), wanted(front, call)?);
    let object =
        front.objects().describe_version(&bucket, &object, Some(how), call.origin(), |attributes| {
            attributes.tags = tags;
            Ok::<_, Fault>(())
        })?;
    let status = if how == Described::Untagged { StatusCode::NO_CONTENT } else { StatusCode::OK };
    let mut response = encode::empty(status);
    versions::tell(front, response.headers_mut(), &bucket, object.version);
    Ok(response)
}
