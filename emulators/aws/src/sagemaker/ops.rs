//! The ways to ask an endpoint whose answers come whole: now, or later and into a bucket.

use super::fault::Fault;
use super::{Call, Front};
use crate::lambda::Settings;
use crate::reach::Letter;
use crate::s3::ReadFault;
use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use mlemu_core::Answer;
use mlemu_engine::endpoints::{Answered, Asked, Unanswered};
use mlemu_engine::settle::{self, Work};
use serde_json::json;
use std::sync::Arc;

pub(super) const VARIANT: HeaderName = HeaderName::from_static("x-amzn-invoked-production-variant");
const JSON: &str = "application/json";
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
    /// Of an endpoint: the reason, as the vendor tells it.
    pub(super) fn fault(&self, endpoint: &str, why: Unanswered) -> Fault {
        Fault::of(why, &self.settings.account, endpoint, &self.settings.region)
    }

    async fn ask(&self, endpoint: &str, asked: Asked) -> Result<Answered, Fault> {
        let answered = self.endpoints.ask(endpoint, asked).await;
        self.heard(endpoint, answered)
    }

    /// What a model says by its status counts as its failure.
    pub(super) fn heard(
        &self,
        endpoint: &str,
        answered: Result<Answered, Unanswered>,
    ) -> Result<Answered, Fault> {
        let answered = answered.map_err(|why| self.fault(endpoint, why))?;
        let failed =
            answered.answer.head.as_ref().map(|head| head.status).filter(|status| !status.is_success());
        if let Some(status) = failed {
            let said = String::from_utf8_lossy(&answered.answer.body).into_owned();
            let Settings { account, region, .. } = &*self.settings;
            return Err(Fault::of_model(status.as_u16(), said, account, endpoint, region));
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

/// Reads the request out of a bucket now, and writes the answer into one when it is there.
pub(super) async fn queue(front: &Arc<Front>, call: &Call<'_>, id: &str) -> Result<Response, Fault> {
    let endpoint = front.endpoints.get(call.endpoint);
    let endpoint = endpoint
        .ok_or_else(|| front.fault(call.endpoint, Unanswered::NoEndpoint(call.endpoint.to_owned())))?;
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

pub(super) fn kind_of(answer: &Answer) -> String {
    answer.content_type.clone().unwrap_or_else(|| JSON.into())
}

/// What cannot be a header is left out.
pub(super) fn put(response: &mut Response, name: HeaderName, value: &str) {
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
