//! What is asked of a fixture.

use crate::param::Param;
use std::path::PathBuf;

/// Largest number of records in one event; the vendors' own limits are lower.
pub(crate) const MAX_COUNT: u32 = 10_000;

/// Everything that an event depends on beside its fixture: the same request gives the same bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub params: Vec<Param>,
    /// Where ids and random values come from.
    pub seed: u64,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub now: i64,
    /// Records in the event. More than one is for batches only.
    pub count: u32,
    /// The folder that files may be read from. `None`: no file is read, except those given as `k=@file`.
    pub project_root: Option<PathBuf>,
    /// The fixture to put the payload into, e.g. `aws/apigw/rest`; `None` and `bare` leave it as it is.
    pub envelope: Option<String>,
}

impl Default for Request {
    fn default() -> Self {
        Self { params: Vec::new(), seed: 0, now: 0, count: 1, project_root: None, envelope: None }
    }
}

impl Request {
    /// The same request with other parameters, for the other half of a composition.
    pub(crate) fn with(&self, params: Vec<Param>) -> Self {
        Self { params, envelope: None, ..self.clone() }
    }
}
