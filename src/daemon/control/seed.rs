//! `/_mlemu/seed`: from where on a run repeats.

use super::{Fault, In, read};
use axum::body::Bytes;
use http::StatusCode;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    seed: u64,
}

/// From now on ids, the order of what starts by itself and the dice of new faults come from the seed.
pub async fn set(In(world): In, body: Bytes) -> Result<StatusCode, Fault> {
    let Wanted { seed } = read(&body)?;
    world.repeat_by(seed);
    Ok(StatusCode::NO_CONTENT)
}
