//! What lists of instructions call operations: as Google's testbench does.

use crate::storage::acl::Of;
use crate::storage::routes::Op;
use http::Method;

/// What lists call an operation.
pub(super) fn name(op: &Op) -> Option<&'static str> {
    Some(match op {
        Op::ListBuckets => "storage.buckets.list",
        Op::InsertBucket => "storage.buckets.insert",
        Op::GetBucket { .. } => "storage.buckets.get",
        Op::GetLayout { .. } => "storage.buckets.getStorageLayout",
        Op::ListManagedFolders { .. } => "storage.managedFolders.list",
        Op::PatchBucket { replaces: false, .. } => "storage.buckets.patch",
        Op::PatchBucket { .. } => "storage.buckets.update",
        Op::DeleteBucket { .. } => "storage.buckets.delete",
        Op::ListObjects { .. } => "storage.objects.list",
        Op::Get { .. } => "storage.objects.get",
        Op::Patch { replaces: false, .. } => "storage.objects.patch",
        Op::Patch { .. } => "storage.objects.update",
        Op::Delete { .. } => "storage.objects.delete",
        Op::Upload { .. } | Op::Resume => "storage.objects.insert",
        Op::Compose { .. } => "storage.objects.compose",
        Op::Copy { rewrites: true, .. } => "storage.objects.rewrite",
        Op::Copy { .. } => "storage.objects.copy",
        Op::LockRetention { .. } => "storage.buckets.lockRetentionPolicy",
        Op::Access { list, entity, method } => return access(list.of, entity.is_some(), method),
        Op::Rename { .. } => "storage.objects.move",
        Op::GetPolicy { .. } => "storage.buckets.getIamPolicy",
        Op::SetPolicy { .. } => "storage.buckets.setIamPolicy",
        Op::TestPermissions { .. } => "storage.buckets.testIamPermissions",
        Op::HmacKeys { id, method, .. } => match (method, id) {
            (&Method::POST, _) => "storage.hmacKey.create",
            (&Method::GET, None) => "storage.hmacKey.list",
            (&Method::PUT, _) => "storage.hmacKey.update",
            (&Method::DELETE, _) => "storage.hmacKey.delete",
            _ => "storage.hmacKey.get",
        },
        Op::ServiceAccount => "storage.serviceaccount.get",
        Op::ListNotifications { .. } => "storage.notifications.list",
        Op::InsertNotification { .. } => "storage.notifications.insert",
        Op::GetNotification { .. } => "storage.notifications.get",
        Op::DeleteNotification { .. } => "storage.notifications.delete",
        Op::Batch | Op::Cancel | Op::Unsupported { .. } => return None,
    })
}

/// Operations on access lists: of whole ones, then of single entries.
fn access(of: Of, is_one: bool, method: &Method) -> Option<&'static str> {
    let names = match of {
        Of::Bucket => BUCKET_ACL,
        Of::Default => DEFAULT_ACL,
        Of::Object => OBJECT_ACL,
    };
    let at = match (method, is_one) {
        (&Method::GET, false) => 0,
        (&Method::POST, _) => 1,
        (&Method::GET, true) => 2,
        (&Method::PUT, _) => 3,
        (&Method::PATCH, _) => 4,
        (&Method::DELETE, _) => 5,
        _ => return None,
    };
    names.get(at).copied()
}

const BUCKET_ACL: [&str; 6] = [
    "storage.bucket_acl.list",
    "storage.bucket_acl.insert",
    "storage.bucket_acl.get",
    "storage.bucket_acl.update",
    "storage.bucket_acl.patch",
    "storage.bucket_acl.delete",
];
const DEFAULT_ACL: [&str; 6] = [
    "storage.default_object_acl.list",
    "storage.default_object_acl.insert",
    "storage.default_object_acl.get",
    "storage.default_object_acl.update",
    "storage.default_object_acl.patch",
    "storage.default_object_acl.delete",
];
const OBJECT_ACL: [&str; 6] = [
    "storage.object_acl.list",
    "storage.object_acl.insert",
    "storage.object_acl.get",
    "storage.object_acl.update",
    "storage.object_acl.patch",
    "storage.object_acl.delete",
];

/// Everything before the first dot but one is the service: `storage.objects.get`.
pub(super) fn is_known(text: &str) -> bool {
    KNOWN.contains(&text) || [BUCKET_ACL, DEFAULT_ACL, OBJECT_ACL].iter().any(|names| names.contains(&text))
}

const KNOWN: [&str; 32] = [
    "storage.buckets.list",
    "storage.buckets.insert",
    "storage.buckets.get",
    "storage.buckets.patch",
    "storage.buckets.update",
    "storage.buckets.delete",
    "storage.buckets.lockRetentionPolicy",
    "storage.buckets.getIamPolicy",
    "storage.buckets.setIamPolicy",
    "storage.buckets.testIamPermissions",
    "storage.objects.list",
    "storage.objects.get",
    "storage.objects.patch",
    "storage.objects.update",
    "storage.objects.delete",
    "storage.objects.insert",
    "storage.objects.compose",
    "storage.objects.rewrite",
    "storage.objects.copy",
    "storage.objects.move",
    "storage.notifications.list",
    "storage.notifications.insert",
    "storage.notifications.get",
    "storage.notifications.delete",
    "storage.hmacKey.create",
    "storage.hmacKey.list",
    "storage.hmacKey.get",
    "storage.hmacKey.update",
    "storage.hmacKey.delete",
    "storage.serviceaccount.get",
    // Not there yet, but a list may name them.
    "storage.objects.restore",
    "storage.objects.bulkRestore",
];
