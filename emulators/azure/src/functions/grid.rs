//! Event subscriptions as the resource manager knows them: made, shown and removed while the daemon runs.
//!
//! Source: Azure Event Grid REST API, "Event Subscriptions - Create Or Update", "Get", "Delete", "List By Resource".

use super::{Functions, fault};
use crate::events::subscription::Subscription;
use axum::response::Response;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};

const KIND: &str = "/providers/Microsoft.EventGrid/eventSubscriptions";

/// The name of the subscription that a path means, empty for all; `None`: it is no such path.
pub(super) fn subscription(path: &str) -> Option<&str> {
    let path = path.strip_prefix("/subscriptions/").map(|_| path)?;
    let at = path.to_ascii_lowercase().rfind(&KIND.to_ascii_lowercase())?;
    let rest = &path[at + KIND.len()..];
    let name = rest.strip_prefix('/').or(rest.is_empty().then_some(""))?;
    (!name.contains('/')).then_some(name)
}

impl Functions {
    pub(super) async fn event_subscription(
        &self,
        method: &Method,
        path: &str,
        name: &str,
        body: &Bytes,
    ) -> Response {
        let hearers = &self.parts.hearers;
        let shown = |one: &Subscription| {
            let id = if name.is_empty() {
                format!("{}/{}", path.trim_end_matches('/'), one.name)
            } else {
                path.to_owned()
            };
            let kind = "Microsoft.EventGrid/eventSubscriptions";
            json!({ "id": id, "name": one.name, "type": kind, "properties": one.shown() })
        };
        let known = || hearers.subscriptions();
        match *method {
            Method::GET if name.is_empty() => {
                let all: Vec<Value> = known().iter().map(shown).collect();
                fault::json(StatusCode::OK, &json!({ "value": all }))
            }
            Method::GET => match known().iter().find(|one| one.name == name) {
                Some(one) => fault::json(StatusCode::OK, &shown(one)),
                None => fault::not_found(),
            },
            Method::PUT if !name.is_empty() => {
                let said: Value = serde_json::from_slice(body).unwrap_or_default();
                let made = match Subscription::read(name, &said["properties"]) {
                    Ok(new) => hearers.subscribe(new).await,
                    Err(why) => Err(why),
                };
                match (made, known().iter().find(|one| one.name == name)) {
                    (Ok(()), Some(one)) => fault::json(StatusCode::CREATED, &shown(one)),
                    (Ok(()), None) => fault::not_found(),
                    (Err(why), _) => {
                        let error = json!({ "error": { "code": "InvalidRequest", "message": why } });
                        fault::json(StatusCode::BAD_REQUEST, &error)
                    }
                }
            }
            Method::DELETE if hearers.unsubscribe(name) => fault::empty(),
            Method::DELETE => fault::gone(),
            _ => fault::unsupported(&format!("{method} {path}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::subscription;

    #[test]
    fn paths_of_subscriptions() {
        let account = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a";
        let path = |rest: &str| format!("{account}/providers/Microsoft.EventGrid/eventSubscriptions{rest}");
        assert_eq!(subscription(&path("/uploads")), Some("uploads"));
        assert_eq!(subscription(&path("")), Some(""));
        assert_eq!(subscription(&path("/a/b")), None);
        assert_eq!(subscription(account), None);
        assert_eq!(subscription("/api/providers/Microsoft.EventGrid/eventSubscriptions/x"), None);
    }
}
