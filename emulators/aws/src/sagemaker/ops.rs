//! The three ways to ask an endpoint.

use super::fault::Fault;
use super::{Call, Front};
use crate::lambda::eventstream;
use crate::reach::Letter;
use crate::s3::ReadFault;
use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, StatusCode, header};
use mlemu_core::Answer;
use mlemu_engine::endpoints::{Answered, Asked};
use mlemu_engine::settle::{self, Work};
use serde_json::json;
use std::sync::Arc;

const VARIANT: HeaderName = HeaderName::from_static("x-amzn-invoked-production-variant");
const STREAMED_TYPE: HeaderName = HeaderName::from_static("x-amzn-sagemaker-content-type");
const STREAMED_VARIANT: HeaderName = HeaderName::from_static("x-amzn-invoked-production-variant");
const USUAL_TYPE: &str = "application/octet-stream";
const JSON: &str = "application/json";
/// Largest part of a streamed answer, in bytes.
const PART: usize = 64 * 1024;
/// The option of an endpoint that says where answers of asynchronous requests go.
pub(super) const OUTPUT: &str = "output";

/// A function's event is JSON: what is none comes as a text, or as a text in base64.
pub(super) fn as_json(payload: Bytes) -> Bytes {
    if payload.is_empty() || serde_json::from_slice::<serde::de::IgnoredAny>(&payload).is_ok() {
        return payload;
    }
    let text = match std::str::from_utf8(&payload) {
        Ok(text) => json!(text),
        Err(_) => json!(STANDARD.encode(&payload)),
    };
    text.to_string().into()
}

impl Front {
    async fn ask(&self, endpoint: &str, asked: Asked) -> Result<Answered, Fault> {
        let answered = self.endpoints.ask(endpoint, asked).await;
        let fault = |why| Fault::of(why, &self.settings.account, endpoint, &self.settings.region);
        let answered = answered.map_err(fault)?;
        let failed =
            answered.answer.head.as_ref().map(|head| head.status).filter(|status| !status.is_success());
        if let Some(status) = failed {
            let said = String::from_utf8_lossy(&answered.answer.body).into_owned();
            let Front { settings, .. } = self;
            return Err(Fault::of_model(
                status.as_u16(),
                said,
                &settings.account,
                endpoint,
                &settings.region,
            ));
        }
        Ok(answered)
    }
}

pub(super) async fn invoke(front: &Front, call: &Call<'_>) -> Result<Response, Fault> {
    let asked = call.asked(call.body.clone(), call.content_type());
    let answered = front.ask(call.endpoint, asked).await?;
    let kind = kind_of(&answered.answer);
    let mut response = Response::new(Body::from(answered.answer.body));
    put(&mut response, header::CONTENT_TYPE, &kind);
    put(&mut response, VARIANT, &answered.variant);
    Ok(response)
}

pub(super) async fn stream(front: &Front, call: &Call<'_>) -> Result<Response, Fault> {
    let asked = call.asked(call.body.clone(), call.content_type());
    let answered = front.ask(call.endpoint, asked).await?;
    let mut frames = BytesMut::new();
    for part in answered.answer.body.chunks(PART) {
        frames.extend_from_slice(&eventstream::event("PayloadPart", USUAL_TYPE, part));
    }
    let mut response = Response::new(Body::from(frames.freeze()));
    put(&mut response, header::CONTENT_TYPE, eventstream::CONTENT_TYPE);
    put(&mut response, STREAMED_TYPE, &kind_of(&answered.answer));
    put(&mut response, STREAMED_VARIANT, &answered.variant);
    Ok(response)
}

