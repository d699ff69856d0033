//! Configurations of buckets that are checked, kept and given back.
//!
//! Some are acted on elsewhere (`cors`, `lock`, `acl`); the others have no effect here, and the table of what is
//! covered says so.

mod checks;
mod shapes;

use super::call::Call;
use super::encode::{self, Answer};
use super::fault::{Code, Fault};
use super::shape::{self, Child};
use super::tree::Element;
use super::{Front, payload};
use axum::body::Body;
use http::StatusCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Accelerate,
    Cors,
    Encryption,
    Lifecycle,
    Logging,
    ObjectLock,
    Ownership,
    Payer,
    PublicAccess,
    Tagging,
    Website,
}

/// What a bucket answers that was never told.
#[derive(Clone, Copy)]
enum Untold {
    Fault(Code),
    /// What is inside of the outermost element.
    Usual(&'static str),
}

struct Spec {
    root: &'static str,
    shape: &'static [Child],
    untold: Untold,
    /// What a successful change answers.
    status: StatusCode,
    /// What no shape can say; may put in what the client left out.
    check: fn(&mut Element) -> Result<(), Fault>,
}

impl Kind {
    /// The name under which the store keeps it.
    pub fn name(self) -> &'static str {
        self.spec().root
    }

    /// Whether something here depends on it.
    pub fn is_acted_on(self) -> bool {
        matches!(self, Kind::Cors | Kind::ObjectLock | Kind::Ownership | Kind::PublicAccess)
    }

    fn spec(self) -> Spec {
        let spec = |root, shape, untold, check| Spec { root, shape, untold, status: StatusCode::OK, check };
        let none: fn(&mut Element) -> Result<(), Fault> = |_| Ok(());
        match self {
            Kind::Accelerate => spec("AccelerateConfiguration", shapes::ACCELERATE, Untold::Usual(""), none),
            Kind::Cors => {
                let untold = Untold::Fault(Code::NoSuchCORSConfiguration);
                spec("CORSConfiguration", shapes::CORS, untold, checks::cors)
            }
            Kind::Encryption => {
                let untold = Untold::Usual(shapes::USUAL_ENCRYPTION);
                spec("ServerSideEncryptionConfiguration", shapes::ENCRYPTION, untold, none)
            }
            Kind::Lifecycle => {
                let untold = Untold::Fault(Code::NoSuchLifecycleConfiguration);
                spec("LifecycleConfiguration", shapes::LIFECYCLE, untold, checks::lifecycle)
            }
            Kind::Logging => spec("BucketLoggingStatus", shapes::LOGGING, Untold::Usual(""), none),
            Kind::ObjectLock => {
                let untold = Untold::Fault(Code::ObjectLockConfigurationNotFoundError);
                spec("ObjectLockConfiguration", shapes::OBJECT_LOCK, untold, checks::object_lock)
            }
            Kind::Ownership => {
                let untold = Untold::Usual(shapes::USUAL_OWNERSHIP);
                spec("OwnershipControls", shapes::OWNERSHIP, untold, none)
            }
            Kind::Payer => {
                let untold = Untold::Usual("<Payer>BucketOwner</Payer>");
                spec("RequestPaymentConfiguration", shapes::PAYER, untold, none)
            }
            Kind::PublicAccess => {
                let untold = Untold::Fault(Code::NoSuchPublicAccessBlockConfiguration);
                spec("PublicAccessBlockConfiguration", shapes::PUBLIC_ACCESS, untold, none)
            }
            Kind::Tagging => Spec {
                status: StatusCode::NO_CONTENT,
                ..spec("Tagging", shapes::TAGGING, Untold::Fault(Code::NoSuchTagSet), checks::tags)
            },
            Kind::Website => {
                let untold = Untold::Fault(Code::NoSuchWebsiteConfiguration);
                spec("WebsiteConfiguration", shapes::WEBSITE, untold, checks::website)
            }
        }
    }
}

/// Reads a document of this kind and checks it.
pub(super) fn read(kind: Kind, body: &[u8]) -> Result<Element, Fault> {
    checked(kind, Element::parse(kind.name(), body)?)
}

pub(super) fn checked(kind: Kind, mut element: Element) -> Result<Element, Fault> {
    let spec = kind.spec();
    shape::check(&element, spec.shape)?;
    (spec.check)(&mut element)?;
    Ok(element)
}

pub(super) fn get(front: &Front, call: &Call, kind: Kind) -> Answer {
    let bucket = front.objects().bucket(&call.bucket_id())?;
    if let Some(document) = bucket.document(kind.name()) {
        return Ok(encode::document_of(StatusCode::OK, document.to_string()));
    }
    match kind.spec().untold {
        Untold::Fault(code) => Err(Fault::new(code).with("BucketName", &call.bucket)),
        Untold::Usual(inside) => {
            let root = kind.name();
            let text = format!(
                "{}<{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{inside}</{root}>",
                encode::DECLARATION
            );
            Ok(encode::document_of(StatusCode::OK, text))
        }
    }
}

pub(super) async fn put(front: &Front, call: &Call, kind: Kind, body: Body) -> Answer {
    let bucket = call.bucket_id();
    let view = front.objects().bucket(&bucket)?;
    let element = read(kind, &payload::document(front, call, body).await?)?;
    if kind == Kind::ObjectLock {
        super::lock::check_bucket(&view)?;
    }
    front.objects().set_document(&bucket, kind.name(), Some(element.document().into()))?;
    Ok(encode::empty(kind.spec().status))
}

pub(super) fn delete(front: &Front, call: &Call, kind: Kind) -> Answer {
    front.objects().set_document(&call.bucket_id(), kind.name(), None)?;
    Ok(encode::empty(StatusCode::NO_CONTENT))
}
