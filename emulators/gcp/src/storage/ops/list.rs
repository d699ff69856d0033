//! Listing the objects of a bucket.

use crate::storage::call::Call;
use crate::storage::fault::{Fault, json};
use crate::storage::{Storage, wire};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use http::StatusCode;
use mlemu_engine::objects::{ListQuery, Object};
use serde_json::{Value, json};
use std::sync::Arc;

/// Most entries of one page.
const PAGE: u64 = 1000;

impl Storage {
    pub(in crate::storage) fn list(&self, call: &Call, bucket: &str) -> Result<Response, Fault> {
        let token = match call.parameter("pageToken").filter(|token| !token.is_empty()) {
            Some(token) => from_token(token)?,
            None => String::new(),
        };
        let from = call.parameter("startOffset").unwrap_or_default();
        let until = call.parameter("endOffset").filter(|end| !end.is_empty());
        let limit = call.number("maxResults")?.unwrap_or(PAGE).clamp(1, PAGE);
        let query = ListQuery {
            prefix: call.parameter("prefix").unwrap_or_default(),
            delimiter: call.parameter("delimiter").unwrap_or_default(),
            after: &token,
            limit: limit as usize,
        };
        let page = self.objects.list(&self.bucket_id(bucket), query)?;
        let inside = |key: &str| key >= from && until.is_none_or(|until| key < until);
        let base = call.base();
        let shown = |object: &Arc<Object>| wire::object(bucket, object, &base);
        let items: Vec<Value> = page.objects.iter().filter(|object| inside(&object.key)).map(shown).collect();
        let mut document = json!({ "kind": "storage#objects", "items": items });
        let prefixes: Vec<&String> = page.prefixes.iter().filter(|prefix| inside(prefix)).collect();
        if !prefixes.is_empty() {
            document["prefixes"] = json!(prefixes);
        }
        if let Some(next) = page.next.filter(|next| until.is_none_or(|until| next.as_str() < until)) {
            document["nextPageToken"] = URL_SAFE.encode(next).into();
        }
        Ok(json(StatusCode::OK, &document))
    }
}

fn from_token(token: &str) -> Result<String, Fault> {
    let invalid = || Fault::invalid("Invalid value for: Invalid page token");
    String::from_utf8(URL_SAFE.decode(token).map_err(|_| invalid())?).map_err(|_| invalid())
}