/// Reads the request out of a bucket now, and writes the answer into one when it is there.
pub(super) async fn queue(front: &Arc<Front>, call: &Call<'_>, id: &str) -> Result<Response, Fault> {
    let endpoint = front.endpoints.get(call.endpoint);
    let endpoint = endpoint.ok_or_else(|| {
        let none = mlemu_engine::endpoints::Unanswered::NoEndpoint(call.endpoint.to_owned());
        Fault::of(none, &front.settings.account, call.endpoint, &front.settings.region)
    })?;
    let output = endpoint.options.get(OUTPUT).ok_or_else(|| {
        Fault::validation(format!(
            "Endpoint {} is not an asynchronous one: give it `output = \"s3://BUCKET/PREFIX\"` in mlemu.toml",
            call.endpoint
        ))
    })?;
    let payload = input(front, call).await?;
    let inference = call.said("inference-id").unwrap_or_else(|| id.to_owned());
    let output = output.trim_end_matches('/');
    let (answer, failure) = (format!("{output}/{id}.out"), format!("{output}/{id}-error.out"));
    let asked = call.asked(payload, call.said("content-type"));
    let scope = front.settings.scope.clone();
    let work = Work::Due { what: format!("an asynchronous request of endpoint {}", call.endpoint).into() };
    let pending = front.engine.settle().enter(&scope, settle::trace(&call.cause), work);
    let task = {
        let (front, endpoint, cause) = (front.clone(), call.endpoint.to_owned(), call.cause.clone());
        let (answer, failure) = (answer.clone(), failure.clone());
        async move {
            let (place, body) = match front.ask(&endpoint, asked).await {
                Ok(answered) => (answer, answered.answer.body),
                Err(fault) => (failure, Bytes::from(fault.text)),
            };
            if let Some((bucket, key)) = place_of(&place) {
                let letter = Letter { key: Some(key.to_owned()), ..Letter::of(body, cause) };
                // A bucket that has gone is nobody's fault any more; what is owed is over.
                let _ = front.s3.write(&format!("arn:aws:s3:::{bucket}"), letter).await;
            }
            drop(pending);
        }
    };
    tokio::spawn(task);
    let mut response = Response::new(Body::from(json!({ "InferenceId": inference }).to_string()));
    *response.status_mut() = StatusCode::ACCEPTED;
    put(&mut response, header::CONTENT_TYPE, JSON);
    put(&mut response, HeaderName::from_static("x-amzn-sagemaker-outputlocation"), &answer);
    put(&mut response, HeaderName::from_static("x-amzn-sagemaker-failurelocation"), &failure);
    Ok(response)
}

async fn input(front: &Front, call: &Call<'_>) -> Result<Bytes, Fault> {
    let Some(location) = call.said("inputlocation") else {
        if call.body.is_empty() {
            return Err(Fault::validation("InputLocation must be an S3 URI: s3://BUCKET/KEY"));
        }
        return Ok(call.body.clone());
    };
    let (bucket, key) = place_of(&location).ok_or_else(|| {
        Fault::validation(format!("InputLocation {location} is no S3 URI: s3://BUCKET/KEY"))
    })?;
    front.s3.read(bucket, key, None).await.map_err(|fault| {
        let why = match fault {
            ReadFault::NoSuchBucket => "its bucket does not exist".to_owned(),
            ReadFault::Io(error) => error.to_string(),
            _ => "there is no such object".to_owned(),
        };
        Fault::validation(format!("InputLocation {location} cannot be read: {why}"))
    })
}

/// Bucket and key of `s3://BUCKET/KEY`.
fn place_of(uri: &str) -> Option<(&str, &str)> {
    let (bucket, key) = uri.strip_prefix("s3://")?.split_once('/')?;
    (!bucket.is_empty() && !key.is_empty()).then_some((bucket, key))
}

fn kind_of(answer: &Answer) -> String {
    answer.content_type.clone().unwrap_or_else(|| JSON.into())
}

/// What cannot be a header is left out.
fn put(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_json_whatever_came() {
        assert_eq!(as_json("[1, 2]".into()), "[1, 2]");
        assert_eq!(as_json("1,2\n".into()), "\"1,2\\n\"");
        assert_eq!(as_json(vec![0xFF, 0xD8].into()), "\"/9g=\"");
        assert_eq!(as_json(Bytes::new()), "");
    }

    #[test]
    fn places_in_buckets() {
        assert_eq!(place_of("s3://b/a/c.json"), Some(("b", "a/c.json")));
        for bad in ["s3://b", "s3:///k", "http://b/k", "s3://b/"] {
            assert_eq!(place_of(bad), None, "{bad}");
        }
    }
}
