//! `/_mlemu/recordings`: a session of a running daemon, kept as a test file.

use super::{Fault, In};
use crate::harness::script::write;
use axum::response::IntoResponse;
use http::{StatusCode, header};

/// From here on everything is recorded.
pub async fn start(In(world): In) -> Result<StatusCode, Fault> {
    if world.record() {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Fault(StatusCode::CONFLICT, "a session of this scope is recorded already".into()))
}

/// What was recorded, as a test file; nothing is recorded any more.
pub async fn stop(In(world): In) -> Result<impl IntoResponse, Fault> {
    let session = world.end_recording().await;
    let session = session.ok_or_else(|| Fault(StatusCode::NOT_FOUND, "nothing is recorded".into()))?;
    Ok(([(header::CONTENT_TYPE, "application/yaml")], write::text(&session, &world)))
}
