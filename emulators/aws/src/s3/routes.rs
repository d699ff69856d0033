//! From method, address and query to the operation: one table, in which what is not here has a row too.

use super::fault::Code;
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
    PutNotification,
    PutObject,
    PutTagging,
    UploadPart,
    UploadPartCopy,
    /// A bucket has no such configuration, ever.
    Absent(Code),
    /// A bucket has this configuration, always.
    Fixed(&'static str),
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

const NO_POLICY: Op = Op::Absent(Code::NoSuchBucketPolicy);
const VERSIONING: Op =
    Op::Fixed("<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>");
const ENCRYPTION: Op = Op::Fixed(
    "<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>",
);
const OWNERSHIP: Op = Op::Fixed(
    "<OwnershipControls xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>",
);
const PAYER: Op = Op::Fixed(
    "<RequestPaymentConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
);
const LOGGING: Op = Op::Fixed("<BucketLoggingStatus xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>");
const ACCELERATE: Op =
    Op::Fixed("<AccelerateConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>");

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
    row("GET", Bucket, "versioning", "GetBucketVersioning", VERSIONING),
    row("GET", Bucket, "encryption", "GetBucketEncryption", ENCRYPTION),
    row("GET", Bucket, "ownershipControls", "GetBucketOwnershipControls", OWNERSHIP),
    row("GET", Bucket, "requestPayment", "GetBucketRequestPayment", PAYER),
    row("GET", Bucket, "logging", "GetBucketLogging", LOGGING),
    row("GET", Bucket, "accelerate", "GetBucketAccelerateConfiguration", ACCELERATE),
    row("GET", Bucket, "tagging", "GetBucketTagging", Op::Absent(Code::NoSuchTagSet)),
    row("GET", Bucket, "policy", "GetBucketPolicy", NO_POLICY),
    row("GET", Bucket, "policyStatus", "GetBucketPolicyStatus", NO_POLICY),
    row("GET", Bucket, "cors", "GetBucketCors", Op::Absent(Code::NoSuchCORSConfiguration)),
    row("GET", Bucket, "website", "GetBucketWebsite", Op::Absent(Code::NoSuchWebsiteConfiguration)),
    row(
        "GET",
        Bucket,
        "lifecycle",
        "GetBucketLifecycleConfiguration",
        Op::Absent(Code::NoSuchLifecycleConfiguration),
    ),
    row(
        "GET",
        Bucket,
        "replication",
        "GetBucketReplication",
        Op::Absent(Code::ReplicationConfigurationNotFoundError),
    ),
    row(
        "GET",
        Bucket,
        "object-lock",
        "GetObjectLockConfiguration",
        Op::Absent(Code::ObjectLockConfigurationNotFoundError),
    ),
    row(
        "GET",
        Bucket,
        "publicAccessBlock",
        "GetPublicAccessBlock",
        Op::Absent(Code::NoSuchPublicAccessBlockConfiguration),
    ),
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
    // Buckets: changing.
    row("PUT", Bucket, "notification", "PutBucketNotificationConfiguration", Op::PutNotification),
    row("PUT", Bucket, "accelerate", "PutBucketAccelerateConfiguration", Unsupported),
    row("PUT", Bucket, "acl", "PutBucketAcl", Unsupported),
    row("PUT", Bucket, "analytics", "PutBucketAnalyticsConfiguration", Unsupported),
    row("PUT", Bucket, "abac", "PutBucketAbac", Unsupported),
    row("PUT", Bucket, "cors", "PutBucketCors", Unsupported),
    row("PUT", Bucket, "encryption", "PutBucketEncryption", Unsupported),
    row("PUT", Bucket, "intelligent-tiering", "PutBucketIntelligentTieringConfiguration", Unsupported),
    row("PUT", Bucket, "inventory", "PutBucketInventoryConfiguration", Unsupported),
    row("PUT", Bucket, "lifecycle", "PutBucketLifecycleConfiguration", Unsupported),
    row("PUT", Bucket, "logging", "PutBucketLogging", Unsupported),
    row("PUT", Bucket, "metrics", "PutBucketMetricsConfiguration", Unsupported),
    row(
        "PUT",
        Bucket,
        "metadataInventoryTable",
        "UpdateBucketMetadataInventoryTableConfiguration",
        Unsupported,
    ),
    row("PUT", Bucket, "metadataJournalTable", "UpdateBucketMetadataJournalTableConfiguration", Unsupported),
    row("PUT", Bucket, "object-lock", "PutObjectLockConfiguration", Unsupported),
    row("PUT", Bucket, "ownershipControls", "PutBucketOwnershipControls", Unsupported),
    row("PUT", Bucket, "policy", "PutBucketPolicy", Unsupported),
    row("PUT", Bucket, "publicAccessBlock", "PutPublicAccessBlock", Unsupported),
    row("PUT", Bucket, "replication", "PutBucketReplication", Unsupported),
    row("PUT", Bucket, "requestPayment", "PutBucketRequestPayment", Unsupported),
    row("PUT", Bucket, "tagging", "PutBucketTagging", Unsupported),
    row("PUT", Bucket, "versioning", "PutBucketVersioning", Unsupported),
    row("PUT", Bucket, "website", "PutBucketWebsite", Unsupported),
    row("PUT", Bucket, "", "CreateBucket", Op::CreateBucket),
    row("POST", Bucket, "delete", "DeleteObjects", Op::DeleteObjects),
    row("POST", Bucket, "metadataConfiguration", "CreateBucketMetadataConfiguration", Unsupported),
    row("POST", Bucket, "metadataTable", "CreateBucketMetadataTableConfiguration", Unsupported),
    row("POST", Bucket, "", "PostObject", Op::PostForm),
    row("DELETE", Bucket, "analytics", "DeleteBucketAnalyticsConfiguration", Unsupported),
    row("DELETE", Bucket, "cors", "DeleteBucketCors", Unsupported),
    row("DELETE", Bucket, "encryption", "DeleteBucketEncryption", Unsupported),
    row("DELETE", Bucket, "intelligent-tiering", "DeleteBucketIntelligentTieringConfiguration", Unsupported),
    row("DELETE", Bucket, "inventory", "DeleteBucketInventoryConfiguration", Unsupported),
    row("DELETE", Bucket, "lifecycle", "DeleteBucketLifecycle", Unsupported),
    row("DELETE", Bucket, "metrics", "DeleteBucketMetricsConfiguration", Unsupported),
    row("DELETE", Bucket, "metadataConfiguration", "DeleteBucketMetadataConfiguration", Unsupported),
    row("DELETE", Bucket, "metadataTable", "DeleteBucketMetadataTableConfiguration", Unsupported),
    row("DELETE", Bucket, "ownershipControls", "DeleteBucketOwnershipControls", Unsupported),
    row("DELETE", Bucket, "policy", "DeleteBucketPolicy", Unsupported),
    row("DELETE", Bucket, "publicAccessBlock", "DeletePublicAccessBlock", Unsupported),
    row("DELETE", Bucket, "replication", "DeleteBucketReplication", Unsupported),
    row("DELETE", Bucket, "tagging", "DeleteBucketTagging", Unsupported),
    row("DELETE", Bucket, "website", "DeleteBucketWebsite", Unsupported),
    row("DELETE", Bucket, "", "DeleteBucket", Op::DeleteBucket),
    // Objects: reading.
    row("GET", Object, "acl", "GetObjectAcl", Op::ObjectAcl),
    row("GET", Object, "attributes", "GetObjectAttributes", Op::ObjectAttributes),
    row("GET", Object, "annotation", "GetObjectAnnotation", Unsupported),
    row("GET", Object, "legal-hold", "GetObjectLegalHold", Unsupported),
    row("GET", Object, "retention", "GetObjectRetention", Unsupported),
    row("GET", Object, "tagging", "GetObjectTagging", Op::GetTagging),
    row("GET", Object, "torrent", "GetObjectTorrent", Unsupported),
    row("GET", Object, "uploadId", "ListParts", Op::ListParts),
    row("GET", Object, "", "GetObject", Op::GetObject),
    row("HEAD", Object, "", "HeadObject", Op::HeadObject),
    // Objects: changing.
    copy("uploadId", "UploadPartCopy", Op::UploadPartCopy),
    row("PUT", Object, "uploadId", "UploadPart", Op::UploadPart),
    row("PUT", Object, "acl", "PutObjectAcl", Unsupported),
    row("PUT", Object, "annotation", "PutObjectAnnotation", Unsupported),
    row("PUT", Object, "encryption", "UpdateObjectEncryption", Unsupported),
    row("PUT", Object, "legal-hold", "PutObjectLegalHold", Unsupported),
    row("PUT", Object, "retention", "PutObjectRetention", Unsupported),
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

/// Each operation's name and whether it is here, for the table of what is covered.
pub fn coverage() -> impl Iterator<Item = (&'static str, bool)> {
    TABLE.iter().map(|route| (route.name, route.op != Op::Unsupported))
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
