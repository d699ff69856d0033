//! Uploads by HTML forms, with the policies that were signed for them.
//!
//! Source: Cloud Storage, XML API, "POST Object".

use super::headers;
use crate::storage::call::Call;
use crate::storage::conditions::Conditions;
use crate::storage::fault::{Fault, escape, nothing, xml};
use crate::storage::multipart::{Headers, Parts};
use crate::storage::signing::form::{Fields, check};
use crate::storage::{Storage, body, wire};
use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use mlemu_core::occurrence::Created;
use mlemu_engine::objects::{NewObject, Object};

/// One field before the file, in bytes, and how many there may be.
const FIELD: usize = 64 * 1024;
const MOST: usize = 100;

impl Storage {
    pub(super) async fn form(&self, call: &Call, bucket: &str, body: Body) -> Result<Response, Fault> {
        self.must_exist(bucket)?;
        let kind = call.header("content-type").unwrap_or_default();
        let mut parts = Parts::new("multipart/form-data", kind, body::chunks(body))?;
        let mut fields = Fields::new();
        let file_name = loop {
            let Some(part) = parts.next().await? else {
                return Err(Fault::invalid("POST requires exactly one file upload per request."));
            };
            let name = disposition(&part, "name").unwrap_or_default().to_ascii_lowercase();
            if name == "file" {
                break disposition(&part, "filename").unwrap_or_default();
            }
            let value = String::from_utf8(parts.whole(FIELD).await?.into());
            fields
                .insert(name, value.map_err(|_| Fault::invalid("A field of the form is not valid UTF-8."))?);
            if fields.len() > MOST {
                return Err(Fault::invalid("The form has too many fields."));
            }
        };
        let key = fields.get("key").filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| Fault::invalid("The form lacks key."))?;
        let key = key.replace("${filename}", file_name.rsplit(['/', '\\']).next().unwrap_or_default());
        fields.insert("key".into(), key.clone());
        fields.insert("bucket".into(), bucket.to_owned());
        let length = self.with_keys(|keys| check(&fields, self.clock.now(), keys))?;
        if self.strict && !fields.contains_key("policy") {
            return Err(Fault::forbidden("AccessDenied", "Access denied."));
        }
        let pairs = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let metadata = headers::of(self, call, bucket, pairs)?;
        let content = self.receive_chunks(parts.chunks()).await?;
        within(length, content.size())?;
        metadata.verify(&content)?;
        let attributes = metadata.attributes;
        let new =
            NewObject { key: key.into(), content, attributes, how: Created::Post, origin: call.origin() };
        let object = self.commit(bucket, new, &Conditions::default())?;
        answer(call, bucket, &fields, &object)
    }
}

/// What the policy says of the length of the file.
fn within(length: Option<(u64, u64)>, size: u64) -> Result<(), Fault> {
    match length {
        Some((least, _)) if size < least => {
            let message = "Your proposed upload is smaller than the minimum object size specified in your Policy Document.";
            Err(Fault::coded(StatusCode::BAD_REQUEST, "EntityTooSmall", message))
        }
        Some((_, most)) if size > most => {
            let message =
                "Your proposed upload exceeds the maximum object size specified in your Policy Document.";
            Err(Fault::coded(StatusCode::BAD_REQUEST, "EntityTooLarge", message))
        }
        _ => Ok(()),
    }
}

/// A parameter of `Content-Disposition: form-data; name="key"`.
fn disposition(part: &Headers, wanted: &str) -> Option<String> {
    let text = part.get("content-disposition")?;
    let found = text.split(';').find_map(|one| {
        let (name, value) = one.split_once('=')?;
        name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"').to_owned())
    })?;
    Some(found)
}

fn answer(call: &Call, bucket: &str, fields: &Fields, object: &Object) -> Result<Response, Fault> {
    let location = format!("{}/{}/{}", call.base(), wire::encoded(bucket), wire::encoded(&object.key));
    let etag = format!("\"{}\"", object.content.etag);
    if let Some(url) = fields.get("success_action_redirect")
        && url.parse::<http::Uri>().is_ok_and(|url| url.scheme().is_some())
    {
        let mut response = nothing();
        *response.status_mut() = StatusCode::SEE_OTHER;
        let joint = if url.contains('?') { '&' } else { '?' };
        let (key, etag) = (wire::encoded(&object.key), wire::encoded(&etag));
        let url = format!("{url}{joint}bucket={bucket}&key={key}&etag={etag}");
        let url =
            HeaderValue::from_str(&url).map_err(|_| Fault::invalid("Invalid success_action_redirect"))?;
        response.headers_mut().insert(header::LOCATION, url);
        return Ok(response);
    }
    match fields.get("success_action_status").map(String::as_str) {
        Some("200") => Ok(super::made(object)),
        Some("201") => {
            let document = format!(
                "<?xml version='1.0' encoding='UTF-8'?><PostResponse><Location>{}</Location><Bucket>{}</Bucket><Key>{}</Key><ETag>{}</ETag></PostResponse>",
                escape(&location),
                escape(bucket),
                escape(&object.key),
                escape(&etag)
            );
            Ok(xml(StatusCode::CREATED, document))
        }
        _ => {
            let mut response = super::made(object);
            *response.status_mut() = StatusCode::NO_CONTENT;
            Ok(response)
        }
    }
}
