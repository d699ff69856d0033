//! The errors of Blob and Queue Storage.
//!
//! Source: Azure Storage documentation, "Blob Storage error codes", "Queue Storage error codes" and "Common REST API
//! error codes".

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use mlemu_core::Timestamp;
use mlemu_engine::objects::Fault as Objects;
use mlemu_engine::queues::Fault as Queues;

/// A documented error: its status, its name and its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    pub status: u16,
    pub name: &'static str,
    message: &'static str,
}

macro_rules! codes {
    ($($name:ident: $status:literal, $message:literal;)*) => {
        /// One for each documented error that is answered here.
        pub(crate) mod code {
            use super::Code;
            $(#[expect(non_upper_case_globals, reason = "the vendor's spelling")]
            pub(crate) const $name: Code = Code { status: $status, name: stringify!($name), message: $message };)*
        }
    };
}

codes! {
    AppendPositionConditionNotMet: 412, "The append position condition specified was not met.";
    AuthenticationFailed: 403, "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.";
    AuthorizationPermissionMismatch: 403, "This request is not authorized to perform this operation using this permission.";
    AuthorizationProtocolMismatch: 403, "This request is not authorized to perform this operation using this protocol.";
    AuthorizationResourceTypeMismatch: 403, "This request is not authorized to perform this operation using this resource type.";
    AuthorizationServiceMismatch: 403, "This request is not authorized to perform this operation using this service.";
    AuthorizationSourceIPMismatch: 403, "This request is not authorized to perform this operation using this source IP.";
    BlobAlreadyExists: 409, "The specified blob already exists.";
    BlobArchived: 409, "This operation is not permitted on an archived blob.";
    BlobIsSealed: 409, "The specified blob is sealed and its contents can't be modified unless the blob is re-created after a delete operation.";
    BlobNotFound: 404, "The specified blob does not exist.";
    BlockCountExceedsLimit: 409, "The committed block count cannot exceed the maximum limit of 50,000 blocks.";
    BlockListTooLong: 400, "The block list may not contain more than 50,000 blocks.";
    CannotVerifyCopySource: 404, "The specified resource does not exist.";
    ConditionNotMet: 412, "The condition specified using HTTP conditional header(s) is not met.";
    ContainerAlreadyExists: 409, "The specified container already exists.";
    ContainerNotFound: 404, "The specified container does not exist.";
    CorsPreflightFailure: 403, "CORS not enabled or no matching rule found for this request.";
    Crc64Mismatch: 400, "The CRC64 value specified in the request did not match with the CRC64 value calculated by the server.";
    EmptyMetadataKey: 400, "The key for one of the metadata key-value pairs is empty.";
    InternalError: 500, "The server encountered an internal error. Please retry the request.";
    InvalidAuthenticationInfo: 400, "Authentication information is not given in the correct format. Check the value of Authorization header.";
    InvalidBlobOrBlock: 400, "The specified blob or block content is invalid.";
    InvalidBlobType: 409, "The blob type is invalid for this operation.";
    InvalidBlockId: 400, "The specified block ID is invalid. The block ID must be Base64-encoded.";
    InvalidBlockList: 400, "The specified block list is invalid.";
    InvalidHeaderValue: 400, "The value for one of the HTTP headers is not in the correct format.";
    InvalidInput: 400, "One of the request inputs is not valid.";
    InvalidMd5: 400, "The MD5 value specified in the request is invalid. MD5 value must be 128 bits and base64 encoded.";
    InvalidMetadata: 400, "The specified metadata is invalid. It includes characters that are not permitted.";
    InvalidPageRange: 416, "The page range specified is invalid.";
    InvalidQueryParameterValue: 400, "Value for one of the query parameters specified in the request URI is invalid.";
    InvalidRange: 416, "The range specified is invalid for the current size of the resource.";
    InvalidResourceName: 400, "The specified resource name contains invalid characters.";
    InvalidUri: 400, "The requested URI does not represent any resource on the server.";
    InvalidXmlDocument: 400, "XML specified is not syntactically valid.";
    InvalidXmlNodeValue: 400, "The value for one of the XML nodes is not in the correct format.";
    LeaseAlreadyPresent: 409, "There is already a lease present.";
    LeaseIdMismatchWithBlobOperation: 412, "The lease ID specified did not match the lease ID for the blob.";
    LeaseIdMismatchWithContainerOperation: 412, "The lease ID specified did not match the lease ID for the container.";
    LeaseIdMismatchWithLeaseOperation: 409, "The lease ID specified did not match the lease ID for the blob/container.";
    LeaseIdMissing: 412, "There is currently a lease on the resource and no lease ID was specified in the request.";
    LeaseIsBreakingAndCannotBeAcquired: 409, "The lease ID matched, but the lease is currently in breaking state and cannot be acquired until it is broken.";
    LeaseIsBreakingAndCannotBeChanged: 409, "The lease ID matched, but the lease is currently in breaking state and cannot be changed.";
    LeaseIsBrokenAndCannotBeRenewed: 409, "The lease ID matched, but the lease has been broken explicitly and cannot be renewed.";
    LeaseLost: 412, "A lease ID was specified, but the lease for the resource has expired.";
    LeaseNotPresentWithBlobOperation: 412, "There is currently no lease on the blob.";
    LeaseNotPresentWithContainerOperation: 412, "There is currently no lease on the container.";
    LeaseNotPresentWithLeaseOperation: 409, "There is currently no lease on the resource.";
    MaxBlobSizeConditionNotMet: 412, "The max blob size condition specified was not met.";
    Md5Mismatch: 400, "The MD5 value specified in the request did not match with the MD5 value calculated by the server.";
    MessageNotFound: 404, "The specified message does not exist.";
    MessageTooLarge: 400, "The message exceeds the maximum allowed size.";
    MetadataTooLarge: 400, "The size of the specified metadata exceeds the maximum size permitted.";
    MissingRequiredHeader: 400, "An HTTP header that's mandatory for this request is not specified.";
    MissingRequiredQueryParameter: 400, "A query parameter that's mandatory for this request is not specified.";
    NoAuthenticationInformation: 401, "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.";
    NoPendingCopyOperation: 409, "There is currently no pending copy operation.";
    NotImplemented: 501, "mlemu does not have this operation of Azure Storage.";
    OperationTimedOut: 500, "The operation could not be completed within the permitted time.";
    OutOfRangeInput: 400, "The specified resource name length is not within the permissible limits.";
    OutOfRangeQueryParameterValue: 400, "One of the query parameters specified in the request URI is outside the permissible range.";
    PopReceiptMismatch: 400, "The specified pop receipt did not match the pop receipt for a dequeued message.";
    QueueAlreadyExists: 409, "The specified queue already exists.";
    QueueNotFound: 404, "The specified queue does not exist.";
    RequestBodyTooLarge: 413, "The request body is too large and exceeds the maximum permissible limit.";
    ResourceNotFound: 404, "The specified resource does not exist.";
    SequenceNumberConditionNotMet: 412, "The sequence number condition specified was not met.";
    SequenceNumberIncrementTooLarge: 409, "The sequence number increment cannot be performed because it would result in overflow of the sequence number.";
    ServerBusy: 503, "The server is currently unable to receive requests. Please retry your request.";
    SnapshotsPresent: 409, "This operation is not permitted because the blob has snapshots.";
    UnauthorizedBlobOverwrite: 403, "This request is not authorized to perform blob overwrites.";
    UnsupportedHeader: 400, "One of the HTTP headers specified in the request is not supported.";
    UnsupportedHttpVerb: 405, "The resource doesn't support specified Http Verb.";
}

