//! The host's own API, which tools speak.
//!
//! Source: Azure Functions documentation, "Manually run a non HTTP-triggered function" and the host's admin routes.

use super::fault;
use super::keys::{Level, MASTER, Ring};
use super::start::Down;
use super::{Functions, new_id, path_of, url_of};
use crate::HOST_VERSION;
use crate::app::App;
use crate::worker::index::{Index, Indexed};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use mlemu_core::{Cause, FunctionId, Invoke, Mode, Sink, Subject, What};
use serde_json::{Value, json};
use std::sync::Arc;

/// Largest request of the API, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;

/// Paths of the API that are here.
pub(super) const HERE: [&str; 14] = [
    "GET /admin/functions",
    "GET /admin/functions/{name}",
    "POST /admin/functions/{name}",
    "GET /admin/functions/{name}/status",
    "GET /admin/functions/{name}/keys",
    "GET, POST, PUT, DELETE /admin/functions/{name}/keys/{key}",
    "GET /admin/host/keys",
    "GET, POST, PUT, DELETE /admin/host/keys/{key}",
    "GET /admin/host/systemkeys",
    "GET, POST, PUT, DELETE /admin/host/systemkeys/{key}",
    "GET /admin/host/status",
    "GET, POST /admin/host/ping",
    "POST, OPTIONS /runtime/webhooks/EventGrid",
    "POST, OPTIONS /runtime/webhooks/blobs",
];
/// Those that are not.
pub(super) const MISSING: [&str; 9] = [
    "POST /admin/host/restart",
    "GET, PUT /admin/host/state",
    "POST /admin/host/drain",
    "POST /admin/host/resume",
    "GET /admin/host/config",
    "GET /admin/host/extensions",
    "GET, PUT, DELETE /admin/vfs/{path}",
    "GET /admin/warmup",
    "POST /runtime/webhooks/durabletask",
];

/// What is asked of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Admin {
    Functions,
    Function(String),
    Invoke(String),
    FunctionStatus(String),
    Keys(Ring),
    Key(Ring, String),
    HostStatus,
    Ping,
    /// An endpoint of an extension.
    Webhook(String),
    /// An event subscription by its name; empty: all.
    Subscription(String),
    Unsupported(String),
}

/// `None`: the path is none of the API's.
pub(super) fn route(method: &Method, path: &str) -> Option<Admin> {
    let rest = path.strip_prefix("/admin/").or_else(|| path.starts_with("/runtime/").then_some(path))?;
    let parts: Vec<&str> = rest.trim_end_matches('/').split('/').collect();
    let own = |text: &&str| (*text).to_owned();
    let ring = |name: &str| match name {
        "keys" | "functionkeys" => Some(Ring::Host),
        "systemkeys" => Some(Ring::System),
        _ => None,
    };
    Some(match (method, parts.as_slice()) {
        (&Method::GET, ["functions"]) => Admin::Functions,
        (&Method::GET, ["functions", name]) => Admin::Function(own(name)),
        (&Method::POST, ["functions", name]) => Admin::Invoke(own(name)),
        (&Method::GET, ["functions", name, "status"]) => Admin::FunctionStatus(own(name)),
        (_, ["functions", name, "keys"]) => Admin::Keys(Ring::Function(own(name))),
        (_, ["functions", name, "keys", key]) => Admin::Key(Ring::Function(own(name)), own(key)),
        (&Method::GET, ["host", "status"]) => Admin::HostStatus,
        (&Method::GET | &Method::POST, ["host", "ping"]) => Admin::Ping,
        (_, ["host", name]) if ring(name).is_some() => Admin::Keys(ring(name)?),
        (_, ["host", name, key]) if ring(name).is_some() => Admin::Key(ring(name)?, own(key)),
        (_, ["", "runtime", "webhooks", extension]) if is_extension(extension) => {
            Admin::Webhook(own(extension))
        }
        _ => Admin::Unsupported(format!("{method} {path}")),
    })
}

