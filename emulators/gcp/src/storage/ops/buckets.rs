//! Buckets: made, shown, changed, removed.

use crate::storage::call::Call;
use crate::storage::fault::{Fault, json};
use crate::storage::{Storage, body, wire};
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use mlemu_engine::objects::{BucketView, Fault as Core};
use serde_json::{Value, json};

impl Storage {
    pub(in crate::storage) fn list_buckets(&self, call: &Call) -> Response {
        let prefix = call.parameter("prefix").unwrap_or_default();
        let views = self.objects.buckets(&self.place.scope);
        let items: Vec<Value> = views
            .iter()
            .filter(|view| view.id.name().starts_with(prefix))
            .map(|view| self.shown(view))
            .collect();
        json(StatusCode::OK, &json!({ "kind": "storage#buckets", "items": items }))
    }

    pub(in crate::storage) async fn insert_bucket(
        &self,
        _call: &Call,
        body: Body,
    ) -> Result<Response, Fault> {
        let words = body::said(body).await?;
        let name = words.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if !is_name(&name) {
            return Err(Fault::invalid(format!("Invalid bucket name: '{name}'")));
        }
        let id = self.objects.create_bucket(&self.place.scope, &name)?;
        self.settings.begin(&name, words);
        Ok(json(StatusCode::OK, &self.shown(&self.objects.bucket(&id)?)))
    }

    pub(in crate::storage) fn get_bucket(&self, name: &str) -> Result<Response, Fault> {
        let view = self.objects.bucket(&self.bucket_id(name))?;
        Ok(json(StatusCode::OK, &self.shown(&view)))
    }

    pub(in crate::storage) async fn patch_bucket(
        &self,
        name: &str,
        replaces: bool,
        body: Body,
    ) -> Result<Response, Fault> {
        let view = self.objects.bucket(&self.bucket_id(name))?;
        let words = body::said(body).await?;
        if words.get("versioning").is_some_and(|versioning| versioning["enabled"] == true) {
            return Err(self.unsupported("versioning of buckets"));
        }
        self.settings.change(name, words, replaces);
        Ok(json(StatusCode::OK, &self.shown(&view)))
    }

    pub(in crate::storage) fn delete_bucket(&self, name: &str) -> Result<Response, Fault> {
        self.objects.delete_bucket(&self.bucket_id(name))?;
        self.settings.forget(name);
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    fn shown(&self, view: &BucketView) -> Value {
        let (said, metageneration) = self.settings.of(view.id.name());
        wire::bucket(view, said, metageneration, &self.base())
    }

    /// Where links of documents lead that no request is answered with.
    pub(in crate::storage) fn base(&self) -> String {
        self.place.base()
    }

    /// Fails when there is no such bucket.
    pub(in crate::storage) fn must_exist(&self, bucket: &str) -> Result<(), Core> {
        self.objects.bucket(&self.bucket_id(bucket)).map(drop)
    }
}

/// 3 to 63 characters, up to 222 with dots: Cloud Storage, "About buckets", "Bucket names".
fn is_name(name: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    let most = if name.contains('.') { 222 } else { 63 };
    (3..=most).contains(&bytes.len())
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(byte))
}
