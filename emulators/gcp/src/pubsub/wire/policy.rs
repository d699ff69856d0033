//! Access policies: kept and shown, never enforced.

use super::{json, messages};
use bytes::Bytes;

messages! {
    Binding {
        (string, tag = "1") role: String,
        (string, repeated, tag = "2") members: Vec<String>,
    }
    Policy {
        (int32, tag = "1") version: i32,
        (message, repeated, tag = "4") bindings: Vec<Binding>,
        #[serde(with = "json::base64_bytes")]
        (bytes = "bytes", tag = "3") etag: Bytes,
    }
    SetIamPolicyRequest {
        (string, tag = "1") resource: String,
        (message, optional, tag = "2") policy: Option<Policy>,
    }
    GetIamPolicyRequest {
        (string, tag = "1") resource: String,
    }
    TestIamPermissionsRequest {
        (string, tag = "1") resource: String,
        (string, repeated, tag = "2") permissions: Vec<String>,
    }
    TestIamPermissionsResponse {
        (string, repeated, tag = "1") permissions: Vec<String>,
    }
}
