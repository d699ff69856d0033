//! Identity: which cloud and account a thing lives in, and what caused it.
//!
//! Every resource carries its [`Scope`] from the first day, so that parallel tests are scopes of one
//! daemon and not more daemons.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Where a resource lives: a cloud, an account (project, subscription) in it, and a region.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scope {
    pub cloud: Arc<str>,
    /// Account, project or subscription, as the vendor spells it.
    pub account: Arc<str>,
    pub region: Arc<str>,
}

impl Scope {
    pub fn new(cloud: &str, account: &str, region: &str) -> Self {
        Self { cloud: cloud.into(), account: account.into(), region: region.into() }
    }
}

/// One function: its scope and its name in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FunctionId {
    pub scope: Arc<Scope>,
    pub name: Arc<str>,
}

impl FunctionId {
    pub fn new(scope: Arc<Scope>, name: &str) -> Self {
        Self { scope, name: name.into() }
    }
}

impl fmt::Display for FunctionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// One attempt to run a function on one event; spelled as the vendor spells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InvocationId(pub Arc<str>);

impl fmt::Display for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One execution environment; counted over the life of its scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct InstanceId(pub u64);

/// Which life of the state a handle belongs to. A reset begins the next epoch, and whatever an older
/// epoch still wants to write is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Epoch(pub u64);

/// What made something happen. The chain of causes is what "wait until settled" follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A request from outside; the string is its trace id.
    Request(Arc<str>),
    /// A fact inside the emulator; `trace` is that of the request which began the chain.
    Occurrence { sequence: u64, trace: Arc<str> },
    /// A schedule that fell due, or was fired; the string is the trace id of all that it starts.
    Schedule(Arc<str>),
    /// mlemu itself: a declared start, a reload.
    Mlemu,
}

impl Cause {
    /// The id that the whole chain is filed under; empty where mlemu itself began it.
    pub fn trace(&self) -> Arc<str> {
        match self {
            Self::Request(trace) | Self::Schedule(trace) | Self::Occurrence { trace, .. } => trace.clone(),
            Self::Mlemu => "".into(),
        }
    }
}
