//! Schemas that messages of a topic must fit.

use super::known::Time;
use super::{json, messages};
use bytes::Bytes;

messages! {
    Schema {
        (string, tag = "1") name: String,
        #[serde(with = "json::schema_kind", rename = "type")]
        (int32, tag = "2") kind: i32,
        (string, tag = "3") definition: String,
        (string, tag = "4") revision_id: String,
        (message, optional, tag = "6") revision_create_time: Option<Time>,
    }
    CreateSchemaRequest {
        (string, tag = "1") parent: String,
        (message, optional, tag = "2") schema: Option<Schema>,
        (string, tag = "3") schema_id: String,
    }
    GetSchemaRequest {
        (string, tag = "1") name: String,
        #[serde(with = "json::schema_view")]
        (int32, tag = "2") view: i32,
    }
    ListSchemasRequest {
        (string, tag = "1") parent: String,
        #[serde(with = "json::schema_view")]
        (int32, tag = "2") view: i32,
        (int32, tag = "3") page_size: i32,
        (string, tag = "4") page_token: String,
    }
    /// Of all schemas, and of the revisions of one.
    ListSchemasResponse {
        (message, repeated, tag = "1") schemas: Vec<Schema>,
        (string, tag = "2") next_page_token: String,
    }
    ListSchemaRevisionsRequest {
        (string, tag = "1") name: String,
        #[serde(with = "json::schema_view")]
        (int32, tag = "2") view: i32,
        (int32, tag = "3") page_size: i32,
        (string, tag = "4") page_token: String,
    }
    CommitSchemaRequest {
        (string, tag = "1") name: String,
        (message, optional, tag = "2") schema: Option<Schema>,
    }
    /// Of one revision: to roll back to it, and to delete it.
    NamedRevision {
        (string, tag = "1") name: String,
        (string, tag = "2") revision_id: String,
    }
    DeleteSchemaRequest {
        (string, tag = "1") name: String,
    }
    ValidateSchemaRequest {
        (string, tag = "1") parent: String,
        (message, optional, tag = "2") schema: Option<Schema>,
    }
    ValidateSchemaResponse {}
    /// Against a schema that is there, by its name, or one that is given.
    ValidateMessageRequest {
        (string, tag = "1") parent: String,
        (string, optional, tag = "2") name: Option<String>,
        (message, optional, tag = "3") schema: Option<Schema>,
        #[serde(with = "json::base64_bytes")]
        (bytes = "bytes", tag = "4") message: Bytes,
        #[serde(with = "json::encoding")]
        (int32, tag = "5") encoding: i32,
    }
    ValidateMessageResponse {}
}
