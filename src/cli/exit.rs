//! How the program ends: documented codes, and complaints that say what to do next.

use std::process::ExitCode;

/// Exit codes, documented in docs/reference/cli.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Ok = 0,
    /// The function failed.
    Failed = 1,
    /// The call or the project's files are wrong.
    Usage = 2,
    /// No such function, fixture or revision.
    NotFound = 3,
    /// No daemon, or it does not answer.
    Unreachable = 4,
    /// What was waited for did not come in time.
    TimedOut = 5,
    /// Ended by Ctrl-C.
    Interrupted = 130,
    /// Ended by SIGTERM.
    Terminated = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// An error as a person reads it.
#[derive(Clone, Debug)]
pub struct Complaint {
    pub what: String,
    pub hint: Option<String>,
    pub exit: Exit,
}

impl Complaint {
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None, exit: Exit::Failed }
    }

    pub fn usage(what: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(what) }
    }

    /// A mistake in a project's files.
    pub fn config(what: impl Into<String>) -> Self {
        Self::usage(what)
    }

    pub fn not_found(what: impl Into<String>) -> Self {
        Self { exit: Exit::NotFound, ..Self::new(what) }
    }

    pub fn unreachable(what: impl Into<String>) -> Self {
        Self { exit: Exit::Unreachable, ..Self::new(what) }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<crate::daemon::StartError> for Complaint {
    fn from(error: crate::daemon::StartError) -> Self {
        use crate::daemon::StartError;
        use crate::daemon::locator::LocatorError;
        let what = error.to_string();
        match error {
            StartError::Prepare { hint, .. } => Self { hint, ..Self::new(what) },
            StartError::Refused { .. } => Self::config(what),
            StartError::Locator(LocatorError::AlreadyUp(_)) => {
                Self::usage(what).hint("use it with `mlemu invoke`, or stop it with Ctrl-C where it runs")
            }
            StartError::Listen { port, .. } if port != 0 => {
                Self::usage(what).hint("give another with --aws-port or --control-port, or 0 for any")
            }
            _ => Self::new(what),
        }
    }
}
