//! Who may do what, where signatures are verified: owners everything, others what lists of access permit.
//!
//! Follows "How Amazon S3 authorizes a request" of the Amazon S3 user guide; bucket policies are not looked into.

use super::Front;
use super::acl::{self, Acl, Permission};
use super::address::Address;
use super::call::Call;
use super::encode;
use super::fault::{Code, Fault};
use super::query::Query;
use super::routes::Op;
use super::versions;
use mlemu_core::Scope;
use mlemu_engine::objects::{BucketId, BucketView, Object, Which};
use std::sync::Arc;

/// What an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// To be somebody.
    Account,
    Owner,
    Bucket(Permission),
    Object(Permission),
}

fn need(op: Op) -> Need {
    match op {
        Op::ListBuckets | Op::CreateBucket => Need::Account,
        Op::ListObjects | Op::ListObjectsV2 | Op::ListVersions | Op::ListUploads | Op::HeadBucket => {
            Need::Bucket(Permission::Read)
        }
        Op::PutObject
        | Op::CopyObject
        | Op::CreateUpload
        | Op::UploadPart
        | Op::UploadPartCopy
        | Op::CompleteUpload
        | Op::AbortUpload
        | Op::ListParts
        | Op::DeleteObject
        | Op::DeleteObjects => Need::Bucket(Permission::Write),
        Op::BucketAcl => Need::Bucket(Permission::ReadAcp),
        Op::PutBucketAcl => Need::Bucket(Permission::WriteAcp),
        Op::GetObject | Op::HeadObject | Op::ObjectAttributes => Need::Object(Permission::Read),
        Op::ObjectAcl => Need::Object(Permission::ReadAcp),
        Op::PutObjectAcl => Need::Object(Permission::WriteAcp),
        _ => Need::Owner,
    }
}

fn denied() -> Fault {
    Code::AccessDenied.into()
}

/// Where the bucket is that a request names: names are unique among all accounts.
pub(super) fn place(front: &Front, own: &Arc<Scope>, place: &Address, op: Op) -> Result<Arc<Scope>, Fault> {
    let Some(name) = &place.bucket else { return Ok(own.clone()) };
    let found = front.objects().named(name).into_iter().find(|view| *view.scope.cloud == *own.cloud);
    match found {
        Some(view) if op == Op::CreateBucket && *view.scope.account != *own.account => {
            Err(Fault::new(Code::BucketAlreadyExists).with("BucketName", name))
        }
        Some(view) if op != Op::CreateBucket => Ok(front.scope_of(&view.scope.account)),
        _ => Ok(own.clone()),
    }
}

/// Another bucket that a request names.
pub(super) fn bucket(front: &Front, call: &Call, name: &str) -> Result<BucketId, Fault> {
    if !front.parts.settings.strict_auth {
        return Ok(BucketId::new(&call.scope, name));
    }
    let address = Address { bucket: Some(name.to_owned()), key: None };
    let scope = place(front, &call.scope, &address, Op::GetObject)?;
    Ok(BucketId::new(&scope, name))
}

pub(super) fn check(
    front: &Front,
    requester: Option<&str>,
    scope: &Scope,
    place: &Address,
    query: &Query,
    op: Op,
) -> Result<(), Fault> {
    let need = need(op);
    let (Some(name), false) = (&place.bucket, need == Need::Account) else {
        return if requester.is_some() { Ok(()) } else { Err(denied()) };
    };
    // Whoever asks hears that a bucket is not there.
    let Ok(view) = front.objects().bucket(&BucketId::new(scope, name)) else { return Ok(()) };
    match need {
        Need::Account => Ok(()),
        Need::Owner if is_owner(requester, &view) => Ok(()),
        Need::Owner => Err(denied()),
        Need::Bucket(permission) => check_bucket(requester, &view, permission),
        Need::Object(permission) => {
            let key = place.key.as_deref().unwrap_or_default();
            let named = query.get("versionId").map(versions::name).transpose()?;
            let which = named.map_or(Which::Newest, Which::Named);
            let object = versions::find(front, &view.id, key, which).ok();
            permitted(requester, &view, object.as_deref(), permission)
        }
    }
}

fn is_owner(requester: Option<&str>, bucket: &BucketView) -> bool {
    requester == Some(bucket.id.account())
}

/// Whether grants to everybody count.
fn groups(bucket: &BucketView) -> bool {
    !acl::blocks(bucket, "IgnorePublicAcls")
}

pub(super) fn check_bucket(
    requester: Option<&str>,
    bucket: &BucketView,
    permission: Permission,
) -> Result<(), Fault> {
    let acl = Acl::kept(&bucket.documents, &acl::owner_of_bucket(bucket));
    let who = requester.map(|account| encode::owner(account).id);
    let is_allowed = is_owner(requester, bucket) || acl.allows(who.as_deref(), permission, groups(bucket));
    if is_allowed { Ok(()) } else { Err(denied()) }
}

/// Whether an object may be read, as the source of a copy.
pub(super) fn check_object(
    front: &Front,
    requester: Option<&str>,
    bucket: &BucketId,
    object: Option<&Object>,
) -> Result<(), Fault> {
    if !front.parts.settings.strict_auth {
        return Ok(());
    }
    permitted(requester, &front.objects().bucket(bucket)?, object, Permission::Read)
}

fn permitted(
    requester: Option<&str>,
    bucket: &BucketView,
    object: Option<&Object>,
    permission: Permission,
) -> Result<(), Fault> {
    // That an object is not there is for those to know who may list.
    let Some(object) = object else { return check_bucket(requester, bucket, Permission::Read) };
    let documents = &object.attributes.documents;
    let owner = acl::owner_of_object(documents, bucket);
    let who = requester.map(|account| encode::owner(account).id);
    let acl = Acl::kept(documents, &owner);
    let is_allowed =
        who.as_deref() == Some(&*owner) || acl.allows(who.as_deref(), permission, groups(bucket));
    if is_allowed { Ok(()) } else { Err(denied()) }
}
