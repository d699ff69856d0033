//! The methods of the JSON API, and which of them are here: each is asked of the routes.
//!
//! Source: Cloud Storage, "JSON API reference".

use super::routes::{Op, operation};
use http::Method;

/// Name, verb and a path of each.
const METHODS: [(&str, &str, &str); 78] = [
    ("anywhereCaches.disable", "POST", "/b/b/anywhereCaches/a/disable"),
    ("anywhereCaches.get", "GET", "/b/b/anywhereCaches/a"),
    ("anywhereCaches.insert", "POST", "/b/b/anywhereCaches"),
    ("anywhereCaches.list", "GET", "/b/b/anywhereCaches"),
    ("anywhereCaches.pause", "POST", "/b/b/anywhereCaches/a/pause"),
    ("anywhereCaches.resume", "POST", "/b/b/anywhereCaches/a/resume"),
    ("anywhereCaches.update", "PATCH", "/b/b/anywhereCaches/a"),
    ("batch", "POST", "/batch/storage/v1"),
    ("bucketAccessControls.delete", "DELETE", "/b/b/acl/e"),
    ("bucketAccessControls.get", "GET", "/b/b/acl/e"),
    ("bucketAccessControls.insert", "POST", "/b/b/acl"),
    ("bucketAccessControls.list", "GET", "/b/b/acl"),
    ("bucketAccessControls.patch", "PATCH", "/b/b/acl/e"),
    ("bucketAccessControls.update", "PUT", "/b/b/acl/e"),
    ("buckets.delete", "DELETE", "/b/b"),
    ("buckets.get", "GET", "/b/b"),
    ("buckets.getIamPolicy", "GET", "/b/b/iam"),
    ("buckets.getStorageLayout", "GET", "/b/b/storageLayout"),
    ("buckets.insert", "POST", "/b"),
    ("buckets.list", "GET", "/b"),
    ("buckets.lockRetentionPolicy", "POST", "/b/b/lockRetentionPolicy"),
    ("buckets.patch", "PATCH", "/b/b"),
    ("buckets.relocate", "POST", "/b/b/relocate"),
    ("buckets.restore", "POST", "/b/b/restore"),
    ("buckets.setIamPolicy", "PUT", "/b/b/iam"),
    ("buckets.testIamPermissions", "GET", "/b/b/iam/testPermissions"),
    ("buckets.update", "PUT", "/b/b"),
    ("channels.stop", "POST", "/storage/v1/channels/stop"),
    ("defaultObjectAccessControls.delete", "DELETE", "/b/b/defaultObjectAcl/e"),
    ("defaultObjectAccessControls.get", "GET", "/b/b/defaultObjectAcl/e"),
    ("defaultObjectAccessControls.insert", "POST", "/b/b/defaultObjectAcl"),
    ("defaultObjectAccessControls.list", "GET", "/b/b/defaultObjectAcl"),
    ("defaultObjectAccessControls.patch", "PATCH", "/b/b/defaultObjectAcl/e"),
    ("defaultObjectAccessControls.update", "PUT", "/b/b/defaultObjectAcl/e"),
    ("folders.delete", "DELETE", "/b/b/folders/f"),
    ("folders.get", "GET", "/b/b/folders/f"),
    ("folders.insert", "POST", "/b/b/folders"),
    ("folders.list", "GET", "/b/b/folders"),
    ("folders.rename", "POST", "/b/b/folders/f/renameTo/folders/g"),
    ("managedFolders.delete", "DELETE", "/b/b/managedFolders/f"),
    ("managedFolders.get", "GET", "/b/b/managedFolders/f"),
    ("managedFolders.getIamPolicy", "GET", "/b/b/managedFolders/f/iam"),
    ("managedFolders.insert", "POST", "/b/b/managedFolders"),
    ("managedFolders.list", "GET", "/b/b/managedFolders"),
    ("managedFolders.setIamPolicy", "PUT", "/b/b/managedFolders/f/iam"),
    ("managedFolders.testIamPermissions", "GET", "/b/b/managedFolders/f/iam/testPermissions"),
    ("notifications.delete", "DELETE", "/b/b/notificationConfigs/1"),
    ("notifications.get", "GET", "/b/b/notificationConfigs/1"),
    ("notifications.insert", "POST", "/b/b/notificationConfigs"),
    ("notifications.list", "GET", "/b/b/notificationConfigs"),
    ("objectAccessControls.delete", "DELETE", "/b/b/o/o/acl/e"),
    ("objectAccessControls.get", "GET", "/b/b/o/o/acl/e"),
    ("objectAccessControls.insert", "POST", "/b/b/o/o/acl"),
    ("objectAccessControls.list", "GET", "/b/b/o/o/acl"),
    ("objectAccessControls.patch", "PATCH", "/b/b/o/o/acl/e"),
    ("objectAccessControls.update", "PUT", "/b/b/o/o/acl/e"),
    ("objects.bulkRestore", "POST", "/b/b/o/bulkRestore"),
    ("objects.compose", "POST", "/b/b/o/o/compose"),
    ("objects.copy", "POST", "/b/b/o/o/copyTo/b/c/o/p"),
    ("objects.delete", "DELETE", "/b/b/o/o"),
    ("objects.get", "GET", "/b/b/o/o"),
    ("objects.insert", "POST", "/upload/storage/v1/b/b/o"),
    ("objects.list", "GET", "/b/b/o"),
    ("objects.move", "POST", "/b/b/o/o/moveTo/o/p"),
    ("objects.patch", "PATCH", "/b/b/o/o"),
    ("objects.restore", "POST", "/b/b/o/o/restore"),
    ("objects.rewrite", "POST", "/b/b/o/o/rewriteTo/b/c/o/p"),
    ("objects.update", "PUT", "/b/b/o/o"),
    ("objects.watchAll", "POST", "/b/b/o/watch"),
    ("operations.cancel", "POST", "/b/b/operations/1/cancel"),
    ("operations.get", "GET", "/b/b/operations/1"),
    ("operations.list", "GET", "/b/b/operations"),
    ("projects.hmacKeys.create", "POST", "/storage/v1/projects/p/hmacKeys"),
    ("projects.hmacKeys.delete", "DELETE", "/storage/v1/projects/p/hmacKeys/k"),
    ("projects.hmacKeys.get", "GET", "/storage/v1/projects/p/hmacKeys/k"),
    ("projects.hmacKeys.list", "GET", "/storage/v1/projects/p/hmacKeys"),
    ("projects.hmacKeys.update", "PUT", "/storage/v1/projects/p/hmacKeys/k"),
    ("projects.serviceAccount.get", "GET", "/storage/v1/projects/p/serviceAccount"),
];

/// Every method by its name, and whether it is here.
pub fn coverage() -> impl Iterator<Item = (&'static str, bool)> {
    METHODS.iter().map(|(name, verb, path)| {
        let method = Method::from_bytes(verb.as_bytes()).unwrap_or_default();
        let op = operation(&method, path);
        (*name, op.is_ok_and(|op| !matches!(op, Op::Unsupported { .. })))
    })
}
