//! Whether a bucket keeps versions.

use crate::s3::call::Call;
use crate::s3::encode::{self, Answer};
use crate::s3::fault::{Code, Fault};
use crate::s3::kept::Kind;
use crate::s3::{Front, decode, payload, wire};
use axum::body::Body;
use http::StatusCode;
use mlemu_engine::objects::Versioning;

pub(in crate::s3) fn get(front: &Front, call: &Call) -> Answer {
    let status = match front.objects().bucket(&call.bucket_id())?.versioning {
        Versioning::Off => None,
        Versioning::Enabled => Some("Enabled".to_owned()),
        Versioning::Suspended => Some("Suspended".to_owned()),
    };
    encode::xml(&wire::VersioningConfiguration { xmlns: wire::Ns, status, mfa_delete: None })
}

pub(in crate::s3) async fn put(front: &Front, call: &Call, body: Body) -> Answer {
    let bucket = call.bucket_id();
    let view = front.objects().bucket(&bucket)?;
    let document = payload::document(front, call, body).await?;
    let wanted: wire::VersioningConfiguration = decode::xml("VersioningConfiguration", &document)?;
    if wanted.mfa_delete.is_some_and(|wanted| wanted == "Enabled") {
        return Err(Fault::not_implemented("MFA delete"));
    }
    let versioning = match wanted.status.as_deref() {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        Some(_) => return Err(Code::MalformedXML.into()),
        None => {
            let message = "The Versioning element must be specified";
            return Err(Fault::because(Code::IllegalVersioningConfigurationException, message));
        }
    };
    if versioning == Versioning::Suspended && view.document(Kind::ObjectLock.name()).is_some() {
        let message = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.";
        return Err(Fault::because(Code::InvalidBucketState, message));
    }
    front.objects().set_versioning(&bucket, versioning)?;
    Ok(encode::empty(StatusCode::OK))
}
