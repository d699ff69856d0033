//! From method, address and query to the operation: one table, in which what is not here has a row too.

use super::fault::Code;
use super::kept::Kind;
use http::{HeaderMap, Method};

/// What is done for a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    AbortUpload,
    BucketAcl,
    BucketLocation,
    CompleteUpload,
    CopyObject,
    CreateBucket,
    CreateUpload,
    DeleteBucket,
    DeleteObject,
    DeleteObjects,
    DeleteTagging,
    GetNotification,
    GetObject,
    GetTagging,
    HeadBucket,
    HeadObject,
    ListBuckets,
    ListObjects,
    ListObjectsV2,
    ListParts,
    ListUploads,
    ListVersions,
    ObjectAcl,
    ObjectAttributes,
    PostForm,
    Preflight,
    PutNotification,
    PutObject,
    PutTagging,
    GetPolicy,
    PutPolicy,
    DeletePolicy,
    PolicyStatus,
    GetVersioning,
    PutVersioning,
    PutBucketAcl,
    PutObjectAcl,
    GetRetention,
    PutRetention,
    GetLegalHold,
    PutLegalHold,
    UploadPart,
    UploadPartCopy,
    /// A bucket has no such configuration, ever.
    Absent(Code),
    GetKept(Kind),
    PutKept(Kind),
    DeleteKept(Kind),
    Unsupported,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Service,
    Bucket,
    Object,
}

pub(super) struct Route {
    method: &'static str,
    level: Level,
    /// A parameter that must be in the query; empty: none. `name=value` wants the value too.
    marker: &'static str,
    /// A header that must be there; empty: none.
    header: &'static str,
    /// S3's name of the operation.
    pub name: &'static str,
    pub op: Op,
}

const fn row(method: &'static str, level: Level, marker: &'static str, name: &'static str, op: Op) -> Route {
    Route { method, level, marker, header: "", name, op }
}

const fn copy(marker: &'static str, name: &'static str, op: Op) -> Route {
    Route { method: "PUT", level: Level::Object, marker, header: "x-amz-copy-source", name, op }
}

use Level::{Bucket, Object, Service};
use Op::Unsupported;

