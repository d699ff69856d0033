//! Uploads in parts, as the client libraries' transfer managers make them.
//!
//! Source: Cloud Storage, "XML API multipart uploads".

use super::{conditions, headers, made};
use crate::storage::Storage;
use crate::storage::body;
use crate::storage::call::Call;
use crate::storage::fault::{Fault, escape, nothing, xml};
use crate::storage::ops::copy::laid_end_to_end;
use crate::storage::ops::download::sums;
use crate::storage::routes::Name;
use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use mlemu_core::occurrence::Created;
use mlemu_engine::objects::{Content, NewObject, Part, PartName, UploadId};
use serde::Deserialize;
use std::fmt::Write;
use std::sync::Arc;

const MOST: u16 = 10_000;

/// What a client says is all of it.
#[derive(Deserialize)]
#[serde(rename = "CompleteMultipartUpload")]
struct Complete {
    #[serde(rename = "Part", default)]
    parts: Vec<Wanted>,
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(rename = "PartNumber")]
    number: u16,
    #[serde(rename = "ETag", default)]
    etag: String,
}

impl Storage {
    pub(super) async fn in_parts(
        &self,
        parts: &Parts,
        call: &Call,
        name: &Name,
        body: Body,
    ) -> Result<Response, Fault> {
        let bucket = self.bucket_id(&name.bucket);
        let id = call.parameter("uploadId").map(|id| UploadId(id.into()));
        match (&parts.method, id) {
            (&Method::POST, None) => {
                let attributes = headers::said(self, call, &name.bucket)?.attributes;
                let id = self.objects.begin_upload(&bucket, &name.object, attributes, None)?;
                Ok(xml(StatusCode::OK, document("InitiateMultipartUploadResult", name, "UploadId", &id.0)))
            }
            (&Method::PUT, Some(id)) => {
                let number = call.number("partNumber")?.and_then(|number| u16::try_from(number).ok());
                let number = number.filter(|number| (1..=MOST).contains(number));
                let number = number.ok_or_else(|| Fault::invalid("partNumber must be 1 to 10000."))?;
                self.objects.upload(&bucket, &name.object, &id)?;
                let content = self.receive(body).await?;
                // The headers of a part promise its checksums, and nothing else.
                headers::said(self, call, &name.bucket)?.verify(&content)?;
                let part =
                    self.objects.put_part(&bucket, &name.object, &id, PartName::from(number), content)?;
                Ok(tagged(&part.content))
            }
            (&Method::POST, Some(id)) => self.complete(call, name, &id, body).await,
            (&Method::DELETE, Some(id)) => {
                self.objects.abort_upload(&bucket, &name.object, &id)?;
                Ok(nothing())
            }
            (&Method::GET, Some(id)) => {
                let view = self.objects.upload(&bucket, &name.object, &id)?;
                let list = view.parts.iter().fold(String::new(), |mut list, part| {
                    let number = part.name.number().unwrap_or_default();
                    let (etag, size) = (&part.content.etag, part.content.size());
                    let _ = write!(
                        list,
                        "<Part><PartNumber>{number}</PartNumber><ETag>\"{etag}\"</ETag><Size>{size}</Size></Part>"
                    );
                    list
                });
                let head = document("ListPartsResult", name, "UploadId", &id.0);
                Ok(xml(
                    StatusCode::OK,
                    head.replace("</ListPartsResult>", &format!("{list}</ListPartsResult>")),
                ))
            }
            _ => Err(self.unsupported(&format!("{} of an upload in the XML API", parts.method))),
        }
    }

    async fn complete(&self, call: &Call, name: &Name, id: &UploadId, body: Body) -> Result<Response, Fault> {
        let text = body::text(body).await?;
        let wanted: Complete = quick_xml::de::from_str(&text).map_err(|_| malformed())?;
        let bucket = self.bucket_id(&name.bucket);
        let view = self.objects.upload(&bucket, &name.object, id)?;
        let found = wanted.parts.iter().map(|wanted| part(&view.parts, wanted));
        let found: Vec<Arc<Part>> = found.collect::<Result<_, _>>()?;
        if !wanted.parts.is_sorted_by(|one, other| one.number < other.number) {
            let message =
                "The list of parts was not in ascending order. Parts must be ordered by part number.";
            return Err(Fault::coded(StatusCode::BAD_REQUEST, "InvalidPartOrder", message));
        }
        let contents: Vec<&Content> = found.iter().map(|part| &part.content).collect();
        let content = laid_end_to_end(&contents).ok_or_else(malformed)?;
        let (key, attributes) = (name.object.as_str().into(), view.attributes);
        let new = NewObject { key, content, attributes, how: Created::Multipart, origin: call.origin() };
        let object = self.commit(&name.bucket, new, &conditions(call)?)?;
        self.objects.abort_upload(&bucket, &name.object, id)?;
        let text =
            document("CompleteMultipartUploadResult", name, "ETag", &format!("\"{}\"", object.content.etag));
        let mut response = made(&object);
        *response.body_mut() = Body::from(text);
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=UTF-8"));
        Ok(response)
    }
}

fn part(held: &[Arc<Part>], wanted: &Wanted) -> Result<Arc<Part>, Fault> {
    let found = held.iter().find(|part| part.name.number() == Some(wanted.number));
    let etag = wanted.etag.trim_matches('"');
    let found = found.filter(|part| etag.is_empty() || *part.content.etag == *etag);
    found.cloned().ok_or_else(|| {
        let message = "One or more of the specified parts could not be found. The part might not have been uploaded, or the specified entity tag might not have matched the part's entity tag.";
        Fault::coded(StatusCode::BAD_REQUEST, "InvalidPart", message)
    })
}

fn malformed() -> Fault {
    let message =
        "The XML you provided was not well-formed or did not validate against our published schema.";
    Fault::coded(StatusCode::BAD_REQUEST, "MalformedXML", message)
}

fn document(root: &str, name: &Name, tag: &str, text: &str) -> String {
    format!(
        "<?xml version='1.0' encoding='UTF-8'?><{root} xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><Bucket>{}</Bucket><Key>{}</Key><{tag}>{}</{tag}></{root}>",
        escape(&name.bucket),
        escape(&name.object),
        escape(text)
    )
}

fn tagged(content: &Content) -> Response {
    let mut response = Response::new(Body::empty());
    for (name, value) in [(header::ETAG, format!("\"{}\"", content.etag)), sums(content)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
