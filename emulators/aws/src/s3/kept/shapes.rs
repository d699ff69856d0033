//! The shapes of stored configurations.
//!
//! Follows the "Data types" of the Amazon S3 API reference.

use crate::s3::shape::Content::{Elements, Free, Number, Text, Word};
use crate::s3::shape::{Child, any, maybe, once, some};

const BOOL: &[&str] = &["true", "false", "TRUE", "FALSE"];

pub(super) const ACCELERATE: &[Child] = &[once("Status", Word(&["Enabled", "Suspended"]))];

pub(super) const CORS: &[Child] = &[some(
    "CORSRule",
    Elements(&[
        maybe("ID", Text),
        any("AllowedHeader", Text),
        some("AllowedMethod", Text),
        some("AllowedOrigin", Text),
        any("ExposeHeader", Text),
        maybe("MaxAgeSeconds", Number),
    ]),
)];

pub(super) const ENCRYPTION: &[Child] = &[some(
    "Rule",
    Elements(&[
        maybe(
            "ApplyServerSideEncryptionByDefault",
            Elements(&[
                once("SSEAlgorithm", Word(&["AES256", "aws:kms", "aws:kms:dsse", "aws:fsx"])),
                maybe("KMSMasterKeyID", Text),
            ]),
        ),
        maybe("BucketKeyEnabled", Word(BOOL)),
        maybe("BlockedEncryptionTypes", Free),
    ]),
)];

pub(super) const USUAL_ENCRYPTION: &str = "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule>";

const TAG: &[Child] = &[once("Key", Text), once("Value", Text)];

pub(super) const LIFECYCLE: &[Child] = &[
    maybe("TransitionDefaultMinimumObjectSize", Text),
    some(
        "Rule",
        Elements(&[
            maybe("ID", Text),
            maybe("Prefix", Text),
            maybe(
                "Filter",
                Elements(&[
                    maybe("Prefix", Text),
                    maybe("Tag", Elements(TAG)),
                    maybe("ObjectSizeGreaterThan", Number),
                    maybe("ObjectSizeLessThan", Number),
                    maybe(
                        "And",
                        Elements(&[
                            maybe("Prefix", Text),
                            any("Tag", Elements(TAG)),
                            maybe("ObjectSizeGreaterThan", Number),
                            maybe("ObjectSizeLessThan", Number),
                        ]),
                    ),
                ]),
            ),
            once("Status", Word(&["Enabled", "Disabled"])),
            maybe(
                "Expiration",
                Elements(&[
                    maybe("Date", Text),
                    maybe("Days", Number),
                    maybe("ExpiredObjectDeleteMarker", Word(BOOL)),
                ]),
            ),
            any(
                "Transition",
                Elements(&[maybe("Date", Text), maybe("Days", Number), once("StorageClass", Text)]),
            ),
            maybe(
                "NoncurrentVersionExpiration",
                Elements(&[maybe("NoncurrentDays", Number), maybe("NewerNoncurrentVersions", Number)]),
            ),
            any(
                "NoncurrentVersionTransition",
                Elements(&[
                    maybe("NoncurrentDays", Number),
                    maybe("NewerNoncurrentVersions", Number),
                    once("StorageClass", Text),
                ]),
            ),
            maybe("AbortIncompleteMultipartUpload", Elements(&[maybe("DaysAfterInitiation", Number)])),
        ]),
    ),
];

pub(super) const LOGGING: &[Child] = &[maybe(
    "LoggingEnabled",
    Elements(&[
        once("TargetBucket", Text),
        once("TargetPrefix", Text),
        maybe("TargetGrants", Free),
        maybe("TargetObjectKeyFormat", Free),
    ]),
)];

pub(super) const OBJECT_LOCK: &[Child] = &[
    once("ObjectLockEnabled", Word(&["Enabled"])),
    maybe(
        "Rule",
        Elements(&[once(
            "DefaultRetention",
            Elements(&[
                once("Mode", Word(&["GOVERNANCE", "COMPLIANCE"])),
                maybe("Days", Number),
                maybe("Years", Number),
            ]),
        )]),
    ),
];

pub(super) const OWNERSHIP: &[Child] = &[some(
    "Rule",
    Elements(&[once(
        "ObjectOwnership",
        Word(&["BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"]),
    )]),
)];

pub(super) const USUAL_OWNERSHIP: &str =
    "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>";

pub(super) const PAYER: &[Child] = &[once("Payer", Word(&["Requester", "BucketOwner"]))];

pub(super) const PUBLIC_ACCESS: &[Child] = &[
    maybe("BlockPublicAcls", Word(BOOL)),
    maybe("IgnorePublicAcls", Word(BOOL)),
    maybe("BlockPublicPolicy", Word(BOOL)),
    maybe("RestrictPublicBuckets", Word(BOOL)),
];

pub(super) const TAGGING: &[Child] = &[once("TagSet", Elements(&[any("Tag", Elements(TAG))]))];

const PROTOCOL: &[&str] = &["http", "https"];

pub(super) const WEBSITE: &[Child] = &[
    maybe("ErrorDocument", Elements(&[once("Key", Text)])),
    maybe("IndexDocument", Elements(&[once("Suffix", Text)])),
    maybe("RedirectAllRequestsTo", Elements(&[once("HostName", Text), maybe("Protocol", Word(PROTOCOL))])),
    maybe(
        "RoutingRules",
        Elements(&[any(
            "RoutingRule",
            Elements(&[
                maybe(
                    "Condition",
                    Elements(&[maybe("KeyPrefixEquals", Text), maybe("HttpErrorCodeReturnedEquals", Text)]),
                ),
                once(
                    "Redirect",
                    Elements(&[
                        maybe("HostName", Text),
                        maybe("HttpRedirectCode", Text),
                        maybe("Protocol", Word(PROTOCOL)),
                        maybe("ReplaceKeyPrefixWith", Text),
                        maybe("ReplaceKeyWith", Text),
                    ]),
                ),
            ]),
        )]),
    ),
];
