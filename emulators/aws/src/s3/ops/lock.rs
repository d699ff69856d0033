//! Retention and legal hold of single versions.

use crate::s3::call::Call;
use crate::s3::encode::{self, Answer};
use crate::s3::fault::{Code, Fault};
use crate::s3::lock::{self, Mode, Retention};
use crate::s3::shape::{self, Content, maybe, once};
use crate::s3::tree::Element;
use crate::s3::{Front, dates, payload, versions};
use axum::body::Body;
use http::{Response, StatusCode};
use mlemu_core::occurrence::Described;

fn none() -> Fault {
    Code::NoSuchObjectLockConfiguration.into()
}

fn answered(root: &Element) -> Response<Body> {
    encode::document_of(StatusCode::OK, root.document())
}

pub(in crate::s3) fn retention(front: &Front, call: &Call) -> Answer {
    lock::check_locked(&front.objects().bucket(&call.bucket_id())?)?;
    let object = versions::wanted(front, call)?;
    let retention = Retention::of(&object.attributes).ok_or_else(none)?;
    Ok(answered(&Element::branch(
        "Retention",
        vec![
            Element::leaf("Mode", retention.mode.text()),
            Element::leaf("RetainUntilDate", dates::iso(retention.until)),
        ],
    )))
}

pub(in crate::s3) async fn retain(front: &Front, call: &Call, body: Body) -> Answer {
    let bucket = call.bucket_id();
    let view = front.objects().bucket(&bucket)?;
    lock::check_locked(&view)?;
    let object = versions::wanted(front, call)?;
    let wanted = Element::parse("Retention", &payload::document(front, call, body).await?)?;
    let modes = Content::Word(&["GOVERNANCE", "COMPLIANCE"]);
    shape::check(&wanted, &[maybe("Mode", modes), maybe("RetainUntilDate", Content::Text)])?;
    let now = front.parts.clock.now();
    let next = match (wanted.text_of("Mode"), wanted.text_of("RetainUntilDate")) {
        (None, None) => None,
        (Some(mode), Some(until)) => {
            let until = dates::of_iso(until).ok_or(Code::MalformedXML)?;
            if until <= now {
                let message = "The retain until date must be in the future!";
                return Err(Fault::argument("RetainUntilDate", &dates::iso(until), message));
            }
            Some(Retention { mode: Mode::read(mode).ok_or(Code::MalformedXML)?, until })
        }
        _ => return Err(Code::MalformedXML.into()),
    };
    let bypass = lock::bypass(&view, call)?;
    let how = Some(Described::Retained);
    front.objects().describe_version(&bucket, &object, how, call.origin(), |attributes| {
        lock::retain(attributes, next, bypass, now)
    })?;
    Ok(encode::empty(StatusCode::OK))
}

pub(in crate::s3) fn hold(front: &Front, call: &Call) -> Answer {
    lock::check_locked(&front.objects().bucket(&call.bucket_id())?)?;
    let object = versions::wanted(front, call)?;
    let status = object.attributes.headers.get(lock::HOLD).ok_or_else(none)?;
    Ok(answered(&Element::branch("LegalHold", vec![Element::leaf("Status", status)])))
}

pub(in crate::s3) async fn put_hold(front: &Front, call: &Call, body: Body) -> Answer {
    let bucket = call.bucket_id();
    lock::check_locked(&front.objects().bucket(&bucket)?)?;
    let object = versions::wanted(front, call)?;
    let wanted = Element::parse("LegalHold", &payload::document(front, call, body).await?)?;
    shape::check(&wanted, &[once("Status", Content::Word(&["ON", "OFF"]))])?;
    let status = wanted.text_of("Status").unwrap_or_default().to_owned();
    front.objects().describe_version(&bucket, &object, None, call.origin(), |attributes| {
        attributes.headers.insert(lock::HOLD, status);
        Ok::<_, Fault>(())
    })?;
    Ok(encode::empty(StatusCode::OK))
}
