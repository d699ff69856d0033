//! HMAC keys of service accounts: signed URLs that were made with one can be verified wholly.
//!
//! Source: Cloud Storage, "HMAC keys"; JSON API reference, `projects.hmacKeys`.

use crate::storage::call::Call;
use crate::storage::fault::{Fault, json, nothing};
use crate::storage::{Storage, body, wire};
use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use mlemu_core::Timestamp;
use mlemu_engine::ids::unguessable;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::storage) struct HmacKey {
    project: String,
    email: String,
    state: String,
    pub secret: String,
    created: Timestamp,
    updated: Timestamp,
    changes: u64,
}

impl HmacKey {
    pub fn is_active(&self) -> bool {
        self.state == "ACTIVE"
    }

    fn shown(&self, id: &str, base: &str) -> Value {
        json!({
            "kind": "storage#hmacKeyMetadata",
            "id": format!("{}/{id}", self.project),
            "selfLink": format!("{base}/storage/v1/projects/{}/hmacKeys/{id}", self.project),
            "accessId": id,
            "projectId": self.project,
            "serviceAccountEmail": self.email,
            "state": self.state,
            "timeCreated": wire::time(self.created),
            "updated": wire::time(self.updated),
            "etag": wire::tag(&[&self.changes.to_string()]),
        })
    }
}

/// By their access ids.
pub(in crate::storage) type HmacKeys = BTreeMap<String, HmacKey>;

impl Storage {
    pub(in crate::storage) async fn hmac(
        &self,
        call: &Call,
        project: &str,
        id: Option<&str>,
        method: &Method,
        body: Body,
    ) -> Result<Response, Fault> {
        match (method, id) {
            (&Method::POST, None) => self.create_key(call, project),
            (&Method::GET, None) => Ok(self.list_keys(call, project)),
            (&Method::GET, Some(id)) => {
                let keys = self.keys.lock();
                let key = keys.get(id).ok_or_else(|| Fault::no_key(id))?;
                Ok(json(StatusCode::OK, &key.shown(id, &call.base())))
            }
            (&Method::PUT, Some(id)) => {
                let said = body::said(body).await?;
                self.change_key(call, id, said.get("state").and_then(Value::as_str).unwrap_or_default())
            }
            (&Method::DELETE, Some(id)) => {
                let mut keys = self.keys.lock();
                let key = keys.get(id).ok_or_else(|| Fault::no_key(id))?;
                if key.is_active() {
                    return Err(Fault::invalid("Cannot delete keys in 'ACTIVE' state."));
                }
                keys.remove(id);
                Ok(nothing())
            }
            _ => Err(Fault::not_implemented("this method of HMAC keys")),
        }
    }

    fn create_key(&self, call: &Call, project: &str) -> Result<Response, Fault> {
        let email = call.parameter("serviceAccountEmail").filter(|email| email.contains('@'));
        let email = email.ok_or_else(|| Fault::required("Required parameter: serviceAccountEmail"))?;
        let now = self.clock.now();
        let digits = unguessable().replace('-', "").to_ascii_uppercase();
        let id = format!("GOOG1E{digits:0<55}").chars().take(61).collect::<String>();
        let secret = STANDARD.encode(&unguessable().replace('-', "").as_bytes()[..30]);
        let (project, email, state) = (project.to_owned(), email.to_owned(), "ACTIVE".to_owned());
        let key = HmacKey { project, email, state, secret, created: now, updated: now, changes: 1 };
        let answer = json!({
            "kind": "storage#hmacKey",
            "metadata": key.shown(&id, &call.base()),
            "secret": key.secret,
        });
        self.keys.lock().insert(id, key);
        Ok(json(StatusCode::OK, &answer))
    }

    fn list_keys(&self, call: &Call, project: &str) -> Response {
        let of = call.parameter("serviceAccountEmail");
        let keys = self.keys.lock();
        let found =
            keys.iter().filter(|(_, key)| key.project == project && of.is_none_or(|of| of == key.email));
        let items: Vec<Value> = found.map(|(id, key)| key.shown(id, &call.base())).collect();
        json(StatusCode::OK, &json!({ "kind": "storage#hmacKeysMetadata", "items": items }))
    }

    fn change_key(&self, call: &Call, id: &str, state: &str) -> Result<Response, Fault> {
        if !["ACTIVE", "INACTIVE"].contains(&state) {
            return Err(Fault::invalid(format!("Invalid value for: state {state}")));
        }
        let mut keys = self.keys.lock();
        let key = keys.get_mut(id).ok_or_else(|| Fault::no_key(id))?;
        state.clone_into(&mut key.state);
        key.updated = self.clock.now();
        key.changes += 1;
        Ok(json(StatusCode::OK, &key.shown(id, &call.base())))
    }

    /// Who acts for the service itself.
    pub(in crate::storage) fn service_account() -> Response {
        let email = "service-0@gs-project-accounts.iam.gserviceaccount.com";
        json(StatusCode::OK, &json!({ "kind": "storage#serviceAccount", "email_address": email }))
    }
}
