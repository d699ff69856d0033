//! How the program ends: documented codes, and complaints that say what to do next.

use std::process::ExitCode;

/// Exit codes, documented in docs/reference/cli.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Ok,
    /// The function failed.
    Failed,
    /// The call or the project's files are wrong.
    Usage,
    /// No such function, fixture or revision.
    NotFound,
    /// No daemon, or it does not answer.
    Unreachable,
    /// What was waited for did not come in time.
    TimedOut,
    /// Ended by Ctrl-C.
    Interrupted,
    /// Ended by SIGTERM.
    Terminated,
    /// As the command under test ended.
    Of(u8),
}

/// The harness itself failed, before the command under test could start.
pub const HARNESS_FAILED: Exit = Exit::Of(125);
/// The command under test cannot be started.
pub const NOT_EXECUTABLE: Exit = Exit::Of(126);
/// There is no such command.
pub const NO_SUCH_COMMAND: Exit = Exit::Of(127);

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Ok => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NotFound => 3,
            Exit::Unreachable => 4,
            Exit::TimedOut => 5,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
            Exit::Of(code) => code,
        })
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
            StartError::Store(error) => Self { hint: error.hint(), ..Self::new(what) },
            StartError::Refused { .. } => Self::config(what),
            StartError::Locator(LocatorError::AlreadyUp(_)) => {
                Self::usage(what).hint("use it with `mlemu invoke`, or stop it with Ctrl-C where it runs")
            }
            StartError::Listen { port, .. } if port != 0 => Self::usage(what)
                .hint("give another with --aws-port, --gcp-port or --control-port, or 0 for any"),
            _ => Self::new(what),
        }
    }
}
