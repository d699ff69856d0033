//! Uploads: in one request, with metadata in two parts, or resumable in many.
//!
//! Source: Cloud Storage, "Uploads and downloads", "Resumable uploads".

use crate::storage::call::Call;
use crate::storage::conditions::Conditions;
use crate::storage::fault::{Fault, json};
use crate::storage::sessions::Upload;
use crate::storage::wire::Metadata;
use crate::storage::{Storage, body, multipart, wire};
use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};
use mlemu_core::occurrence::Created;
use mlemu_engine::objects::{Content, NewObject};
use serde_json::json;

/// What the vendor answers while more of an upload is to come.
const INCOMPLETE: StatusCode = StatusCode::PERMANENT_REDIRECT;
/// What the vendor answers to one who gives up: 499, a number without a name.
const GIVEN_UP: u16 = 499;

/// Where a write goes and what it must find there.
pub(in crate::storage) struct Target<'a> {
    pub bucket: &'a str,
    pub object: &'a str,
    pub conditions: &'a Conditions,
    pub how: Created,
}

impl Storage {
    pub(in crate::storage) async fn upload(
        &self,
        call: &Call,
        bucket: &str,
        body: Body,
    ) -> Result<Response, Fault> {
        self.must_exist(bucket)?;
        if call.parameter("upload_id").is_some() {
            return self.resume(call, bucket, body).await;
        }
        let (metadata, content) = match call.parameter("uploadType") {
            Some("resumable") => return self.begin(call, bucket, body).await,
            Some("multipart") => {
                let bytes = body::whole(body).await?;
                let related = multipart::read(call.header("content-type").unwrap_or_default(), &bytes)?;
                let mut metadata = Metadata::read(&body::document(&related.metadata)?)?;
                metadata.default_type(related.content_type.as_deref());
                (metadata, self.receive_bytes(related.media).await?)
            }
            Some("media") => {
                let mut metadata = Metadata::default();
                metadata.default_type(call.header("content-type"));
                if let Some(encoding) = call.parameter("contentEncoding") {
                    metadata.attributes.headers.insert("contentEncoding", encoding.to_owned());
                }
                (metadata, self.receive(body).await?)
            }
            _ => {
                return Err(Fault::invalid(
                    "Upload requests must have an uploadType of media, multipart or resumable.",
                ));
            }
        };
        let name = name_of(call, &metadata)?;
        let conditions = Conditions::of_target(call)?;
        let target = Target { bucket, object: &name, conditions: &conditions, how: Created::Post };
        self.store(call, target, metadata, content)
    }

    async fn begin(&self, call: &Call, bucket: &str, body: Body) -> Result<Response, Fault> {
        let mut metadata = Metadata::read(&body::said(body).await?)?;
        metadata.default_type(call.header("x-upload-content-type"));
        let object = name_of(call, &metadata)?;
        let conditions = Conditions::of_target(call)?;
        let name = wire::encoded(&object);
        let upload = Upload { bucket: bucket.to_owned(), object, metadata, conditions, pieces: Vec::new() };
        let id = self.sessions.begin(upload, self.objects.ids().fresh("upload"));
        let location = format!(
            "{}/upload/storage/v1/b/{}/o?uploadType=resumable&name={name}&upload_id={id}",
            call.base(),
            wire::encoded(bucket),
        );
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        for (name, value) in [(header::LOCATION, location), (UPLOADER, id)] {
            headers.insert(name, HeaderValue::from_str(&value).map_err(|_| Fault::invalid("Invalid host"))?);
        }
        Ok(response)
    }

    /// More of an upload, its end, or the question how much has come.
    pub(in crate::storage) async fn resume(
        &self,
        call: &Call,
        _bucket: &str,
        body: Body,
    ) -> Result<Response, Fault> {
        let id =
            call.parameter("upload_id").ok_or_else(|| Fault::required("Required parameter: upload_id"))?;
        let before = self.sessions.get(id)?;
        let span = Span::read(call.header("content-range"))?;
        let upload = match span {
            Span::Asks { .. } => before,
            Span::Whole | Span::From { .. } => {
                let received = before.received();
                let start = if let Span::From { start, .. } = span { start } else { received };
                if start > received {
                    return Err(Fault::invalid(format!(
                        "Invalid request. According to the Content-Range header, the upload offset is {start} byte(s), which exceeds already uploaded size of {received} byte(s)."
                    )));
                }
                let mut piece = self.receive(body).await?;
                span.agrees(piece.size())?;
                if start < received {
                    // A client that did not hear our last answer repeats itself.
                    let repeated = (received - start).min(piece.size());
                    piece = self.tail(&piece, repeated).await?;
                }
                self.sessions.add(id, received, piece)?
            }
        };
        match span.total() {
            Some(total) if total != upload.received() => Ok(incomplete(&upload)),
            None if !matches!(span, Span::Whole) => Ok(incomplete(&upload)),
            _ => self.finish(call, id).await,
        }
    }

