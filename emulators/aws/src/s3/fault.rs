//! S3's error codes, with their statuses and usual messages.
//!
//! Follows "Error responses" of the Amazon S3 API reference. HTTP statuses of errors appear nowhere else.

use http::StatusCode;
use mlemu_engine::objects;
use thiserror::Error;

macro_rules! codes {
    ($($name:ident $status:literal $message:literal)*) => {
        /// Spelled as on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Code { $($name,)* }

        impl Code {
            pub fn name(self) -> &'static str {
                match self { $(Code::$name => stringify!($name),)* }
            }

            pub fn status(self) -> StatusCode {
                let status: u16 = match self { $(Code::$name => $status,)* };
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            fn message(self) -> &'static str {
                match self { $(Code::$name => $message,)* }
            }
        }
    };
}

codes! {
    AccessDenied 403 "Access Denied"
    AccessControlListNotSupported 400 "The bucket does not allow ACLs"
    AccessForbidden 403 "CORSResponse: CORS is not enabled for this bucket."
    AuthorizationHeaderMalformed 400 "The authorization header that you provided is not valid."
    AuthorizationQueryParametersError 400 "The authorization query parameters that you provided are not valid."
    BadRequest 400 "Insufficient information. Origin request header needed."
    BadDigest 400 "The Content-MD5 you specified did not match what we received."
    BucketAlreadyExists 409 "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again."
    BucketAlreadyOwnedByYou 409 "Your previous request to create the named bucket succeeded and you already own it."
    BucketNotEmpty 409 "The bucket you tried to delete is not empty"
    EntityTooLarge 400 "Your proposed upload exceeds the maximum allowed size"
    EntityTooSmall 400 "Your proposed upload is smaller than the minimum allowed size"
    IncompleteBody 400 "You did not provide the number of bytes specified by the Content-Length HTTP header"
    InternalError 500 "We encountered an internal error. Please try again."
    IllegalVersioningConfigurationException 400 "The Versioning element must be specified"
    InvalidAccessKeyId 403 "The AWS Access Key Id you provided does not exist in our records."
    InvalidArgument 400 "Invalid Argument"
    InvalidBucketName 400 "The specified bucket is not valid."
    InvalidBucketState 409 "The request is not valid with the current state of the bucket."
    InvalidDigest 400 "The Content-MD5 you specified was invalid."
    InvalidPart 400 "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."
    InvalidPartNumber 416 "The requested partnumber is not satisfiable"
    InvalidPartOrder 400 "The list of parts was not in ascending order. Parts must be ordered by part number."
    InvalidPolicyDocument 400 "The content of the form does not meet the conditions specified in the policy document."
    InvalidRange 416 "The requested range is not satisfiable"
    InvalidRequest 400 "Invalid Request"
    InvalidRetentionPeriod 400 "The retention period must be a positive integer value"
    InvalidTag 400 "The TagValue you have provided is invalid"
    InvalidURI 400 "Couldn't parse the specified URI."
    KeyTooLongError 400 "Your key is too long"
    MalformedPOSTRequest 400 "The body of your POST request is not well-formed multipart/form-data."
    MalformedACLError 400 "The XML you provided was not well-formed or did not validate against our published schema"
    MalformedPolicy 400 "Policies must be valid JSON and the first byte must be '{'"
    MalformedTrailerError 400 "The request contained trailing data that was not well-formed or did not conform to our published schema."
    MalformedXML 400 "The XML you provided was not well-formed or did not validate against our published schema"
    MaxMessageLengthExceeded 400 "Your request was too big."
    MaxPostPreDataLengthExceededError 400 "Your POST request fields preceding the upload file were too large."
    MetadataTooLarge 400 "Your metadata headers exceed the maximum allowed metadata size"
    MethodNotAllowed 405 "The specified method is not allowed against this resource."
    MissingContentLength 411 "You must provide the Content-Length HTTP header."
    MissingSecurityHeader 400 "Your request was missing a required header"
    NoSuchBucket 404 "The specified bucket does not exist"
    NoSuchBucketPolicy 404 "The bucket policy does not exist"
    NoSuchCORSConfiguration 404 "The CORS configuration does not exist"
    NoSuchKey 404 "The specified key does not exist."
    NoSuchLifecycleConfiguration 404 "The lifecycle configuration does not exist"
    NoSuchObjectLockConfiguration 404 "The specified object does not have a ObjectLock configuration"
    NoSuchPublicAccessBlockConfiguration 404 "The public access block configuration was not found"
    NoSuchTagSet 404 "The TagSet does not exist"
    NoSuchUpload 404 "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
    NoSuchVersion 404 "The specified version does not exist."
    NoSuchWebsiteConfiguration 404 "The specified bucket does not have a website configuration"
    NotImplemented 501 "A header you provided implies functionality that is not implemented"
    ObjectLockConfigurationNotFoundError 404 "Object Lock configuration does not exist for this bucket"
    OperationAborted 409 "A conflicting conditional operation is currently in progress against this resource. Please try again."
    PreconditionFailed 412 "At least one of the pre-conditions you specified did not hold"
    ReplicationConfigurationNotFoundError 404 "The replication configuration was not found"
    RequestTimeTooSkewed 403 "The difference between the request time and the current time is too large."
    SignatureDoesNotMatch 403 "The request signature we calculated does not match the signature you provided. Check your key and signing method."
    UnexpectedContent 400 "This request does not support content"
    UnresolvableGrantByEmailAddress 400 "The email address you provided does not match any account on record."
    XAmzContentSHA256Mismatch 400 "The provided 'x-amz-content-sha256' header does not match what was computed."
}

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub(super) struct Fault {
    pub code: Code,
    pub message: String,
    /// Elements beside the usual ones.
    pub details: Vec<(&'static str, String)>,
    /// Headers of the answer.
    pub headers: Vec<(&'static str, String)>,
}

impl Fault {
    pub fn new(code: Code) -> Self {
        Self::because(code, code.message())
    }

    /// With a message of its own.
    pub fn because(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Vec::new(), headers: Vec::new() }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// With a header in its answer.
    pub fn answered(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// A parameter that makes no sense.
    pub fn argument(name: &str, value: &str, message: impl Into<String>) -> Self {
        Self::because(Code::InvalidArgument, message).with("ArgumentName", name).with("ArgumentValue", value)
    }

    pub fn not_implemented(what: &str) -> Self {
        Self::because(Code::NotImplemented, format!("mlemu does not implement {what}"))
    }
}

impl From<Code> for Fault {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl From<objects::Fault> for Fault {
    fn from(fault: objects::Fault) -> Self {
        use objects::Fault as Core;
        match fault {
            Core::NoBucket { name } => Fault::new(Code::NoSuchBucket).with("BucketName", name),
            Core::BucketExists { name } => Fault::new(Code::BucketAlreadyOwnedByYou).with("BucketName", name),
            Core::BucketNotEmpty { name } => Fault::new(Code::BucketNotEmpty).with("BucketName", name),
            Core::NoObject { key } => Fault::new(Code::NoSuchKey).with("Key", key),
            Core::NoVersion { key } => Fault::new(Code::NoSuchVersion).with("Key", key),
            Core::NoUpload { id } => Fault::new(Code::NoSuchUpload).with("UploadId", id),
            Core::TooLarge { limit } => {
                Fault::new(Code::EntityTooLarge).with("MaxSizeAllowed", limit.to_string())
            }
            Core::Stale => Fault::new(Code::OperationAborted),
            Core::Disk { .. } => {
                tracing::error!("object store: {fault}");
                Fault::because(Code::InternalError, fault.to_string())
            }
        }
    }
}
