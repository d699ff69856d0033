//! What a project says about the daemon rather than about its functions.

pub use super::model::Ports;
use serde::Serialize;

/// Account and region where nothing says otherwise: what every local AWS tool uses.
pub const ACCOUNT: &str = "000000000000";
pub const REGION: &str = "us-east-1";

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// AWS region.
    pub region: String,
    /// AWS account: twelve digits.
    pub account: String,
    pub ports: Ports,
    /// Patterns of files whose changes are no new code, as in `.gitignore`.
    pub watch_ignore: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: REGION.into(),
            account: ACCOUNT.into(),
            ports: Ports::default(),
            watch_ignore: Vec::new(),
        }
    }
}
