//! The running daemon that a command is about, and what it refuses as a complaint.

use super::exit::{Complaint, Exit};
use crate::daemon::folders;
use crate::daemon::locator;
use crate::harness::{Client, HarnessError};
use http::StatusCode;
use std::path::Path;

/// What to do where not this folder has a daemon but one above it.
pub fn above(root: &Path) -> Option<String> {
    let folder = folders::locators();
    let project = root.ancestors().skip(1).find(|above| locator::find(&folder, above).is_some())?;
    Some(format!("one is up for {0}: go there, or say `--project {0}`", project.display()))
}

/// The daemon of a project; inside of `mlemu exec` the one that the command runs in. `None`: none runs.
pub fn find(root: &Path) -> Option<Client> {
    Client::of_surroundings().or_else(|| {
        let located = locator::find(&folders::locators(), root)?;
        Some(Client::new(located.control, located.token))
    })
}

/// The daemon, or a complaint that says how to start one.
pub fn need(root: &Path) -> Result<Client, Complaint> {
    find(root).ok_or_else(|| {
        let what = format!("no mlemu is up for the project in {}", root.display());
        let usual = || "start it with `mlemu up`, or name the project with --project".into();
        Complaint::unreachable(what).hint(above(root).unwrap_or_else(usual))
    })
}

impl From<HarnessError> for Complaint {
    fn from(error: HarnessError) -> Self {
        let what = error.to_string();
        match error {
            HarnessError::Start(error) => error.into(),
            HarnessError::Refused { status: StatusCode::NOT_FOUND, .. } => Self::not_found(what),
            HarnessError::Unreachable { .. } => Self::unreachable(what),
            HarnessError::NoRequest { .. } | HarnessError::NoProgram => Self::usage(what),
            HarnessError::NotSettled(_) => Self { exit: Exit::TimedOut, ..Self::new(what) },
            HarnessError::Config(_)
            | HarnessError::Fixture(_)
            | HarnessError::BrokenOff(_)
            | HarnessError::Refused { .. } => Self::new(what),
        }
    }
}
