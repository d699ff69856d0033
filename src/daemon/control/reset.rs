//! `/_mlemu/reset`, `/_mlemu/snapshots` and cold starts on demand.

use super::{Fault, In, read, unreadable};
use crate::daemon::reset::Extent;
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use http::StatusCode;
use mlemu_engine::Interrupt;
use serde::{Deserialize, Serialize};

/// Longest name of a snapshot.
const NAME: usize = 200;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    #[serde(default)]
    pub scope: Extent,
    /// The next calls are cold starts.
    #[serde(default)]
    pub cold: bool,
}

pub async fn reset(In(world): In, body: Bytes) -> Result<StatusCode, Fault> {
    let reset: Reset = if body.is_empty() { Reset::default() } else { read(&body)? };
    world.reset(reset.scope, reset.cold).await;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn kept(In(world): In) -> Json<Vec<String>> {
    Json(world.kept())
}

pub async fn keep(In(world): In, Path(name): Path<String>) -> Result<StatusCode, Fault> {
    if name.len() > NAME {
        return Err(unreadable(format!("a snapshot's name has at most {NAME} bytes")));
    }
    world.keep(&name).await;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn restore(In(world): In, Path(name): Path<String>) -> Result<StatusCode, Fault> {
    if world.go_back(&name).await {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Fault(StatusCode::NOT_FOUND, format!("there is no snapshot `{name}`")))
}

/// The function's next call is a cold start.
pub async fn cold(In(world): In, Path(name): Path<String>) -> Result<StatusCode, Fault> {
    let function = world.find(&name)?;
    world.engine.interrupt(Some(&function), Interrupt::Warmth);
    Ok(StatusCode::NO_CONTENT)
}
