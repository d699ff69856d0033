//! The XML API: what signed URLs and forms lead to, at `/BUCKET/OBJECT`.
//!
//! Source: Cloud Storage, "XML API overview" and its reference.

mod form;
mod headers;
mod list;
mod parts;

use super::call::Call;
use super::conditions::Conditions;
use super::fault::{Fault, nothing, xml};
use super::ops::{buckets, upload::Progress};
use super::routes::Name;
use super::signing::{self, Keys};
use super::{Storage, body};
use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use mlemu_core::occurrence::Created;
use mlemu_engine::objects::{Content, NewObject, Object};
use percent_encoding::percent_decode_str;

/// What a client may ask to be answered instead of what was said of the object.
const OVERRIDES: [(&str, HeaderName); 2] = [
    ("response-content-type", header::CONTENT_TYPE),
    ("response-content-disposition", header::CONTENT_DISPOSITION),
];

/// The bucket and the object that a path names; the object is empty where it names none.
fn address(path: &str) -> Option<(String, String)> {
    let (bucket, object) = path.strip_prefix('/')?.split_once('/').unwrap_or((&path[1..], ""));
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(Into::into);
    Some((decoded(bucket)?, decoded(object)?)).filter(|(bucket, _): &(String, String)| !bucket.is_empty())
}

impl Storage {
    /// Whether a request that no other API knows is of the XML API: it is signed, for a bucket that there is, or for an
    /// object of one that there could be.
    pub fn claims_xml(&self, parts: &Parts) -> bool {
        let signed = |name: &&str| parts.uri.query().is_some_and(|query| query.contains(name));
        if ["X-Goog-Signature=", "X-Goog-Algorithm=", "GoogleAccessId="].iter().any(signed) {
            return true;
        }
        let Some((bucket, object)) = address(parts.uri.path()) else { return false };
        let next = object.split('/').next().unwrap_or_default();
        let is_version =
            next.strip_prefix('v').is_some_and(|rest| rest.starts_with(|one: char| one.is_ascii_digit()));
        // `/PROJECT/REGION/NAME` is a function, `/compute/v1/...` an API that is not here.
        let is_other = next == self.place.region() || is_version;
        let could_be = buckets::is_name(&bucket) && !object.is_empty() && !is_other;
        could_be || self.must_exist(&bucket).is_ok()
    }

    pub async fn handle_xml(&self, request: http::Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let body = body::patient(body, &parts.headers);
        let answered = self.answer_xml(&parts, body).await;
        answered.unwrap_or_else(|fault| fault.xml())
    }

    async fn answer_xml(&self, parts: &Parts, body: Body) -> Result<Response, Fault> {
        let call = Call::read(parts, self.place.prefix(), self.objects.ids().fresh("request"))?;
        let unreadable = || Fault::invalid("The path cannot be read.");
        let (bucket, object) = address(parts.uri.path()).ok_or_else(unreadable)?;
        super::wire::check_name(&object)?;
        let name = Name { bucket, object };
        let is_form = call.header("content-type").is_some_and(|kind| kind.starts_with("multipart/form-data"));
        if parts.method == Method::POST && name.object.is_empty() && is_form {
            return self.form(&call, &name.bucket, body).await;
        }
        self.admit(parts, &call)?;
        if name.object.is_empty() {
            self.of_bucket(parts, &call, &name.bucket)
        } else {
            self.of_object(parts, &call, &name, body).await
        }
    }

    /// A signature must hold; without one, nobody may be strict. Who knows the id of an upload was admitted at its beginning.
    fn admit(&self, parts: &Parts, call: &Call) -> Result<(), Fault> {
        let path = format!("{}{}", self.place.prefix(), parts.uri.path());
        let is_signed = self.with_keys(|keys| signing::check(parts, &path, self.clock.now(), keys))?;
        if is_signed || !self.strict || call.parameter("upload_id").is_some() {
            return Ok(());
        }
        let message = "Anonymous caller does not have access to the Google Cloud Storage object.";
        Err(Fault::coded(StatusCode::FORBIDDEN, "AccessDenied", "Access denied.").because(message))
    }

