//! The REST side: a method and a path become an operation and its request in JSON.
//!
//! Source: Pub/Sub, "REST reference", version 1.

use super::PubSub;
use super::fault::Fault;
use super::methods::{Ask, Call, Said};
use crate::functions::fault::json;
use axum::body::Body;
use axum::response::Response;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use mlemu_core::Cause;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// Of a body, in bytes: base64 makes a full publish a third larger.
const LARGEST: usize = 16 * 1024 * 1024;

/// What every API of the vendor is asked with: Google APIs, "System parameters".
const OF_EVERY_API: [&str; 13] = [
    "$.xgafv",
    "$alt",
    "$fields",
    "$prettyPrint",
    "access_token",
    "alt",
    "callback",
    "fields",
    "key",
    "oauth_token",
    "prettyPrint",
    "quotaUser",
    "userProject",
];

/// Whether REST has an operation there.
pub(crate) fn serves(method: &Method, path: &str) -> bool {
    operation(method, path).is_some()
}

type Words = Map<String, Value>;

pub(super) fn is_ours(path: &str) -> bool {
    let kind = path.strip_prefix("/v1/projects/").and_then(|rest| rest.split('/').nth(1)).unwrap_or_default();
    let kind = kind.split(':').next().unwrap_or_default();
    ["topics", "subscriptions", "snapshots", "schemas"].contains(&kind)
}

pub(super) async fn answer(pubsub: &PubSub, request: Request<Body>) -> Result<Response, Fault> {
    let (parts, body) = request.into_parts();
    let path = percent_decode_str(parts.uri.path()).decode_utf8_lossy().into_owned();
    let mut words = query(parts.uri.query().unwrap_or_default());
    let body = Limited::new(body, LARGEST).collect().await;
    let body = body.map_err(|error| Fault::invalid(error.to_string()))?.to_bytes();
    let said: Option<Words> = if body.is_empty() {
        None
    } else {
        let read = serde_json::from_slice(&body);
        Some(read.map_err(|error| Fault::invalid(format!("Invalid JSON payload received. {error}")))?)
    };
    let Some((method, field)) = operation(&parts.method, &path) else {
        return Err(pubsub.unsupported(&format!("{} {path}", parts.method)));
    };
    match (method, said) {
        // Its body is the schema alone.
        ("CreateSchema", said) => {
            words.insert("schema".into(), said.unwrap_or_default().into());
        }
        (_, said) => words.extend(said.unwrap_or_default()),
    }
    put(&mut words, field.0, field.1);
    let trace = parts.headers.get("x-cloud-trace-context").and_then(|value| value.to_str().ok());
    let trace = trace.map_or_else(|| pubsub.queues().ids().fresh("trace").hex(), str::to_owned);
    let call = Call::new(Ask::Json(words.into()), Cause::Request(trace.into()));
    match pubsub.call(method, call).await? {
        Said::Json(document) => Ok(json(StatusCode::OK, &document)),
        Said::Proto(_) => Err(Fault::new(tonic::Code::Internal, "an answer in another spelling")),
    }
}

/// `a=1&b=x` as a request's fields; numbers where they look like it.
fn query(text: &str) -> Words {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let value = |text: String| match text.parse::<i32>() {
        Ok(number) => Value::from(number),
        Err(_) => Value::from(text),
    };
    pairs
        .map(|(name, text)| (decoded(name), decoded(text)))
        .filter(|(name, _)| !OF_EVERY_API.contains(&name.as_str()))
        .map(|(name, text)| {
            let text = if name == "pageToken" { Value::from(text) } else { value(text) };
            (name, text)
        })
        .collect()
}

/// Sets `a.b` within `a`.
fn put(words: &mut Words, field: &str, value: &str) {
    match field.split_once('.') {
        Some((outer, inner)) => {
            let inside = words.entry(outer).or_insert_with(|| Words::new().into());
            if let Value::Object(inside) = inside {
                inside.insert(inner.into(), value.into());
            }
        }
        None => {
            words.insert(field.into(), value.into());
        }
    }
}

type Found<'a> = (&'static str, (&'static str, &'a str));

/// The operation, and which of its fields the path says.
fn operation<'a>(method: &Method, path: &'a str) -> Option<Found<'a>> {
    let name = path.strip_prefix("/v1/")?;
    let (name, verb) = match name.rsplit_once(':') {
        Some((name, verb)) if !verb.contains('/') => (name, verb),
        _ => (name, ""),
    };
    let segments: Vec<&str> = name.split('/').collect();
    let parent = || segments[..2].join("/").len();
    match segments.as_slice() {
        ["projects", _, kind] => {
            let (operation, field) = of_project(method, kind, verb)?;
            Some((operation, (field, &name[..parent()])))
        }
        ["projects", _, "topics", _, under] => {
            let operation = match (method, *under, verb) {
                (&Method::GET, "subscriptions", "") => "ListTopicSubscriptions",
                (&Method::GET, "snapshots", "") => "ListTopicSnapshots",
                _ => return None,
            };
            Some((operation, ("topic", name.strip_suffix(under)?.trim_end_matches('/'))))
        }
        ["projects", _, kind, _] => {
            let (operation, field) = of_policy(method, verb).or_else(|| of_one(method, kind, verb))?;
            Some((operation, (field, name)))
        }
        _ => None,
    }
}

type Meant = (&'static str, &'static str);

