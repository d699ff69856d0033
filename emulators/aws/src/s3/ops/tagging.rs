//! Tags of objects.

use super::put::current;
use crate::s3::call::Call;
use crate::s3::encode::{self, Answer};
use crate::s3::wire::{Ns, Tag, TagSet, Tagging};
use crate::s3::{Front, decode, payload};
use axum::body::Body;
use http::StatusCode;
use std::collections::BTreeMap;

pub(in crate::s3) fn get(front: &Front, call: &Call) -> Answer {
    let object = current(front, call)?;
    let tags = object.attributes.tags.iter();
    let tag = tags.map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect();
    encode::xml(&Tagging { xmlns: Ns, tag_set: TagSet { tag } })
}

pub(in crate::s3) async fn put(front: &Front, call: &Call, body: Body) -> Answer {
    current(front, call)?;
    let document = payload::document(front, call, body).await?;
    let tags = decode::tags_of_document(decode::xml("Tagging", &document)?)?;
    replace(front, call, tags, StatusCode::OK)
}

pub(in crate::s3) fn delete(front: &Front, call: &Call) -> Answer {
    call.check_version()?;
    replace(front, call, BTreeMap::new(), StatusCode::NO_CONTENT)
}

fn replace(front: &Front, call: &Call, tags: BTreeMap<String, String>, status: StatusCode) -> Answer {
    front.objects().describe(&call.bucket_id(), &call.key, |attributes| attributes.tags = tags)?;
    Ok(encode::empty(status))
}