impl Functions {
    pub(super) async fn administer(&self, asked: Admin, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let closed = self.parts.enforce_keys && !matches!(asked, Admin::Ping | Admin::Webhook(_));
        if closed && !self.keys.admit(&parts, "", Level::Admin) {
            return fault::unauthorized();
        }
        let body = match Limited::new(body, LARGEST).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => return fault::bad_request("the request cannot be read or is too large"),
        };
        match asked {
            Admin::Ping => fault::empty(),
            Admin::HostStatus => fault::json(StatusCode::OK, &self.host_status()),
            Admin::Functions => self.list().await,
            Admin::Function(name) => match self.named(&name).await {
                Ok((app, index, name)) => self.described(&app, index.get(&name)),
                Err(response) => response,
            },
            Admin::FunctionStatus(name) => match self.named(&name).await {
                Ok((_, index, name)) => status_of(index.get(&name)),
                Err(response) => response,
            },
            Admin::Invoke(name) => self.invoke(&name, &body).await,
            Admin::Keys(ring) => match self.meant(ring).await {
                Ok(ring) => self.key_ring(&parts.method, &ring),
                Err(response) => response,
            },
            Admin::Key(ring, name) => match self.meant(ring).await {
                Ok(ring) => self.key(&parts.method, ring, &name, &body),
                Err(response) => response,
            },
            Admin::Webhook(extension) => self.webhook(&extension, &parts, &body).await,
            Admin::Subscription(name) => {
                self.event_subscription(&parts.method, parts.uri.path(), &name, &body).await
            }
            Admin::Unsupported(what) => {
                let engine = self.parts.engine.parts();
                let what_was = What::Unsupported { service: "functions".into(), operation: what.clone() };
                engine.journal.send(engine.clock.now(), Subject::default(), what_was);
                fault::unsupported(&what)
            }
        }
    }

    async fn list(&self) -> Response {
        let mut all = Vec::new();
        for app in self.apps() {
            match self.started(&app).await {
                Ok(index) => all.extend(index.functions.iter().map(|function| self.describe(function, &app))),
                Err(down) => return told(down),
            }
        }
        fault::json(StatusCode::OK, &Value::Array(all))
    }

    /// The app of a function, its index, and the function's name as it is written.
    pub(super) async fn named(&self, name: &str) -> Result<(Arc<App>, Arc<Index>, String), Response> {
        for app in self.apps() {
            let index = self.started(&app).await.map_err(told)?;
            if let Some(function) = index.get(name) {
                let name = function.name.clone();
                return Ok((app, index.clone(), name));
            }
        }
        Err(fault::not_found())
    }

    fn described(&self, app: &App, function: Option<&Indexed>) -> Response {
        match function {
            Some(function) => fault::json(StatusCode::OK, &self.describe(function, app)),
            None => fault::not_found(),
        }
    }

    fn describe(&self, function: &Indexed, app: &App) -> Value {
        let base = self.parts.place.base();
        let name = &function.name;
        let by_http = function.trigger.is("httpTrigger");
        let bindings: Vec<Value> = std::iter::once(&function.trigger)
            .chain(&function.others)
            .map(|binding| Value::Object(binding.said.clone()))
            .collect();
        json!({
            "name": name,
            "script_root_path_href": format!("{base}/admin/vfs/{name}/"),
            "script_href": format!("{base}/admin/vfs/{}", function.script_file.trim_start_matches('/')),
            "config_href": format!("{base}/admin/vfs/{name}/function.json"),
            "test_data_href": null,
            "href": format!("{base}/admin/functions/{name}"),
            "invoke_url_template": by_http.then(|| url_of(function, app, &self.parts.place)),
            "language": app.language,
            "config": {
                "name": name,
                "entryPoint": function.entry_point,
                "scriptFile": function.script_file,
                "language": app.language,
                "functionDirectory": function.directory,
                "bindings": bindings,
                "route": by_http.then(|| path_of(function, app)),
            },
            "files": null,
            "test_data": "",
            "isDisabled": app.bindings.is_disabled(function),
            "isDirect": false,
            "isProxy": false,
        })
    }

    fn host_status(&self) -> Value {
        let engine = self.parts.engine.parts();
        let errors: Vec<_> =
            self.apps().iter().filter_map(|app| app.trouble()).map(|why| fault::sentence(&why)).collect();
        let mut status = json!({
            "id": self.apps().first().map_or_else(|| "mlemu".to_owned(), |app| app.id.name.to_string()),
            "state": if errors.is_empty() { "Running" } else { "Error" },
            "version": HOST_VERSION,
            "versionDetails": format!("{HOST_VERSION} (mlemu {})", env!("CARGO_PKG_VERSION")),
            "platformVersion": "",
            "instanceId": "",
            "computerName": "localhost",
            "processUptime": u64::try_from(engine.clock.elapsed().as_millis()).unwrap_or(u64::MAX),
            "functionAppContentEditingState": "NotAllowed",
        });
        if !errors.is_empty() {
            status["errors"] = json!(errors);
        }
        status
    }

    /// Answers at once; the function runs behind it.
    async fn invoke(&self, name: &str, body: &Bytes) -> Response {
        let said: Option<Value> = serde_json::from_slice(body).ok();
        let Some(said) = said.filter(Value::is_object) else {
            return fault::bad_request("the body must be a document with an `input`");
        };
        let (app, _, name) = match self.named(name).await {
            Ok(found) => found,
            Err(response) => return response,
        };
        let input = match &said["input"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let id = new_id(self.parts.engine.ids());
        let target = FunctionId::new(app.id.scope.clone(), &name);
        let cause = Cause::Request(id.0.clone());
        let invoke = Invoke { mode: Mode::Queue, ..Invoke::of(id, target, input, cause) };
        match self.parts.engine.invoke(invoke).await {
            Ok(_) => fault::accepted(),
            Err(refusal) => fault::refused(&refusal),
        }
    }

    /// The keys of a function that is there, under its own name.
    async fn meant(&self, ring: Ring) -> Result<Ring, Response> {
        match ring {
            Ring::Function(name) => self.named(&name).await.map(|(_, _, name)| Ring::Function(name)),
            ring => Ok(ring),
        }
    }

    fn key_ring(&self, method: &Method, ring: &Ring) -> Response {
        if method == Method::GET {
            return fault::json(StatusCode::OK, &self.keys.list(ring));
        }
        fault::unsupported("changing a whole ring of keys")
    }

    fn key(&self, method: &Method, ring: Ring, name: &str, body: &Bytes) -> Response {
        let said: Value = serde_json::from_slice(body).unwrap_or_default();
        let value =
            said["value"].as_str().or_else(|| said["properties"]["value"].as_str()).map(str::to_owned);
        match *method {
            Method::GET => match self.keys.get(&ring, name) {
                Some(key) => fault::json(StatusCode::OK, &key),
                None => fault::not_found(),
            },
            _ if name == MASTER => fault::bad_request("the master key of a host here stays as it is"),
            // Names with this sign are the host's own.
            Method::DELETE if name.starts_with('_') => fault::bad_request("this key cannot be deleted"),
            Method::PUT if value.is_none() => fault::bad_request("the body must say the key's `value`"),
            Method::POST => made(self.keys.set(ring, name, None)),
            Method::PUT => made(self.keys.set(ring, name, value)),
            Method::DELETE if self.keys.delete(&ring, name) => fault::gone(),
            _ => fault::not_found(),
        }
    }
}

