//! Objects that an event only names: the new picture in a bucket is what the model is asked about.
//!
//! Sources: Amazon S3 User Guide, "Event message structure"; Cloud Storage JSON API, "Objects".

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;
use std::env;

/// Largest object in bytes: what a request could bring at most.
const LARGEST: usize = 128 << 20;

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Object {
    /// Of S3; the key as its events spell it.
    S3 { bucket: String, key: String },
    /// Of Cloud Storage.
    Storage { bucket: String, name: String },
}

impl Object {
    /// Those that an event names; none where it is no event of objects.
    pub(super) fn named(event: &Value) -> Vec<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        if let Some(records) = event["Records"].as_array() {
            let named = records.iter().filter_map(|record| {
                let (bucket, key) =
                    (text(&record["s3"]["bucket"]["name"])?, text(&record["s3"]["object"]["key"])?);
                Some(Object::S3 { bucket, key })
            });
            return named.collect();
        }
        if event["kind"] == "storage#object"
            && let (Some(bucket), Some(name)) = (text(&event["bucket"]), text(&event["name"]))
        {
            return vec![Object::Storage { bucket, name }];
        }
        Vec::new()
    }

    /// As people write it.
    pub(super) fn shown(&self) -> String {
        match self {
            Object::S3 { bucket, key } => {
                let key = key.replace('+', " ");
                format!("s3://{bucket}/{}", percent_decode_str(&key).decode_utf8_lossy())
            }
            Object::Storage { bucket, name } => format!("gs://{bucket}/{name}"),
        }
    }

    fn address(&self) -> Option<String> {
        match self {
            Object::S3 { bucket, key } => {
                let endpoint = env::var("AWS_ENDPOINT_URL").ok()?;
                Some(format!("{endpoint}/{bucket}/{}", key.replace('+', "%20")))
            }
            Object::Storage { bucket, name } => {
                let host = env::var("STORAGE_EMULATOR_HOST").ok()?;
                let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
                Some(format!("{host}/storage/v1/b/{bucket}/o/{name}?alt=media"))
            }
        }
    }

    /// `Err` says why it cannot be had.
    pub(super) async fn fetch(&self) -> Result<Bytes, String> {
        let shown = self.shown();
        let address =
            self.address().ok_or_else(|| format!("{shown} is in no store that this function knows"))?;
        let mut request = Request::get(address);
        if let (Object::S3 { .. }, Ok(account)) = (self, env::var("AWS_ACCESS_KEY_ID")) {
            // Whose bucket is meant is read off the key; a signature is not looked at unless it is asked for.
            let scope = format!("{account}/20200101/us-east-1/s3/aws4_request");
            let said = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none");
            request = request.header(header::AUTHORIZATION, said);
        }
        let request = request.body(Full::<Bytes>::default()).map_err(|error| format!("{shown}: {error}"))?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let answer = client.request(request).await.map_err(|error| format!("{shown}: {error}"))?;
        if !answer.status().is_success() {
            return Err(format!("{shown} cannot be read: the store answers {}", answer.status()));
        }
        let body = Limited::new(answer.into_body(), LARGEST).collect().await;
        match body {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) => Err(format!("{shown} breaks off: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_of_objects_name_them() {
        let record = json!({"s3": {"bucket": {"name": "b"}, "object": {"key": "a+c/d%C3%A9.png"}}});
        let named = Object::named(&json!({"Records": [record]}));
        assert_eq!(named, [Object::S3 { bucket: "b".into(), key: "a+c/d%C3%A9.png".into() }]);
        assert_eq!(named[0].shown(), "s3://b/a c/dé.png");
        let stored = json!({"kind": "storage#object", "bucket": "b", "name": "x.png"});
        assert_eq!(Object::named(&stored)[0].shown(), "gs://b/x.png");
        for other in [json!([1, 2]), json!({"Records": [{"body": "m"}]}), json!({"bucket": "b", "name": "n"})]
        {
            assert_eq!(Object::named(&other), [], "{other}");
        }
    }
}