/// An error as it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub code: Code,
    /// The status, where it is another one here than the code's.
    pub status: u16,
    /// What else there is to say: elements of the document.
    details: Vec<(&'static str, String)>,
}

impl From<Code> for Fault {
    fn from(code: Code) -> Self {
        Self { code, status: code.status, details: Vec::new() }
    }
}

impl From<Objects> for Fault {
    fn from(fault: Objects) -> Self {
        Self::from(match fault {
            Objects::NoBucket { .. } => code::ContainerNotFound,
            Objects::BucketExists { .. } => code::ContainerAlreadyExists,
            Objects::NoObject { .. } | Objects::NoVersion { .. } => code::BlobNotFound,
            Objects::NoUpload { .. } => code::InvalidBlockList,
            Objects::TooLarge { .. } => code::RequestBodyTooLarge,
            Objects::Stale => code::ServerBusy,
            Objects::BucketNotEmpty { .. } | Objects::Disk { .. } => code::InternalError,
        })
    }
}

impl From<Queues> for Fault {
    fn from(fault: Queues) -> Self {
        Self::from(match fault {
            Queues::NoTopic { .. } | Queues::NoSubscription { .. } => code::QueueNotFound,
            Queues::TopicExists { .. } | Queues::SubscriptionExists { .. } => code::QueueAlreadyExists,
            Queues::TooManyLeased { .. } => code::ServerBusy,
            Queues::Stale => code::MessageNotFound,
        })
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.name, self.code.message)
    }
}

impl Fault {
    /// A header with this value is refused.
    pub fn header(name: &str, value: &str) -> Self {
        Self::from(code::InvalidHeaderValue).with("HeaderName", name).with("HeaderValue", value)
    }

    /// A query parameter with this value is refused.
    pub fn parameter(name: &str, value: &str) -> Self {
        Self::from(code::InvalidQueryParameterValue)
            .with("QueryParameterName", name)
            .with("QueryParameterValue", value)
    }

    /// A header that has to be there is not.
    pub fn missing(name: &str) -> Self {
        Self::from(code::MissingRequiredHeader).with("HeaderName", name)
    }

    /// The request is not who it says; the reason is for people.
    pub fn unauthenticated(why: &str) -> Self {
        Self::from(code::AuthenticationFailed).with("AuthenticationErrorDetail", why)
    }

    /// What was asked for is as the client has it.
    pub fn unchanged() -> Self {
        Self { status: 304, ..Self::from(code::ConditionNotMet) }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// `request`: the id that the answer will have.
    pub fn response(&self, request: &str, now: Timestamp) -> Response {
        let (name, message) = (self.code.name, self.code.message);
        let time = jiff::Timestamp::from_microsecond(now.0).unwrap_or_default();
        let mut details = String::new();
        for (name, value) in &self.details {
            let value = quick_xml::escape::escape(printable(value));
            details.push_str(&format!("<{name}>{value}</{name}>"));
        }
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{name}</Code><Message>{message}\nRequestId:{request}\nTime:{time}</Message>{details}</Error>"
        );
        let mut response = Response::new(Body::empty());
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert("x-ms-error-code", HeaderValue::from_static(name));
        if self.status != 304 {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
            *response.body_mut() = Body::from(text);
        }
        response
    }
}

/// Without what no XML document may hold.
fn printable(text: &str) -> String {
    text.chars().filter(|one| *one >= ' ' || matches!(one, '\t' | '\n' | '\r')).take(512).collect()
}
