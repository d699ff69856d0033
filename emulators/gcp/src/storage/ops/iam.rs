//! Policies of buckets: kept and shown, and never enforced.
//!
//! Source: Cloud Storage, "IAM for Cloud Storage"; JSON API reference, `buckets.setIamPolicy`.

use crate::storage::call::Call;
use crate::storage::fault::{Fault, json};
use crate::storage::{Storage, body, wire};
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

const DOCUMENT: &str = "iam";

impl Storage {
    pub(in crate::storage) fn get_policy(&self, bucket: &str) -> Result<Response, Fault> {
        Ok(json(StatusCode::OK, &self.policy(bucket)?))
    }

    fn policy(&self, bucket: &str) -> Result<Value, Fault> {
        let view = self.objects.bucket(&self.bucket_id(bucket))?;
        let kept = view.document(DOCUMENT).and_then(|text| serde_json::from_str(text).ok());
        Ok(kept.unwrap_or_else(|| self.usual_policy(bucket)))
    }

    fn usual_policy(&self, bucket: &str) -> Value {
        let project = self.place.project();
        let owners = [format!("projectEditor:{project}"), format!("projectOwner:{project}")];
        json!({
            "kind": "storage#policy",
            "resourceId": format!("projects/_/buckets/{bucket}"),
            "version": 1,
            "etag": wire::tag(&["0"]),
            "bindings": [
                { "role": "roles/storage.legacyBucketOwner", "members": owners },
                { "role": "roles/storage.legacyBucketReader", "members": [format!("projectViewer:{project}")] },
            ],
        })
    }

    pub(in crate::storage) async fn set_policy(&self, bucket: &str, body: Body) -> Result<Response, Fault> {
        let mut said = body::said(body).await?;
        let bindings = said.entry("bindings").or_insert_with(|| json!([]));
        if !bindings.as_array().is_some_and(|bindings| bindings.iter().all(is_binding)) {
            return Err(Fault::invalid("Invalid value for: bindings"));
        }
        let _saying = self.saying();
        let held = self.policy(bucket)?;
        if said.get("etag").is_some_and(|etag| !etag.is_null() && *etag != "" && *etag != held["etag"]) {
            return Err(Fault::condition());
        }
        said.insert("kind".into(), "storage#policy".into());
        said.insert("resourceId".into(), held["resourceId"].clone());
        said.entry("version").or_insert_with(|| 1.into());
        let text = Value::Object(said.clone()).to_string();
        said.insert("etag".into(), wire::tag(&[&text]).into());
        let said = Value::Object(said);
        let id = self.bucket_id(bucket);
        self.objects.set_document(&id, DOCUMENT, Some(said.to_string().into()))?;
        Ok(json(StatusCode::OK, &said))
    }

    /// Everything is permitted here.
    pub(in crate::storage) fn test_permissions(&self, call: &Call, bucket: &str) -> Result<Response, Fault> {
        self.must_exist(bucket)?;
        let asked: Vec<&str> = call.parameters("permissions").collect();
        let answer = json!({ "kind": "storage#testIamPermissionsResponse", "permissions": asked });
        Ok(json(StatusCode::OK, &answer))
    }
}

fn is_binding(binding: &Value) -> bool {
    let members = binding["members"].as_array();
    binding["role"].is_string() && members.is_some_and(|members| members.iter().all(Value::is_string))
}
