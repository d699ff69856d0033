//! One object: shown, downloaded, described anew, removed.

use crate::storage::call::Call;
use crate::storage::conditions::Conditions;
use crate::storage::fault::{Fault, json};
use crate::storage::routes::Name;
use crate::storage::{Storage, body, range, wire};
use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};
use mlemu_engine::objects::{Fault as Core, Object};
use std::ops::Range;
use std::sync::Arc;

impl Storage {
    /// The object as it is now, if it is the generation that the request names.
    pub(in crate::storage) fn find(
        &self,
        name: &Name,
        conditions: &Conditions,
    ) -> Result<Arc<Object>, Fault> {
        let missing = || Fault::no_object(&name.bucket, &name.object);
        match self.objects.get(&self.bucket_id(&name.bucket), &name.object) {
            Ok(object) if conditions.names(&object) => Ok(object),
            Ok(_) | Err(Core::NoObject { .. }) => Err(missing()),
            Err(fault) => Err(fault.into()),
        }
    }

    pub(in crate::storage) fn get(&self, call: &Call, name: &Name, media: bool) -> Result<Response, Fault> {
        let conditions = Conditions::read(call)?;
        let object = self.find(name, &conditions)?;
        conditions.check_read(&object)?;
        if media || call.parameter("alt") == Some("media") {
            return download(call, &object);
        }
        Ok(json(StatusCode::OK, &wire::object(&name.bucket, &object, &call.base())))
    }

    /// `replaces`: what is not repeated is forgotten.
    pub(in crate::storage) async fn patch(
        &self,
        call: &Call,
        name: &Name,
        replaces: bool,
        body: Body,
    ) -> Result<Response, Fault> {
        let document = body::said(body).await?;
        let conditions = Conditions::read(call)?;
        let object = self.find(name, &conditions)?;
        conditions.check(Some(&object))?;
        let mut fresh = object.attributes.clone();
        if replaces {
            fresh.metadata.clear();
            fresh.headers.retain(|key, _| !wire::PROPERTIES.iter().any(|(property, _)| property == key));
        }
        wire::describe(&mut fresh, &document)?;
        wire::touch(&mut fresh, self.clock.now());
        let bucket = self.bucket_id(&name.bucket);
        let object = self.objects.describe(&bucket, &name.object, |attributes| *attributes = fresh)?;
        Ok(json(StatusCode::OK, &wire::object(&name.bucket, &object, &call.base())))
    }

    pub(in crate::storage) fn delete(&self, call: &Call, name: &Name) -> Result<Response, Fault> {
        let conditions = Conditions::read(call)?;
        let missing = || Fault::no_object(&name.bucket, &name.object);
        let check = |current: Option<&Object>| match current {
            Some(object) if conditions.names(object) => conditions.check(Some(object)),
            _ => Err(missing()),
        };
        let bucket = self.bucket_id(&name.bucket);
        self.objects.delete(&bucket, &name.object, call.origin(), check)?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }
}

fn download(call: &Call, object: &Object) -> Result<Response, Fault> {
    let size = object.content.size();
    let range = range::read(call.header(header::RANGE.as_str()), size)?;
    let body = match &range {
        Some(range) => object.content.body.slice(range.clone()),
        None => object.content.body.clone(),
    };
    let length = body.len();
    let mut response = Response::new(match body.inline() {
        Some(bytes) => Body::from(bytes),
        None => Body::from_stream(body.stream()),
    });
    if range.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    let headers = response.headers_mut();
    for (name, value) in described(object, length, range, size) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(name, value);
        }
    }
    Ok(response)
}

/// The headers of a download.
fn described(
    object: &Object,
    length: u64,
    range: Option<Range<u64>>,
    size: u64,
) -> Vec<(HeaderName, String)> {
    let named = |name: &'static str| HeaderName::from_static(name);
    let mut headers = vec![
        (header::CONTENT_LENGTH, length.to_string()),
        (header::ACCEPT_RANGES, "bytes".into()),
        (header::ETAG, wire::etag(object)),
        (header::LAST_MODIFIED, http_date(object.created)),
        (named("x-goog-generation"), wire::generation(object).to_string()),
        (named("x-goog-metageneration"), wire::metageneration(object).to_string()),
        (named("x-goog-stored-content-length"), size.to_string()),
        (named("x-goog-stored-content-encoding"), "identity".into()),
    ];
    if let Some(range) = range {
        headers.push((header::CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1)));
    }
    let sums = [("crc32c", wire::crc32c(&object.content)), ("md5", wire::md5(&object.content))];
    let sums = sums.into_iter().filter_map(|(algorithm, sum)| Some(format!("{algorithm}={}", sum?)));
    // One line: clients take it apart at its commas and allow no space behind them.
    headers.push((named("x-goog-hash"), sums.collect::<Vec<_>>().join(",")));
    for (property, name) in wire::PROPERTIES {
        let said = object.attributes.headers.get(property).cloned();
        headers.extend(said.map(|said| (named(name), said)));
    }
    headers
}

fn http_date(at: mlemu_core::Timestamp) -> String {
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
