//! `/_mlemu/schedules`: what starts by time alone, and starting it now.

use super::{Fault, In};
use crate::daemon::recording::Did;
use axum::Json;
use axum::extract::Path;
use http::StatusCode;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub struct ScheduleLine {
    pub id: String,
    pub function: String,
    pub expression: String,
    /// In emulated time, microseconds since 1970.
    pub next: Option<i64>,
}

pub async fn list(In(world): In) -> Json<Vec<ScheduleLine>> {
    let lines = world.schedules.all().into_iter().map(|(schedule, next)| ScheduleLine {
        id: schedule.id.to_string(),
        function: schedule.starts.to_string(),
        expression: schedule.expression,
        next: next.map(|at| at.0),
    });
    Json(lines.collect())
}

pub async fn fire(In(world): In, Path(id): Path<String>) -> Result<StatusCode, Fault> {
    if world.schedules.fire(&id).await {
        world.did(|| Did::Fired(id)).await;
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Fault(StatusCode::NOT_FOUND, format!("there is no schedule `{id}`")))
}
