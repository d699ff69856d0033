//! `/_mlemu/scopes`: worlds for tests that run beside each other.

use super::Fault;
use crate::daemon::world::World;
use crate::daemon::worlds::Worlds;
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use mlemu_core::Environment;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A scope, and how its requests say that they are for it.
#[derive(Debug, Serialize, Deserialize)]
pub struct ScopeLine {
    pub name: String,
    /// Twelve digits: as an access key it chooses this scope.
    pub account: String,
    /// Before the paths of this scope; empty for the first.
    pub prefix: String,
    /// Variables that point every vendor's SDK here.
    pub environment: Environment,
    /// Functions and where they are invoked by HTTP.
    pub functions: Environment,
}

impl ScopeLine {
    pub fn of(world: &World) -> Self {
        Self {
            name: world.name.name.to_string(),
            account: world.name.account.to_string(),
            prefix: world.name.prefix(),
            environment: world.environment(),
            functions: world.function_urls().into_iter().collect(),
        }
    }
}

pub async fn list(State(worlds): State<Arc<Worlds>>) -> Json<Vec<ScopeLine>> {
    Json(worlds.all().iter().map(|world| ScopeLine::of(world)).collect())
}

/// Makes a scope, or finds the one that is there.
pub async fn make(
    State(worlds): State<Arc<Worlds>>,
    Path(name): Path<String>,
) -> Result<Json<ScopeLine>, Fault> {
    let world = worlds.named(&name).await?;
    Ok(Json(ScopeLine::of(&world)))
}

/// Ends a scope.
pub async fn end(State(worlds): State<Arc<Worlds>>, Path(name): Path<String>) -> Result<StatusCode, Fault> {
    worlds.end(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}
