//! `/_mlemu/clock`: what time the emulated clouds have, and how it passes.
//!
//! It governs what clouds do by time: schedules, delays, leases, retries, keep-alive of instances, expiry of links,
//! and the dates of objects, events and records. It cannot govern the time that a function's own process reads, nor
//! how long its code takes.

use super::wait::Stuck;
use super::{Fault, In, read, unreadable};
use crate::daemon::recording::Did;
use crate::daemon::world::World;
use axum::Json;
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use mlemu_core::{Clock, Timestamp};
use mlemu_engine::clock::{Course, Forward};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long going forward may take when nothing is said, in milliseconds.
const PATIENCE: u64 = 60_000;
/// How many of the next due times are shown.
const SHOWN: usize = 10;

/// Done in this order: real, now, frozen or rate, advance.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steer {
    /// As the machine's clock again.
    #[serde(default)]
    pub real: bool,
    /// Set to this time, RFC 3339. What would have fallen due on the way does so in its order, but for schedules.
    #[serde(default)]
    pub now: Option<String>,
    /// Stand still, or go on.
    #[serde(default)]
    pub frozen: Option<bool>,
    /// So many times as fast as the machine's.
    #[serde(default)]
    pub rate: Option<f64>,
    /// Go forward by this much, e.g. `10m`; answers when everything that fell due on the way has settled.
    #[serde(default)]
    pub advance: Option<String>,
    /// How long all of it may take, on the machine's clock.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Face {
    /// RFC 3339.
    pub now: String,
    /// Microseconds since 1970.
    pub now_us: i64,
    /// `real`, `frozen` or `running`.
    pub mode: String,
    pub rate: f64,
    /// Ahead of the machine's clock; behind it when negative.
    pub offset_ms: i64,
    /// The next times that something falls due, RFC 3339.
    pub due: Vec<String>,
}

pub async fn show(In(world): In) -> Json<Face> {
    Json(face(&world))
}

fn face(world: &World) -> Face {
    let clock = &world.clock;
    let now = clock.now();
    let ahead = now.millis() - clock.machine().millis();
    let (mode, rate, offset_ms) = match clock.course() {
        // Between two looks at it even the machine's clock goes on.
        Course::Real => ("real", 1.0, 0),
        Course::Steered { rate, .. } if rate > 0.0 => ("running", rate, ahead),
        Course::Steered { .. } => ("frozen", 0.0, ahead),
    };
    Face {
        now: written(now),
        now_us: now.0,
        mode: mode.into(),
        rate,
        offset_ms,
        due: clock.next_due(SHOWN).into_iter().map(written).collect(),
    }
}

fn written(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0).map(|at| at.to_string()).unwrap_or_default()
}

pub async fn steer(In(world): In, body: Bytes) -> Result<Response, Fault> {
    let steer: Steer = read(&body)?;
    let steps = Steps::of(&steer)?;
    let patience = Duration::from_millis(steer.timeout_ms.unwrap_or(PATIENCE));
    steps.told(&world).await;
    if tokio::time::timeout(patience, steps.take(&world)).await.is_err() {
        let why = format!("not settled after {} ms; time stands where it had come to", patience.as_millis());
        return Ok((StatusCode::REQUEST_TIMEOUT, Json(Stuck::now(&world, why))).into_response());
    }
    Ok(Json(face(&world)).into_response())
}

/// Steers without a limit of time.
///
/// # Errors
/// What of it is not understood.
pub async fn steered(world: &World, steer: &Steer) -> Result<(), Fault> {
    Steps::of(steer)?.take(world).await;
    Ok(())
}

/// A request that is understood whole before any of it is done.
#[derive(Debug, Default, PartialEq)]
struct Steps {
    real: bool,
    now: Option<Timestamp>,
    rate: Option<f64>,
    advance: Option<Duration>,
}

impl Steps {
    fn of(steer: &Steer) -> Result<Self, Fault> {
        let rate = match (steer.frozen, steer.rate) {
            (Some(_), Some(_)) => return Err(unreadable("give `frozen` or `rate`, not both".into())),
            (Some(frozen), None) => Some(if frozen { 0.0 } else { 1.0 }),
            (None, Some(rate)) if (0.0..=1_000_000.0).contains(&rate) => Some(rate),
            (None, Some(rate)) => return Err(unreadable(format!("`{rate}` is no rate: 0 to 1000000"))),
            (None, None) => None,
        };
        let now = steer.now.as_deref().map(parsed).transpose()?;
        let advance = steer.advance.as_deref().map(|text| {
            crate::config::duration(text)
                .ok_or_else(|| unreadable(format!("`{text}` is no duration: write 500ms, 30s, 10m or 6h")))
        });
        Ok(Self { real: steer.real, now, rate, advance: advance.transpose()? })
    }

    /// As a recording has it: a rate is of no use to a test.
    async fn told(&self, world: &World) {
        if self.real {
            world.did(|| Did::WentReal).await;
        }
        if self.rate == Some(0.0) {
            world.did(|| Did::Froze(self.now.unwrap_or_else(|| world.clock.now()))).await;
        }
        if let Some(by) = self.advance {
            world.did(|| Did::Advanced(by)).await;
        }
    }

    async fn take(&self, world: &World) {
        let (clock, settle) = (&world.clock, world.engine.settle());
        if self.real {
            world.steer(Course::Real).await;
        }
        if let Some(at) = self.now {
            if at >= clock.now() {
                // Years of nights would be too many: only an advance meets each.
                world.schedules.hold();
                clock.forward(Forward::To(at), settle).await;
                world.schedules.restart();
            } else {
                let rate = if let Course::Steered { rate, .. } = clock.course() { rate } else { 1.0 };
                world.steer(Course::Steered { at, rate }).await;
            }
        }
        if let Some(rate) = self.rate {
            // From the time that was asked for, however long it took to get there.
            let at = self.now.unwrap_or_else(|| clock.now());
            world.steer(Course::Steered { at, rate }).await;
        }
        if let Some(wait) = self.advance {
            clock.forward(Forward::By(wait), settle).await;
        }
    }
}

fn parsed(text: &str) -> Result<Timestamp, Fault> {
    let at: Result<jiff::Timestamp, _> = text.parse();
    at.map(|at| Timestamp(at.as_microsecond()))
        .map_err(|error| unreadable(format!("`{text}` is no time like 2026-01-01T00:00:00Z: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(json: &str) -> Result<Steps, Fault> {
        read::<Steer>(json.as_bytes()).and_then(|steer| Steps::of(&steer))
    }

    #[test]
    fn requests_are_understood_whole_or_refused() {
        let all = steps(r#"{ "now": "1970-01-01T00:00:01Z", "frozen": true, "advance": "6h" }"#).ok();
        let expected = Steps {
            real: false,
            now: Some(Timestamp(1_000_000)),
            rate: Some(0.0),
            advance: Some(Duration::from_secs(6 * 3600)),
        };
        assert_eq!(all, Some(expected));
        for wrong in [
            r#"{ "now": "tomorrow" }"#,
            r#"{ "advance": "-5m" }"#,
            r#"{ "advance": 5 }"#,
            r#"{ "rate": -1 }"#,
            r#"{ "rate": 2, "frozen": true }"#,
            r#"{ "freeze": true }"#,
            "",
        ] {
            assert!(steps(wrong).is_err(), "{wrong}");
        }
    }
}
