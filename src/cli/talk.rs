//! Speaking with a running daemon over its control API.

use super::exit::Complaint;
use crate::daemon::folders;
use crate::daemon::{locator, scope};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;
use std::path::Path;

/// What to do where not this folder has a daemon but one above it.
pub fn above(root: &Path) -> Option<String> {
    let folder = folders::locators();
    let project = root.ancestors().skip(1).find(|above| locator::find(&folder, above).is_some())?;
    Some(format!("one is up for {0}: go there, or say `--project {0}`", project.display()))
}

/// The daemon of a project.
pub struct Talk {
    /// `http://127.0.0.1:PORT`
    control: String,
    token: String,
    /// The scope that is meant, if it is not the first.
    scope: Option<String>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Talk {
    /// `None`: no daemon of that project runs.
    /// Inside of `mlemu exec` it is the one that the command runs in.
    pub fn find(root: &Path) -> Option<Self> {
        let said = |name| std::env::var(name).ok();
        let (control, token) = if let (Some(control), Some(token)) = (said("MLEMU_URL"), said("MLEMU_TOKEN"))
        {
            (control, token)
        } else {
            let located = locator::find(&folders::locators(), root)?;
            (located.control, located.token)
        };
        let scope = said("MLEMU_URL").and_then(|_| said("MLEMU_SCOPE"));
        Some(Self { control, token, scope, client: Client::builder(TokioExecutor::new()).build_http() })
    }

    /// Where it is, and what opens it.
    pub fn place(&self) -> (&str, &str) {
        (&self.control, &self.token)
    }

    /// The daemon, or a complaint that says how to start one.
    pub fn need(root: &Path) -> Result<Self, Complaint> {
        Self::find(root).ok_or_else(|| {
            let what = format!("no mlemu is up for the project in {}", root.display());
            let usual = || "start it with `mlemu up`, or name the project with --project".into();
            Complaint::unreachable(what).hint(above(root).unwrap_or_else(usual))
        })
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Complaint> {
        let body = self.call(Method::GET, path, Bytes::new()).await?;
        read(body).await
    }

    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: Bytes) -> Result<T, Complaint> {
        let body = self.call(Method::POST, path, body).await?;
        read(body).await
    }

    /// The body of an answer that was no error.
    pub async fn call(&self, method: Method, path: &str, body: Bytes) -> Result<Incoming, Complaint> {
        let response = self.request(method, path, body).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let body = whole(response.into_body()).await?;
        Err(refused(status, &body))
    }

    /// An answer that was no error, or one that says that the time is over.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Complaint> {
        let response = self.request(method, path, body).await?;
        let status = response.status();
        let body = whole(response.into_body()).await?;
        if status.is_success() || status == StatusCode::REQUEST_TIMEOUT {
            return Ok((status, body));
        }
        Err(refused(status, &body))
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, Complaint> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.control))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        if let Some(scope) = &self.scope {
            request = request.header(scope::HEADER, scope);
        }
        let request = request
            .body(Full::new(body))
            .map_err(|error| Complaint::usage(format!("cannot ask for {path}: {error}")))?;
        let gone = |error: &dyn std::fmt::Display| {
            Complaint::unreachable(format!("the daemon at {} does not answer: {error}", self.control))
        };
        self.client.request(request).await.map_err(|error| gone(&error))
    }
}

fn refused(status: StatusCode, body: &[u8]) -> Complaint {
    let document: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let why = document["error"].as_str().unwrap_or("the daemon gave no reason").to_owned();
    if status == StatusCode::NOT_FOUND { Complaint::not_found(why) } else { Complaint::new(why) }
}

/// The document that an answer holds.
pub async fn read<T: DeserializeOwned>(body: Incoming) -> Result<T, Complaint> {
    serde_json::from_slice(&whole(body).await?).map_err(|error| broken(&error))
}

async fn whole(body: Incoming) -> Result<Bytes, Complaint> {
    body.collect().await.map(http_body_util::Collected::to_bytes).map_err(|error| broken(&error))
}

fn broken(error: &dyn std::fmt::Display) -> Complaint {
    Complaint::new(format!("the daemon's answer broke off: {error}"))
}
