//! DeleteObject and DeleteObjects.

use crate::s3::call::Call;
use crate::s3::conditions::Conditions;
use crate::s3::encode::{self, Answer};
use crate::s3::fault::{Code, Fault};
use crate::s3::wire::{Delete, DeleteError, DeleteResult, Deleted, ObjectIdentifier};
use crate::s3::{Front, address, conditions, decode, lock, payload, versions};
use axum::body::Body;
use http::StatusCode;
use mlemu_engine::objects::{Deletion, Object, Version, VersionName, Which};

const MOST: usize = 1000;

/// What the client is told: a version, and whether it is a marker.
struct Told {
    version: Option<VersionName>,
    is_marker: bool,
}

impl Told {
    fn of(deletion: &Deletion, asked: Option<VersionName>) -> Self {
        match deletion {
            Deletion::Marked(marker) => Self { version: Some(marker.name), is_marker: true },
            Deletion::Removed(Version::Marker(marker)) => {
                Self { version: Some(marker.name), is_marker: true }
            }
            Deletion::Removed(Version::Object(_)) | Deletion::Nothing => {
                Self { version: asked, is_marker: false }
            }
        }
    }
}

pub(in crate::s3) fn object(front: &Front, call: &Call) -> Answer {
    let conditions = Conditions::of(&call.headers);
    front.objects().bucket(&call.bucket_id())?;
    let asked = match versions::which(call)? {
        Which::Newest => None,
        Which::Named(name) => Some(name),
    };
    let check = |current: Option<&Object>| {
        if call.headers.contains_key(http::header::IF_MATCH) {
            conditions.write(&call.key, current)
        } else {
            Ok(())
        }
    };
    let told = remove(front, call, &call.key, asked, check)?;
    let mut response = encode::empty(StatusCode::NO_CONTENT);
    if let Some(version) = told.version {
        encode::set(response.headers_mut(), "x-amz-version-id", &versions::text(version));
    }
    if told.is_marker {
        encode::set(response.headers_mut(), "x-amz-delete-marker", "true");
    }
    Ok(response)
}

/// Removes a version, or whatever the key stands for.
fn remove(
    front: &Front,
    call: &Call,
    key: &str,
    asked: Option<VersionName>,
    check: impl FnOnce(Option<&Object>) -> Result<(), Fault>,
) -> Result<Told, Fault> {
    let (objects, bucket, now) = (front.objects(), call.bucket_id(), front.parts.clock.now());
    let bypass = lock::bypass(&objects.bucket(&bucket)?, call)?;
    let deletion = match asked {
        None => objects.delete(&bucket, key, call.origin(), check)?,
        Some(name) => objects.delete_version(&bucket, key, name, call.origin(), |version| {
            let object = version.object().map(AsRef::as_ref);
            check(object)?;
            object.map_or(Ok(()), |object| lock::check_removal(object, bypass, now))
        })?,
    };
    Ok(Told::of(&deletion, asked))
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
            Ok(_) if wanted.quiet => {}
            Ok(told) => result.deleted.push(deleted(entry, &told)),
            Err(fault) => result.error.push(DeleteError {
                key: entry.key,
                version_id: entry.version_id,
                code: fault.code.name(),
                message: fault.message,
            }),
        }
    }
    encode::xml(&result)
}

fn deleted(entry: ObjectIdentifier, told: &Told) -> Deleted {
    let marker = told.version.filter(|_| told.is_marker);
    Deleted {
        key: entry.key,
        version_id: entry.version_id,
        delete_marker: marker.map(|_| true),
        delete_marker_version_id: marker.map(versions::text),
    }
}

fn delete_one(front: &Front, call: &Call, entry: &ObjectIdentifier) -> Result<Told, Fault> {
    address::check_key(&entry.key)?;
    let asked = entry.version_id.as_deref().filter(|version| !version.is_empty());
    let asked = asked.map(versions::name).transpose().map_err(|_| Fault::new(Code::NoSuchVersion))?;
    let check = |current: Option<&Object>| match (&entry.etag, current) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(Fault::new(Code::NoSuchKey)),
        (Some(tag), Some(object)) if tag == "*" || conditions::bare(tag) == &*object.content.etag => Ok(()),
        (Some(_), Some(_)) => Err(Fault::new(Code::PreconditionFailed)),
    };
    remove(front, call, &entry.key, asked, check)
}