/// The first row that fits is the operation, so rows with markers come before those without.
pub(super) const TABLE: &[Route] = &[
    row("GET", Service, "", "ListBuckets", Op::ListBuckets),
    // Buckets: reading.
    row("GET", Bucket, "location", "GetBucketLocation", Op::BucketLocation),
    row("GET", Bucket, "notification", "GetBucketNotificationConfiguration", Op::GetNotification),
    row("GET", Bucket, "uploads", "ListMultipartUploads", Op::ListUploads),
    row("GET", Bucket, "versions", "ListObjectVersions", Op::ListVersions),
    row("GET", Bucket, "acl", "GetBucketAcl", Op::BucketAcl),
    row("GET", Bucket, "versioning", "GetBucketVersioning", Op::GetVersioning),
    row("GET", Bucket, "encryption", "GetBucketEncryption", Op::GetKept(Kind::Encryption)),
    row("GET", Bucket, "ownershipControls", "GetBucketOwnershipControls", Op::GetKept(Kind::Ownership)),
    row("GET", Bucket, "requestPayment", "GetBucketRequestPayment", Op::GetKept(Kind::Payer)),
    row("GET", Bucket, "logging", "GetBucketLogging", Op::GetKept(Kind::Logging)),
    row("GET", Bucket, "accelerate", "GetBucketAccelerateConfiguration", Op::GetKept(Kind::Accelerate)),
    row("GET", Bucket, "tagging", "GetBucketTagging", Op::GetKept(Kind::Tagging)),
    row("GET", Bucket, "policy", "GetBucketPolicy", Op::GetPolicy),
    row("GET", Bucket, "policyStatus", "GetBucketPolicyStatus", Op::PolicyStatus),
    row("GET", Bucket, "cors", "GetBucketCors", Op::GetKept(Kind::Cors)),
    row("GET", Bucket, "website", "GetBucketWebsite", Op::GetKept(Kind::Website)),
    row("GET", Bucket, "lifecycle", "GetBucketLifecycleConfiguration", Op::GetKept(Kind::Lifecycle)),
    row(
        "GET",
        Bucket,
        "replication",
        "GetBucketReplication",
        Op::Absent(Code::ReplicationConfigurationNotFoundError),
    ),
    row("GET", Bucket, "object-lock", "GetObjectLockConfiguration", Op::GetKept(Kind::ObjectLock)),
    row("GET", Bucket, "publicAccessBlock", "GetPublicAccessBlock", Op::GetKept(Kind::PublicAccess)),
    row("GET", Bucket, "analytics", "GetBucketAnalyticsConfiguration", Unsupported),
    row("GET", Bucket, "intelligent-tiering", "GetBucketIntelligentTieringConfiguration", Unsupported),
    row("GET", Bucket, "inventory", "GetBucketInventoryConfiguration", Unsupported),
    row("GET", Bucket, "metrics", "GetBucketMetricsConfiguration", Unsupported),
    row("GET", Bucket, "metadataConfiguration", "GetBucketMetadataConfiguration", Unsupported),
    row("GET", Bucket, "metadataTable", "GetBucketMetadataTableConfiguration", Unsupported),
    row("GET", Bucket, "abac", "GetBucketAbac", Unsupported),
    row("GET", Bucket, "session", "CreateSession", Unsupported),
    row("GET", Bucket, "list-type=2", "ListObjectsV2", Op::ListObjectsV2),
    row("GET", Bucket, "", "ListObjects", Op::ListObjects),
    row("HEAD", Bucket, "", "HeadBucket", Op::HeadBucket),
    row("OPTIONS", Bucket, "", "OPTIONS bucket", Op::Preflight),
    row("OPTIONS", Object, "", "OPTIONS object", Op::Preflight),
    // Buckets: changing.
    row("PUT", Bucket, "notification", "PutBucketNotificationConfiguration", Op::PutNotification),
    row("PUT", Bucket, "accelerate", "PutBucketAccelerateConfiguration", Op::PutKept(Kind::Accelerate)),
    row("PUT", Bucket, "acl", "PutBucketAcl", Op::PutBucketAcl),
    row("PUT", Bucket, "analytics", "PutBucketAnalyticsConfiguration", Unsupported),
    row("PUT", Bucket, "abac", "PutBucketAbac", Unsupported),
    row("PUT", Bucket, "cors", "PutBucketCors", Op::PutKept(Kind::Cors)),
    row("PUT", Bucket, "encryption", "PutBucketEncryption", Op::PutKept(Kind::Encryption)),
    row("PUT", Bucket, "intelligent-tiering", "PutBucketIntelligentTieringConfiguration", Unsupported),
    row("PUT", Bucket, "inventory", "PutBucketInventoryConfiguration", Unsupported),
    row("PUT", Bucket, "lifecycle", "PutBucketLifecycleConfiguration", Op::PutKept(Kind::Lifecycle)),
    row("PUT", Bucket, "logging", "PutBucketLogging", Op::PutKept(Kind::Logging)),
    row("PUT", Bucket, "metrics", "PutBucketMetricsConfiguration", Unsupported),
    row(
        "PUT",
        Bucket,
        "metadataInventoryTable",
        "UpdateBucketMetadataInventoryTableConfiguration",
        Unsupported,
    ),
    row("PUT", Bucket, "metadataJournalTable", "UpdateBucketMetadataJournalTableConfiguration", Unsupported),
    row("PUT", Bucket, "object-lock", "PutObjectLockConfiguration", Op::PutKept(Kind::ObjectLock)),
    row("PUT", Bucket, "ownershipControls", "PutBucketOwnershipControls", Op::PutKept(Kind::Ownership)),
    row("PUT", Bucket, "policy", "PutBucketPolicy", Op::PutPolicy),
    row("PUT", Bucket, "publicAccessBlock", "PutPublicAccessBlock", Op::PutKept(Kind::PublicAccess)),
    row("PUT", Bucket, "replication", "PutBucketReplication", Unsupported),
    row("PUT", Bucket, "requestPayment", "PutBucketRequestPayment", Op::PutKept(Kind::Payer)),
    row("PUT", Bucket, "tagging", "PutBucketTagging", Op::PutKept(Kind::Tagging)),
    row("PUT", Bucket, "versioning", "PutBucketVersioning", Op::PutVersioning),
    row("PUT", Bucket, "website", "PutBucketWebsite", Op::PutKept(Kind::Website)),
    row("PUT", Bucket, "", "CreateBucket", Op::CreateBucket),
    row("POST", Bucket, "delete", "DeleteObjects", Op::DeleteObjects),
    row("POST", Bucket, "metadataConfiguration", "CreateBucketMetadataConfiguration", Unsupported),
    row("POST", Bucket, "metadataTable", "CreateBucketMetadataTableConfiguration", Unsupported),
    row("POST", Bucket, "", "PostObject", Op::PostForm),
    row("DELETE", Bucket, "analytics", "DeleteBucketAnalyticsConfiguration", Unsupported),
    row("DELETE", Bucket, "cors", "DeleteBucketCors", Op::DeleteKept(Kind::Cors)),
    row("DELETE", Bucket, "encryption", "DeleteBucketEncryption", Op::DeleteKept(Kind::Encryption)),
    row("DELETE", Bucket, "intelligent-tiering", "DeleteBucketIntelligentTieringConfiguration", Unsupported),
    row("DELETE", Bucket, "inventory", "DeleteBucketInventoryConfiguration", Unsupported),
    row("DELETE", Bucket, "lifecycle", "DeleteBucketLifecycle", Op::DeleteKept(Kind::Lifecycle)),
    row("DELETE", Bucket, "metrics", "DeleteBucketMetricsConfiguration", Unsupported),
    row("DELETE", Bucket, "metadataConfiguration", "DeleteBucketMetadataConfiguration", Unsupported),
    row("DELETE", Bucket, "metadataTable", "DeleteBucketMetadataTableConfiguration", Unsupported),
    row(
        "DELETE",
        Bucket,
        "ownershipControls",
        "DeleteBucketOwnershipControls",
        Op::DeleteKept(Kind::Ownership),
    ),
    row("DELETE", Bucket, "policy", "DeleteBucketPolicy", Op::DeletePolicy),
    row("DELETE", Bucket, "publicAccessBlock", "DeletePublicAccessBlock", Op::DeleteKept(Kind::PublicAccess)),
    row("DELETE", Bucket, "replication", "DeleteBucketReplication", Unsupported),
    row("DELETE", Bucket, "tagging", "DeleteBucketTagging", Op::DeleteKept(Kind::Tagging)),
    row("DELETE", Bucket, "website", "DeleteBucketWebsite", Op::DeleteKept(Kind::Website)),
    row("DELETE", Bucket, "", "DeleteBucket", Op::DeleteBucket),
    // Objects: reading.
    row("GET", Object, "acl", "GetObjectAcl", Op::ObjectAcl),
    row("GET", Object, "attributes", "GetObjectAttributes", Op::ObjectAttributes),
    row("GET", Object, "annotation", "GetObjectAnnotation", Unsupported),
    row("GET", Object, "legal-hold", "GetObjectLegalHold", Op::GetLegalHold),
    row("GET", Object, "retention", "GetObjectRetention", Op::GetRetention),
    row("GET", Object, "tagging", "GetObjectTagging", Op::GetTagging),
    row("GET", Object, "torrent", "GetObjectTorrent", Unsupported),
    row("GET", Object, "uploadId", "ListParts", Op::ListParts),
    row("GET", Object, "", "GetObject", Op::GetObject),
    row("HEAD", Object, "", "HeadObject", Op::HeadObject),
    // Objects: changing.
    copy("uploadId", "UploadPartCopy", Op::UploadPartCopy),
    row("PUT", Object, "uploadId", "UploadPart", Op::UploadPart),
    row("PUT", Object, "acl", "PutObjectAcl", Op::PutObjectAcl),
    row("PUT", Object, "annotation", "PutObjectAnnotation", Unsupported),
    row("PUT", Object, "encryption", "UpdateObjectEncryption", Unsupported),
    row("PUT", Object, "legal-hold", "PutObjectLegalHold", Op::PutLegalHold),
    row("PUT", Object, "retention", "PutObjectRetention", Op::PutRetention),
    row("PUT", Object, "renameObject", "RenameObject", Unsupported),
    row("PUT", Object, "tagging", "PutObjectTagging", Op::PutTagging),
    copy("", "CopyObject", Op::CopyObject),
    row("PUT", Object, "", "PutObject", Op::PutObject),
    row("POST", Object, "uploads", "CreateMultipartUpload", Op::CreateUpload),
    row("POST", Object, "uploadId", "CompleteMultipartUpload", Op::CompleteUpload),
    row("POST", Object, "restore", "RestoreObject", Unsupported),
    row("POST", Object, "select", "SelectObjectContent", Unsupported),
    row("DELETE", Object, "uploadId", "AbortMultipartUpload", Op::AbortUpload),
    row("DELETE", Object, "annotation", "DeleteObjectAnnotation", Unsupported),
    row("DELETE", Object, "tagging", "DeleteObjectTagging", Op::DeleteTagging),
    row("DELETE", Object, "", "DeleteObject", Op::DeleteObject),
];

