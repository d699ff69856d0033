//! Access control lists of buckets and of objects, read and replaced.

use crate::s3::acl::{self, Acl};
use crate::s3::call::Call;
use crate::s3::encode::{self, Answer};
use crate::s3::fault::{Code, Fault};
use crate::s3::{Front, payload, versions};
use axum::body::Body;
use http::StatusCode;
use mlemu_core::occurrence::Described;

pub(in crate::s3) fn of_bucket(front: &Front, call: &Call) -> Answer {
    let bucket = front.objects().bucket(&call.bucket_id())?;
    let acl = Acl::kept(&bucket.documents, &acl::owner_of_bucket(&bucket));
    Ok(encode::document_of(StatusCode::OK, acl.document()))
}

pub(in crate::s3) fn of_object(front: &Front, call: &Call) -> Answer {
    let bucket = front.objects().bucket(&call.bucket_id())?;
    let object = versions::wanted(front, call)?;
    let documents = &object.attributes.documents;
    let acl = Acl::kept(documents, &acl::owner_of_object(documents, &bucket));
    let mut response = encode::document_of(StatusCode::OK, acl.document());
    versions::tell(front, response.headers_mut(), &bucket.id, object.version);
    Ok(response)
}

/// The list of a request: in its headers, or else in its body.
async fn asked(front: &Front, call: &Call, body: Body, owner: &str, bucket: &str) -> Result<Acl, Fault> {
    let in_headers = Acl::of_headers(&call.headers, owner, bucket)?;
    let document = payload::document(front, call, body).await?;
    match (in_headers, document.is_empty()) {
        (Some(acl), true) => Ok(acl),
        (Some(_), false) => Err(Code::UnexpectedContent.into()),
        (None, true) => {
            let message = "Your request was missing a required header: x-amz-acl";
            Err(Fault::because(Code::MissingSecurityHeader, message))
        }
        (None, false) => Acl::of_document(&document, owner),
    }
}

pub(in crate::s3) async fn put_of_bucket(front: &Front, call: &Call, body: Body) -> Answer {
    let bucket = front.objects().bucket(&call.bucket_id())?;
    let owner = acl::owner_of_bucket(&bucket);
    let acl = asked(front, call, body, &owner, &owner).await?;
    acl::check(&bucket, &acl)?;
    front.objects().set_document(&bucket.id, acl::DOCUMENT, Some(acl.document().into()))?;
    Ok(encode::empty(StatusCode::OK))
}

pub(in crate::s3) async fn put_of_object(front: &Front, call: &Call, body: Body) -> Answer {
    let bucket = front.objects().bucket(&call.bucket_id())?;
    let object = versions::wanted(front, call)?;
    let owner = acl::owner_of_object(&object.attributes.documents, &bucket);
    let acl = asked(front, call, body, &owner, &acl::owner_of_bucket(&bucket)).await?;
    acl::check(&bucket, &acl)?;
    let how = Some(Described::Permitted);
    let object = front.objects().describe_version(&bucket.id, &object, how, call.origin(), |attributes| {
        attributes.documents.insert(acl::DOCUMENT.into(), acl.document().into());
        Ok::<_, Fault>(())
    })?;
    let mut response = encode::empty(StatusCode::OK);
    versions::tell(front, response.headers_mut(), &bucket.id, object.version);
    Ok(response)
}