fn made((key, is_new): (Value, bool)) -> Response {
    fault::json(if is_new { StatusCode::CREATED } else { StatusCode::OK }, &key)
}

fn is_extension(name: &str) -> bool {
    ["eventgrid", "blobs"].contains(&name.to_ascii_lowercase().as_str())
}

fn told(down: Down) -> Response {
    match down {
        Down::Failed(failure) => fault::down(&failure),
        Down::Refused(refusal) => fault::refused(&refusal),
    }
}

fn status_of(function: Option<&Indexed>) -> Response {
    match function {
        None => fault::not_found(),
        Some(Indexed { fault: Some(why), .. }) => fault::json(StatusCode::OK, &json!({ "errors": [why] })),
        Some(_) => fault::json(StatusCode::OK, &json!({})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_be_here_is() {
        let found = |line: &str| {
            let (methods, path) = line.rsplit_once(' ').unwrap();
            let path = path.replace(['{', '}'], "");
            let has = |method: &str| {
                !matches!(route(&method.parse().unwrap(), &path), None | Some(Admin::Unsupported(_)))
            };
            methods.split(", ").map(has).collect::<Vec<_>>()
        };
        for line in HERE {
            assert!(found(line).iter().all(|here| *here), "{line}");
        }
        for line in MISSING {
            assert!(found(line).iter().all(|here| !here), "{line}");
        }
    }

    #[test]
    fn paths_of_the_api() {
        let get = |path: &str| route(&Method::GET, path);
        assert_eq!(get("/admin/functions/"), Some(Admin::Functions));
        assert_eq!(route(&Method::POST, "/admin/functions/Score"), Some(Admin::Invoke("Score".into())));
        assert_eq!(get("/admin/host/systemkeys"), Some(Admin::Keys(Ring::System)));
        assert_eq!(get("/admin/host/keys/_master"), Some(Admin::Key(Ring::Host, "_master".into())));
        assert_eq!(get("/admin/host/ping"), Some(Admin::Ping));
        assert!(matches!(get("/admin/vfs/x"), Some(Admin::Unsupported(_))));
        assert_eq!(get("/runtime/webhooks/EventGrid"), Some(Admin::Webhook("EventGrid".into())));
        assert!(matches!(get("/runtime/webhooks/durabletask"), Some(Admin::Unsupported(_))));
        assert_eq!(get("/api/admin/functions"), None);
    }
}
