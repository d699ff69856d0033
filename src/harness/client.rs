//! The one client of the control API: the command line's, that of tests beside a daemon, and what is below a
//! [`Session`](super::Session).
//!
//! Requests and answers are here; [`asks`] has a method for each thing that can be asked, [`records`] the stream of
//! what happens.

mod asks;
pub mod records;

use super::trouble::{Diagnosis, HarnessError};
use crate::daemon::control::Control;
use crate::daemon::listener::Service;
use crate::daemon::scope;
use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

type Http = hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>;

/// How long a wait lasts at most when nothing is said.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Speaks with a daemon, in one of its scopes. A cheap handle.
///
/// ```no_run
/// # async fn test() -> Result<(), mlemu::harness::HarnessError> {
/// // Inside of `mlemu exec -- cargo test`.
/// let mlemu = mlemu::harness::Client::of_surroundings().expect("a daemon");
/// let trace = mlemu.put("uploads", "cat.jpg", "...").await?;
/// mlemu.settled(&trace).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    line: Line,
    token: String,
    /// The scope that is meant, if it is not the first.
    scope: Option<String>,
    patience: Duration,
}

#[derive(Clone)]
enum Line {
    /// To a daemon of another process, e.g. at `http://127.0.0.1:4600`.
    Http { control: String, http: Http },
    /// To a daemon of this process, without a socket.
    Here(Arc<Control>),
}

impl Client {
    /// `control`: where the control API is, e.g. `http://127.0.0.1:4600`; `token`: what opens it.
    pub fn new(control: impl Into<String>, token: impl Into<String>) -> Self {
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
        Self::over(Line::Http { control: control.into(), http }, token.into())
    }

    pub(super) fn here(control: Arc<Control>, token: String) -> Self {
        Self::over(Line::Here(control), token)
    }

    fn over(line: Line, token: String) -> Self {
        Self { line, token, scope: None, patience: PATIENCE }
    }

    /// The daemon and the scope that a command of `mlemu exec` lives in. `None`: it is no such command.
    pub fn of_surroundings() -> Option<Self> {
        let said = |name| std::env::var(name).ok();
        let (control, token) = (said("MLEMU_URL")?, said("MLEMU_TOKEN")?);
        Some(Self { scope: said("MLEMU_SCOPE"), ..Self::new(control, token) })
    }

    /// How long waits last at most, on the machine's clock.
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Where the control API is; nothing for a daemon of this process.
    pub fn control(&self) -> &str {
        match &self.line {
            Line::Http { control, .. } => control,
            Line::Here(_) => "",
        }
    }

    /// What opens the control API.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Whatever the control API answers.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Body>, HarnessError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.control()))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        if let Some(scope) = &self.scope {
            request = request.header(scope::HEADER, scope);
        }
        let request = request.body(body).map_err(|error| {
            let (path, why) = (path.to_owned(), error.to_string());
            HarnessError::NoRequest { path, why }
        })?;
        match &self.line {
            Line::Here(control) => Ok(control.answer(request.map(Body::from)).await),
            Line::Http { control, http } => {
                let answer = http.request(request.map(Full::new)).await;
                answer.map(|answer| answer.map(Body::new)).map_err(|error| {
                    let why = error.to_string();
                    HarnessError::Unreachable { at: control.clone(), why }
                })
            }
        }
    }

    /// The body of an answer that was no error.
    ///
    /// # Errors
    /// What the control API refuses; what was waited for in vain.
    pub async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Body, HarnessError> {
        let (head, body) = self.request(method, path, body).await?.into_parts();
        if head.status.is_success() {
            return Ok(body);
        }
        let body = whole(body).await?;
        if head.status == StatusCode::REQUEST_TIMEOUT {
            return Err(HarnessError::NotSettled(Box::new(Diagnosis::read(&body))));
        }
        let document: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let why = document["error"].as_str().unwrap_or("the daemon gave no reason").to_owned();
        Err(HarnessError::Refused { status: head.status, why })
    }

    /// The document of an answer that was no error.
    ///
    /// # Errors
    /// As [`Self::send`]; when the answer is none that is known here.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, HarnessError> {
        let body = whole(self.send(method, path, body).await?).await?;
        serde_json::from_slice(&body).map_err(|error| HarnessError::BrokenOff(error.to_string()))
    }
}

/// Everything that a body holds.
///
/// # Errors
/// When it breaks off.
pub async fn whole(body: Body) -> Result<Bytes, HarnessError> {
    let collected = body.collect().await.map_err(|error| HarnessError::BrokenOff(error.to_string()))?;
    Ok(collected.to_bytes())
}

/// A name as a part of a path.
pub fn part(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}
