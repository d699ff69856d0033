//! What a project says of an endpoint.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    pub name: String,
    /// At least one.
    pub variants: Vec<Variant>,
    /// Models by the names that requests choose them by, in the place of a variant's own; mostly none.
    #[serde(default)]
    pub models: Vec<Variant>,
    /// What only its vendor understands, by the key of the project's file.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    pub name: String,
    /// Its share of the requests, relative to those of the others.
    #[serde(default = "one")]
    pub weight: f64,
    /// Added to every answer.
    #[serde(default)]
    pub latency_ms: u64,
    /// The share of its requests that fails, from 0 to 1.
    #[serde(default)]
    pub errors: f64,
    pub backend: Backend,
}

/// What is behind a variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// By its name.
    Function(String),
    Reply {
        body: String,
        content_type: String,
    },
    /// A server elsewhere, by its address.
    Http(String),
}

fn one() -> f64 {
    1.0
}

impl Variant {
    pub fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms)
    }
}