impl Route {
    fn fits(&self, method: &Method, level: Level, query: &super::query::Query, headers: &HeaderMap) -> bool {
        let marked = match self.marker.split_once('=') {
            Some((name, value)) => query.get(name) == Some(value),
            None => self.marker.is_empty() || query.has(self.marker),
        };
        self.level == level
            && self.method == method.as_str()
            && marked
            && (self.header.is_empty() || headers.contains_key(self.header))
    }
}

/// The row of a request; `None`: S3 has no such operation.
pub(super) fn find(
    method: &Method,
    level: Level,
    query: &super::query::Query,
    headers: &HeaderMap,
) -> Option<&'static Route> {
    TABLE.iter().find(|route| route.fits(method, level, query, headers))
}

/// How much of an operation is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covered {
    Here,
    /// Kept and given back; nothing here acts on it.
    Kept,
    /// It answers as for a bucket that was never configured.
    AsNew,
    Missing,
}

/// Each operation's name and how much of it is here, for the table of what is covered.
pub fn coverage() -> impl Iterator<Item = (&'static str, Covered)> {
    TABLE.iter().map(|route| {
        let covered = match route.op {
            Op::Unsupported => Covered::Missing,
            Op::Absent(_) => Covered::AsNew,
            Op::GetKept(kind) | Op::PutKept(kind) | Op::DeleteKept(kind) if !kind.is_acted_on() => {
                Covered::Kept
            }
            Op::GetPolicy | Op::PutPolicy | Op::DeletePolicy | Op::PolicyStatus => Covered::Kept,
            _ => Covered::Here,
        };
        (route.name, covered)
    })
}

