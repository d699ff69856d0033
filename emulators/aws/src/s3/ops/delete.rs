//! DeleteObject and DeleteObjects.

use crate::s3::call::{self, Call};
use crate::s3::conditions::Conditions;
use crate::s3::encode::{self, Answer};
use crate::s3::fault::{Code, Fault};
use crate::s3::wire::{Delete, DeleteError, DeleteResult, Deleted, ObjectIdentifier};
use crate::s3::{Front, address, conditions, decode, payload};
use axum::body::Body;
use http::StatusCode;
use mlemu_engine::objects::Object;

const MOST: usize = 1000;

pub(in crate::s3) fn object(front: &Front, call: &Call) -> Answer {
    let conditions = Conditions::of(&call.headers);
    let bucket = call.bucket_id();
    front.objects().bucket(&bucket)?;
    call.check_version()?;
    front.objects().delete(&bucket, &call.key, call.origin(), |current| {
        if call.headers.contains_key(http::header::IF_MATCH) {
            conditions.write(&call.key, current)
        } else {
            Ok::<_, Fault>(())
        }
    })?;
    Ok(encode::empty(StatusCode::NO_CONTENT))
}

pub(in crate::s3) async fn objects(front: &Front, call: &Call, body: Body) -> Answer {
    front.objects().bucket(&call.bucket_id())?;
    let is_checked =
        |name: &str| name == "content-md5" || name.starts_with("x-amz-checksum-") || name == "x-amz-trailer";
    if !call.headers.keys().any(|name| is_checked(name.as_str())) {
        let message = "Missing required header for this request: Content-MD5";
        return Err(Fault::because(Code::InvalidRequest, message));
    }
    let document = payload::document(front, call, body).await?;
    let wanted: Delete = decode::xml("Delete", &document)?;
    if wanted.object.is_empty() || wanted.object.len() > MOST {
        return Err(Code::MalformedXML.into());
    }
    let mut result = DeleteResult::default();
    for entry in wanted.object {
        match delete_one(front, call, &entry) {
            Ok(()) if wanted.quiet => {}
            Ok(()) => result.deleted.push(Deleted { key: entry.key, version_id: entry.version_id }),
            Err(fault) => result.error.push(DeleteError {
                key: entry.key,
                code: fault.code.name(),
                message: fault.message,
            }),
        }
    }
    encode::xml(&result)
}

fn delete_one(front: &Front, call: &Call, entry: &ObjectIdentifier) -> Result<(), Fault> {
    address::check_key(&entry.key)?;
    if let Some(version) = entry.version_id.as_deref().filter(|version| *version != "null") {
        return Err(call::no_such_version(&entry.key, version));
    }
    let check = |current: Option<&Object>| match (&entry.etag, current) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(Fault::new(Code::NoSuchKey)),
        (Some(tag), Some(object)) if tag == "*" || conditions::bare(tag) == &*object.content.etag => Ok(()),
        (Some(_), Some(_)) => Err(Fault::new(Code::PreconditionFailed)),
    };
    front.objects().delete(&call.bucket_id(), &entry.key, call.origin(), check)?;
    Ok(())
}
