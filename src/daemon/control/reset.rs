//! `/_mlemu/reset`, `/_mlemu/snapshots` and cold starts on demand.

use super::{Fault, read, unreadable};
use crate::daemon::Shared;
use crate::daemon::reset::Extent;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use http::StatusCode;
use mlemu_engine::Interrupt;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Longest name of a snapshot.
const NAME: usize = 200;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    #[serde(default)]
    scope: Extent,
    /// The next calls are cold starts.
    #[serde(default)]
    cold: bool,
}

pub async fn reset(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<StatusCode, Fault> {
    let reset: Reset = if body.is_empty() { Reset::default() } else { read(&body)? };
    shared.reset(reset.scope, reset.cold).await;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn kept(State(shared): State<Arc<Shared>>) -> Json<Vec<String>> {
    Json(shared.kept())
}

pub async fn keep(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Result<StatusCode, Fault> {
    if name.len() > NAME {
        return Err(unreadable(format!("a snapshot's name has at most {NAME} bytes")));
    }
    shared.keep(&name).await;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn restore(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Fault> {
    if shared.go_back(&name).await {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Fault(StatusCode::NOT_FOUND, format!("there is no snapshot `{name}`")))
}

/// The function's next call is a cold start.
pub async fn cold(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Result<StatusCode, Fault> {
    let function = shared.find(&name)?;
    shared.engine.interrupt(Some(&function), Interrupt::Warmth);
    Ok(StatusCode::NO_CONTENT)
}