    fn with_keys<T>(&self, done: impl FnOnce(&Keys<'_>) -> T) -> T {
        let hmac =
            |id: &str| self.keys.lock().get(id).filter(|key| key.is_active()).map(|key| key.secret.clone());
        done(&Keys { account: self.account.as_ref(), hmac: &hmac, strict: self.strict })
    }

    fn of_bucket(&self, parts: &Parts, call: &Call, bucket: &str) -> Result<Response, Fault> {
        match parts.method {
            Method::GET => self.list_xml(call, bucket),
            Method::HEAD => {
                self.must_exist(bucket).map(|()| Response::new(Body::empty())).map_err(Fault::from)
            }
            Method::DELETE => self.delete_bucket(call, bucket),
            _ => Err(self.unsupported(&format!("{} of a bucket in the XML API", parts.method))),
        }
    }

    async fn of_object(
        &self,
        parts: &Parts,
        call: &Call,
        name: &Name,
        body: Body,
    ) -> Result<Response, Fault> {
        let has = |parameter: &str| call.parameter(parameter).is_some();
        match parts.method {
            _ if has("uploads") || has("uploadId") => self.in_parts(parts, call, name, body).await,
            Method::PUT if has("upload_id") => match self.resume(call, body).await? {
                Progress::Open(answer) => Ok(answer),
                Progress::Done { object, .. } => Ok(made(&object)),
            },
            Method::DELETE if has("upload_id") => self.cancel(call),
            _ if has("acl") => Err(self.unsupported("access lists in the XML API")),
            Method::GET | Method::HEAD => self.download(call, name),
            Method::PUT => self.put(call, name, body).await,
            Method::POST if call.header("x-goog-resumable").is_some() => self.begin_xml(call, name),
            Method::DELETE => self.remove(call, name, &conditions(call)?),
            _ => Err(self.unsupported(&format!("{} of an object in the XML API", parts.method))),
        }
    }

    fn download(&self, call: &Call, name: &Name) -> Result<Response, Fault> {
        let conditions = conditions(call)?;
        let found = self.look(name, &conditions)?;
        conditions.check_read(&found.object)?;
        let mut response = super::ops::download::answer(call, &found.object)?;
        for (parameter, header) in OVERRIDES {
            let wanted = call.parameter(parameter).and_then(|text| HeaderValue::from_str(text).ok());
            wanted.map(|wanted| response.headers_mut().insert(header, wanted));
        }
        headers::custom(&found.object, response.headers_mut());
        Ok(response)
    }

    async fn put(&self, call: &Call, name: &Name, body: Body) -> Result<Response, Fault> {
        self.must_exist(&name.bucket)?;
        if let Some(source) = call.header("x-goog-copy-source") {
            return self.copy_xml(call, source, name);
        }
        let content = self.receive(body).await?;
        self.keep(call, name, content, Created::Put).map(|object| made(&object))
    }

    /// Commits what has come as the headers of the request describe it.
    fn keep(
        &self,
        call: &Call,
        name: &Name,
        content: Content,
        how: Created,
    ) -> Result<std::sync::Arc<Object>, Fault> {
        let metadata = headers::said(self, call, &name.bucket)?;
        metadata.verify(&content)?;
        let (key, attributes) = (name.object.as_str().into(), metadata.attributes);
        let new = NewObject { key, content, attributes, how, origin: call.origin() };
        self.commit(&name.bucket, new, &conditions(call)?)
    }

    fn copy_xml(&self, call: &Call, source: &str, to: &Name) -> Result<Response, Fault> {
        let source = format!("/{}", source.trim_start_matches('/'));
        let (bucket, object) =
            address(&source).ok_or_else(|| Fault::invalid("x-goog-copy-source names no object"))?;
        let generation = call.header("x-goog-copy-source-generation").and_then(|text| text.parse().ok());
        let from = self.find(&Name { bucket, object }, &Conditions::default().of_generation(generation))?;
        let new = NewObject {
            key: to.object.as_str().into(),
            content: from.content.clone(),
            attributes: super::wire::said(&from.attributes),
            how: Created::Copy,
            origin: call.origin(),
        };
        let copied = self.commit(&to.bucket, new, &conditions(call)?)?;
        let document = format!(
            "<?xml version='1.0' encoding='UTF-8'?><CopyObjectResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'><LastModified>{}</LastModified><ETag>\"{}\"</ETag></CopyObjectResult>",
            super::wire::time(copied.created),
            copied.content.etag
        );
        Ok(xml(StatusCode::OK, document))
    }

    /// A resumable upload: goes on at a URL that needs no signature.
    fn begin_xml(&self, call: &Call, name: &Name) -> Result<Response, Fault> {
        self.must_exist(&name.bucket)?;
        let metadata = headers::said(self, call, &name.bucket)?;
        let id = self.begin_session(&name.bucket, &name.object, metadata, conditions(call)?);
        let (bucket, object) = (super::wire::encoded(&name.bucket), super::wire::encoded(&name.object));
        let location = format!("{}/{bucket}/{object}?upload_id={id}", call.base());
        let mut response = nothing();
        *response.status_mut() = StatusCode::CREATED;
        let location = HeaderValue::from_str(&location).map_err(|_| Fault::invalid("Invalid host"))?;
        response.headers_mut().insert(header::LOCATION, location);
        Ok(response)
    }
}

/// What the headers and the query want of generations.
fn conditions(call: &Call) -> Result<Conditions, Fault> {
    let header = |name: &str| {
        let Some(text) = call.header(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Fault::invalid(format!("Invalid value for {name}: {text}")))
    };
    let read = Conditions::read(call)?;
    Ok(read.and_matching(header("x-goog-if-generation-match")?, header("x-goog-if-metageneration-match")?))
}

/// The answer to a write.
fn made(object: &Object) -> Response {
    let mut response = Response::new(Body::empty());
    for (name, value) in super::ops::download::marks(object) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(name, value);
        }
    }
    let etag = format!("\"{}\"", object.content.etag);
    HeaderValue::from_str(&etag).map(|etag| response.headers_mut().insert(header::ETAG, etag)).ok();
    response
}