    async fn tail(&self, piece: &Content, from: u64) -> Result<Content, Fault> {
        let rest = piece.body.slice(from..piece.size());
        self.receive(Body::from_stream(rest.stream())).await
    }

    async fn finish(&self, call: &Call, id: &str) -> Result<Response, Fault> {
        let upload = self.sessions.end(id)?;
        let content = self.joined(&upload.pieces).await?;
        let Upload { bucket, object, metadata, conditions, .. } = upload;
        let target = Target { bucket: &bucket, object: &object, conditions: &conditions, how: Created::Put };
        self.store(call, target, metadata, content)
    }

    pub(in crate::storage) fn cancel(&self, call: &Call) -> Result<Response, Fault> {
        self.sessions.end(call.parameter("upload_id").unwrap_or_default())?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::from_u16(GIVEN_UP).unwrap_or(StatusCode::NO_CONTENT);
        Ok(response)
    }

    /// Commits what has come, if it is what was promised and the conditions hold.
    pub(in crate::storage) fn store(
        &self,
        call: &Call,
        target: Target<'_>,
        metadata: Metadata,
        content: Content,
    ) -> Result<Response, Fault> {
        metadata.verify(&content)?;
        let new = NewObject {
            key: target.object.into(),
            content,
            attributes: metadata.attributes,
            how: target.how,
            origin: call.origin(),
        };
        let bucket = self.bucket_id(target.bucket);
        let object = self.objects.put(&bucket, new, |current| target.conditions.check(current))?;
        let mut response = json(StatusCode::OK, &wire::object(target.bucket, &object, &call.base()));
        if let Ok(id) = HeaderValue::from_str(call.id()) {
            response.headers_mut().insert(UPLOADER, id);
        }
        Ok(response)
    }
}

const UPLOADER: HeaderName = HeaderName::from_static("x-guploader-uploadid");

fn name_of(call: &Call, metadata: &Metadata) -> Result<String, Fault> {
    let name = call.parameter("name").map(str::to_owned).or_else(|| metadata.name.clone());
    let name = name.filter(|name| !name.is_empty()).ok_or_else(|| Fault::required("Required"))?;
    if name.len() > 1024 || name.contains(['\r', '\n']) {
        return Err(Fault::invalid("Invalid object name."));
    }
    Ok(name)
}

fn incomplete(upload: &Upload) -> Response {
    let mut response = json(INCOMPLETE, &json!({}));
    *response.body_mut() = Body::empty();
    let received = upload.received();
    if received > 0
        && let Ok(range) = HeaderValue::from_str(&format!("bytes=0-{}", received - 1))
    {
        response.headers_mut().insert(header::RANGE, range);
    }
    response
}

/// `Content-Range` of one request of a resumable upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Span {
    /// No such header: all that is left.
    Whole,
    /// `bytes 0-9/20`, or `/*` while the total is not known.
    From { start: u64, length: u64, total: Option<u64> },
    /// `bytes */20`: how much has come?
    Asks { total: Option<u64> },
}

impl Span {
    fn read(header: Option<&str>) -> Result<Self, Fault> {
        let Some(text) = header else { return Ok(Span::Whole) };
        let malformed = || Fault::invalid(format!("Failed to parse Content-Range header: {text}"));
        let (span, total) =
            text.strip_prefix("bytes ").and_then(|rest| rest.split_once('/')).ok_or_else(malformed)?;
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| malformed());
        let total = if total.trim() == "*" { None } else { Some(number(total)?) };
        if span.trim() == "*" {
            return Ok(Span::Asks { total });
        }
        let (start, last) = span.split_once('-').ok_or_else(malformed)?;
        let (start, last) = (number(start)?, number(last)?);
        let end = last.checked_add(1).filter(|end| *end > start && total.is_none_or(|total| *end <= total));
        Ok(Span::From { start, length: end.ok_or_else(malformed)? - start, total })
    }

    fn total(self) -> Option<u64> {
        match self {
            Span::Whole => None,
            Span::From { total, .. } | Span::Asks { total } => total,
        }
    }

    /// The header must tell the truth of the body.
    fn agrees(self, size: u64) -> Result<(), Fault> {
        match self {
            Span::From { length, .. } if length != size => Err(Fault::invalid(format!(
                "The Content-Range header promises {length} bytes, there are {size}."
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn spans() {
        assert_eq!(Span::read(None), Ok(Span::Whole));
        let from = Span::From { start: 5, length: 5, total: Some(10) };
        assert_eq!(Span::read(Some("bytes 5-9/10")), Ok(from));
        assert_eq!(Span::read(Some("bytes */*")), Ok(Span::Asks { total: None }));
        assert_eq!(Span::read(Some("bytes */10")), Ok(Span::Asks { total: Some(10) }));
        for bad in [
            "",
            "bytes",
            "bytes 1-2",
            "bytes 2-1/9",
            "bytes 0-9/5",
            "bytes -/-",
            "bytes a-b/c",
            "chars 0-1/2",
            "bytes 0-18446744073709551615/*",
        ] {
            assert!(Span::read(Some(bad)).is_err(), "{bad}");
        }
    }
}