#[cfg(test)]
mod tests {
    use super::super::query::Query;
    use super::*;

    fn name(method: &str, level: Level, query: &str, header: Option<&'static str>) -> Option<&'static str> {
        let headers = header.map(|name| (name.parse().unwrap(), "x".parse().unwrap())).into_iter().collect();
        find(&method.parse().unwrap(), level, &Query::parse(query), &headers).map(|route| route.name)
    }

    #[test]
    fn requests_find_their_operation() {
        let copying = Some("x-amz-copy-source");
        assert_eq!(name("GET", Service, "", None), Some("ListBuckets"));
        assert_eq!(name("GET", Bucket, "list-type=2&prefix=a", None), Some("ListObjectsV2"));
        assert_eq!(name("GET", Bucket, "prefix=a", None), Some("ListObjects"));
        assert_eq!(name("PUT", Bucket, "cors", None), Some("PutBucketCors"));
        assert_eq!(name("PUT", Object, "x-id=PutObject", None), Some("PutObject"));
        assert_eq!(name("PUT", Object, "", copying), Some("CopyObject"));
        assert_eq!(name("PUT", Object, "partNumber=1&uploadId=x", copying), Some("UploadPartCopy"));
        assert_eq!(name("PUT", Object, "partNumber=1&uploadId=x", None), Some("UploadPart"));
        assert_eq!(name("POST", Object, "", None), None);
        assert_eq!(name("PATCH", Bucket, "", None), None);
        assert_eq!(name("PUT", Service, "", None), None);
    }

    #[test]
    fn no_row_hides_another() {
        for (at, route) in TABLE.iter().enumerate() {
            let query = Query::parse(route.marker);
            let headers = (!route.header.is_empty())
                .then(|| (route.header.parse().unwrap(), "x".parse().unwrap()))
                .into_iter()
                .collect();
            let found = TABLE
                .iter()
                .position(|other| other.fits(&route.method.parse().unwrap(), route.level, &query, &headers));
            assert_eq!(found, Some(at), "{}", route.name);
        }
    }
}