fn of_project(method: &Method, kind: &str, verb: &str) -> Option<Meant> {
    Some(match (method, kind, verb) {
        (&Method::GET, "topics", "") => ("ListTopics", "project"),
        (&Method::GET, "subscriptions", "") => ("ListSubscriptions", "project"),
        (&Method::GET, "snapshots", "") => ("ListSnapshots", "project"),
        (&Method::GET, "schemas", "") => ("ListSchemas", "parent"),
        (&Method::POST, "schemas", "") => ("CreateSchema", "parent"),
        (&Method::POST, "schemas", "validate") => ("ValidateSchema", "parent"),
        (&Method::POST, "schemas", "validateMessage") => ("ValidateMessage", "parent"),
        _ => return None,
    })
}

fn of_policy(method: &Method, verb: &str) -> Option<Meant> {
    Some(match (method, verb) {
        (&Method::GET, "getIamPolicy") => ("GetIamPolicy", "resource"),
        (&Method::POST, "setIamPolicy") => ("SetIamPolicy", "resource"),
        (&Method::POST, "testIamPermissions") => ("TestIamPermissions", "resource"),
        _ => return None,
    })
}

fn of_one(method: &Method, kind: &str, verb: &str) -> Option<Meant> {
    Some(match (method, kind, verb) {
        (&Method::PUT, "topics", "") => ("CreateTopic", "name"),
        (&Method::GET, "topics", "") => ("GetTopic", "topic"),
        (&Method::PATCH, "topics", "") => ("UpdateTopic", "topic.name"),
        (&Method::DELETE, "topics", "") => ("DeleteTopic", "topic"),
        (&Method::POST, "topics", "publish") => ("Publish", "topic"),
        (&Method::PUT, "subscriptions", "") => ("CreateSubscription", "name"),
        (&Method::GET, "subscriptions", "") => ("GetSubscription", "subscription"),
        (&Method::PATCH, "subscriptions", "") => ("UpdateSubscription", "subscription.name"),
        (&Method::DELETE, "subscriptions", "") => ("DeleteSubscription", "subscription"),
        (&Method::POST, "subscriptions", "pull") => ("Pull", "subscription"),
        (&Method::POST, "subscriptions", "acknowledge") => ("Acknowledge", "subscription"),
        (&Method::POST, "subscriptions", "modifyAckDeadline") => ("ModifyAckDeadline", "subscription"),
        (&Method::POST, "subscriptions", "modifyPushConfig") => ("ModifyPushConfig", "subscription"),
        (&Method::POST, "subscriptions", "detach") => ("DetachSubscription", "subscription"),
        (&Method::POST, "subscriptions", "seek") => ("Seek", "subscription"),
        (&Method::PUT, "snapshots", "") => ("CreateSnapshot", "name"),
        (&Method::GET, "snapshots", "") => ("GetSnapshot", "snapshot"),
        (&Method::PATCH, "snapshots", "") => ("UpdateSnapshot", "snapshot.name"),
        (&Method::DELETE, "snapshots", "") => ("DeleteSnapshot", "snapshot"),
        (&Method::GET, "schemas", "") => ("GetSchema", "name"),
        (&Method::DELETE, "schemas", "") => ("DeleteSchema", "name"),
        (&Method::GET, "schemas", "listRevisions") => ("ListSchemaRevisions", "name"),
        (&Method::POST, "schemas", "commit") => ("CommitSchema", "name"),
        (&Method::POST, "schemas", "rollback") => ("RollbackSchema", "name"),
        (&Method::DELETE, "schemas", "deleteRevision") => ("DeleteSchemaRevision", "name"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let topic = "projects/p/topics/abc";
        for (method, path, operation_, field, value) in [
            (Method::PUT, "/v1/projects/p/topics/abc", "CreateTopic", "name", topic),
            (Method::POST, "/v1/projects/p/topics/abc:publish", "Publish", "topic", topic),
            (Method::PATCH, "/v1/projects/p/topics/abc", "UpdateTopic", "topic.name", topic),
            (
                Method::GET,
                "/v1/projects/p/topics/abc/subscriptions",
                "ListTopicSubscriptions",
                "topic",
                topic,
            ),
            (Method::GET, "/v1/projects/p/topics", "ListTopics", "project", "projects/p"),
            (Method::GET, "/v1/projects/p/topics/abc:getIamPolicy", "GetIamPolicy", "resource", topic),
            (Method::POST, "/v1/projects/p/schemas:validate", "ValidateSchema", "parent", "projects/p"),
        ] {
            assert_eq!(operation(&method, path), Some((operation_, (field, value))), "{path}");
        }
        for (method, path) in [
            (Method::POST, "/v1/projects/p/topics/abc"),
            (Method::PUT, "/v1/projects/p/topics/abc:publish"),
            (Method::GET, "/v1/projects/p/locations/l/functions"),
            (Method::GET, "/v1/projects"),
            (Method::GET, "/v2/projects/p/topics"),
        ] {
            assert_eq!(operation(&method, path), None, "{path}");
        }
        assert!(is_ours("/v1/projects/p/schemas:validate") && !is_ours("/v1/projects/p/locations"));
    }

    #[test]
    fn fields_of_the_query_and_of_the_path() {
        let mut words = query("pageSize=3&pageToken=7&alt=json&schemaId=a%2Bb");
        assert_eq!(
            Value::from(words.clone()),
            serde_json::json!({"pageSize": 3, "pageToken": "7", "schemaId": "a+b"})
        );
        put(&mut words, "topic.name", "x");
        assert_eq!(words["topic"], serde_json::json!({"name": "x"}));
    }
}
