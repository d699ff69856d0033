//! Uploads: in one request, with metadata in two parts, or resumable in many.
//!
//! Source: Cloud Storage, "Uploads and downloads", "Resumable uploads".

use super::objects::Found;
use crate::storage::acl::Of;
use crate::storage::call::Call;
use crate::storage::conditions::Conditions;
use crate::storage::fault::{Fault, json};
use crate::storage::multipart::Parts;
use crate::storage::sessions::Upload;
use crate::storage::span::Span;
use crate::storage::trouble::{self, Instruction};
use crate::storage::wire::Metadata;
use crate::storage::{Storage, body, wire};
use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};
use mlemu_core::occurrence::Created;
use mlemu_engine::objects::{Content, NewObject, Object};
use serde_json::{Map, Value, json};
use std::sync::Arc;

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

/// How far a resumable upload is.
pub(in crate::storage) enum Progress {
    /// More is to come, which is said in the same way by both APIs.
    Open(Response),
    Done {
        bucket: String,
        object: Arc<Object>,
    },
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
            return self.go_on(call, body).await;
        }
        if let Some(Instruction::StatusAfter(status, _)) = call.cut {
            return Err(Fault::asked_for(status));
        }
        let (metadata, content) = match call.parameter("uploadType") {
            Some("resumable") => return self.begin(call, bucket, body).await,
            Some("multipart") => self.in_two_parts(call, bucket, body).await?,
            Some("media") => {
                let mut metadata = self.describe_new(call, bucket, Map::new())?;
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

    /// What a writer says of a new object, with the access list that it gets.
    pub(in crate::storage) fn describe_new(
        &self,
        call: &Call,
        bucket: &str,
        document: Map<String, Value>,
    ) -> Result<Metadata, Fault> {
        let mut metadata = Metadata::read(&document)?;
        let list = self.list_for(call, bucket, &Value::Object(document))?;
        metadata.attributes.documents.extend(list.map(|list| (Of::Object.document().into(), list)));
        Ok(metadata)
    }

    async fn in_two_parts(
        &self,
        call: &Call,
        bucket: &str,
        body: Body,
    ) -> Result<(Metadata, Content), Fault> {
        let malformed = || Fault::invalid("Malformed multipart body.");
        let kind = call.header("content-type").unwrap_or_default();
        let mut parts = Parts::new("multipart/related", kind, body::chunks(body))?;
        parts.next().await?.ok_or_else(malformed)?;
        let document = body::document(&parts.whole(body::DOCUMENT).await?)?;
        let mut metadata = self.describe_new(call, bucket, document)?;
        let media = parts.next().await?.ok_or_else(malformed)?;
        metadata.default_type(media.get("content-type"));
        let content = self.receive_chunks(parts.chunks()).await?;
        if parts.next().await?.is_some() {
            return Err(malformed());
        }
        Ok((metadata, content))
    }

    async fn begin(&self, call: &Call, bucket: &str, body: Body) -> Result<Response, Fault> {
        let mut metadata = self.describe_new(call, bucket, body::said(body).await?)?;
        metadata.default_type(call.header("x-upload-content-type"));
        let object = name_of(call, &metadata)?;
        let conditions = Conditions::of_target(call)?;
        let name = wire::encoded(&object);
        let id = self.begin_session(bucket, &object, metadata, conditions);
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

    /// Returns the id of a resumable upload that begins.
    pub(in crate::storage) fn begin_session(
        &self,
        bucket: &str,
        object: &str,
        metadata: Metadata,
        conditions: Conditions,
    ) -> String {
        let (bucket, object) = (bucket.to_owned(), object.to_owned());
        let upload = Upload { bucket, object, metadata, conditions, pieces: Vec::new() };
        self.sessions.begin(upload, self.objects.ids().fresh("upload"))
    }

    /// More of an upload, as the JSON API answers it.
    pub(in crate::storage) async fn go_on(&self, call: &Call, body: Body) -> Result<Response, Fault> {
        match self.resume(call, body).await? {
            Progress::Open(answer) => Ok(answer),
            Progress::Done { bucket, object } => self.stored(call, &bucket, object),
        }
    }

    /// More of an upload, its end, or the question how much has come.
    pub(in crate::storage) async fn resume(&self, call: &Call, body: Body) -> Result<Progress, Fault> {
        let id =
            call.parameter("upload_id").ok_or_else(|| Fault::required("Required parameter: upload_id"))?;
        let before = self.sessions.get(id)?;
        let span = Span::read(call.header("content-range"))?;
        let upload = match span {
            Span::Asks { .. } => before,
            Span::Whole | Span::From { .. } | Span::Rest { .. } => {
                let received = before.received();
                let start = span.start().unwrap_or(received);
                if start > received {
                    return Err(Fault::invalid(format!(
                        "Invalid request. According to the Content-Range header, the upload offset is {start} byte(s), which exceeds already uploaded size of {received} byte(s)."
                    )));
                }
                if let Some(instruction) = call.cut {
                    return self.end_early(id, &instruction, start, received, body).await.map(Progress::Open);
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
        if !span.ends(upload.received()) {
            return Ok(Progress::Open(incomplete(&upload)));
        }
        let upload = self.sessions.end(id)?;
        let content = self.joined(&upload.pieces).await?;
        let Upload { bucket, object, metadata, conditions, .. } = upload;
        let target = Target { bucket: &bucket, object: &object, conditions: &conditions, how: Created::Put };
        let object = self.commit_as(call, target, metadata, content)?;
        Ok(Progress::Done { bucket, object })
    }

    /// Keeps what a test wants to be kept of this request, and fails as it wants it.
    async fn end_early(
        &self,
        id: &str,
        instruction: &Instruction,
        start: u64,
        received: u64,
        body: Body,
    ) -> Result<Response, Fault> {
        let (end, fault) = match instruction {
            Instruction::StatusAfter(status, after) => (*after, Some(Fault::asked_for(*status))),
            Instruction::BrokenLast(after) => (received + after, None),
            _ => (received, None),
        };
        let first = body::first(body::chunks(body), end.saturating_sub(start));
        let mut piece = self.receive_chunks(first).await?;
        if start < received {
            let repeated = (received - start).min(piece.size());
            piece = self.tail(&piece, repeated).await?;
        }
        self.sessions.add(id, received, piece)?;
        fault.map_or_else(|| Ok(trouble::torn()), Err)
    }

    async fn tail(&self, piece: &Content, from: u64) -> Result<Content, Fault> {
        let rest = piece.body.slice(from..piece.size());
        self.receive(Body::from_stream(rest.stream())).await
    }

    pub(in crate::storage) fn cancel(&self, call: &Call) -> Result<Response, Fault> {
        self.sessions.end(call.parameter("upload_id").unwrap_or_default())?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::from_u16(GIVEN_UP).unwrap_or(StatusCode::NO_CONTENT);
        Ok(response)
    }

    /// Commits what has come, if it is what was promised and the conditions hold; as the JSON API answers it.
    pub(in crate::storage) fn store(
        &self,
        call: &Call,
        target: Target<'_>,
        metadata: Metadata,
        content: Content,
    ) -> Result<Response, Fault> {
        let bucket = target.bucket;
        let object = self.commit_as(call, target, metadata, content)?;
        self.stored(call, bucket, object)
    }

    fn commit_as(
        &self,
        call: &Call,
        target: Target<'_>,
        metadata: Metadata,
        content: Content,
    ) -> Result<Arc<Object>, Fault> {
        metadata.verify(&content)?;
        let new = NewObject {
            key: target.object.into(),
            content,
            attributes: metadata.attributes,
            how: target.how,
            origin: call.origin(),
        };
        self.commit(target.bucket, new, target.conditions)
    }

    fn stored(&self, call: &Call, bucket: &str, object: Arc<Object>) -> Result<Response, Fault> {
        let mut response = self.answer_with(call, bucket, &Found { object, hidden: None })?;
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
    wire::check_name(&name)?;
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
