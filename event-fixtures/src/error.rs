//! What can be wrong with a fixture or with what was asked of it, and what to do about it.

use std::path::PathBuf;
use thiserror::Error;

/// Why there is no event. Lines and columns count from 1 and are those of the template.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FixtureError {
    #[error("no fixture is called `{name}`")]
    UnknownFixture { name: String, similar: Vec<String> },
    #[error("`{fixture}` has no parameter `{name}`")]
    UnknownParam { fixture: String, name: String, similar: Vec<String>, known: Vec<String> },
    #[error("`{text}` is not a parameter: {why}")]
    ParamSyntax { text: String, why: String },
    #[error("parameter `{name}`: {why}")]
    BadParam { name: String, why: String, hint: Option<String> },
    #[error("`{fixture}` needs the parameter `{name}`")]
    MissingParam { fixture: String, name: String },
    #[error("{fixture}:{line}: {why}")]
    FrontMatter { fixture: String, line: usize, why: String },
    #[error("{fixture}:{line}:{column}: {why}")]
    Template { fixture: String, line: usize, column: usize, why: String, hint: Option<String> },
    #[error("{fixture}:{line}:{column}: what came out is not JSON: {why}, near `{near}`")]
    NotJson { fixture: String, line: usize, column: usize, why: String, near: String },
    #[error("cannot read {}: {why}", path.display())]
    Unreadable { path: PathBuf, why: String, hint: Option<String> },
    #[error("{what} is over {limit} bytes")]
    TooLarge { what: String, limit: usize },
    #[error("`{fixture}` is one event, not a batch: a count of {count} means nothing to it")]
    NotABatch { fixture: String, count: u32 },
    #[error("a count of {count} is over {limit}")]
    TooMany { count: u32, limit: u32 },
    #[error("`{fixture}` cannot carry a payload")]
    NotAnEnvelope { fixture: String, envelopes: Vec<String> },
    #[error("a payload of bytes that are not text needs an HTTP envelope, and `{fixture}` is none")]
    BinaryPayload { fixture: String },
    #[error("`{fixture}` is composed of fixtures that are composed in turn")]
    ComposedTwice { fixture: String },
}

impl FixtureError {
    /// What to do next, if there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownFixture { similar, .. } => {
                Some(did_you_mean(similar).unwrap_or_else(|| "`mlemu events list` shows them all".into()))
            }
            Self::UnknownParam { known, .. } if known.is_empty() => {
                Some("it declares none; a template declares them in its front matter: [params.NAME]".into())
            }
            Self::UnknownParam { similar, known, .. } => {
                Some(did_you_mean(similar).unwrap_or_else(|| format!("it has: {}", known.join(", "))))
            }
            Self::ParamSyntax { .. } => Some("write NAME=TEXT, NAME=@FILE or NAME:=JSON".into()),
            Self::MissingParam { name, .. } => Some(format!("add -p {name}=...")),
            Self::NotJson { .. } => {
                Some("text belongs between quotes; objects and lists are written with {{json x}}".into())
            }
            Self::NotAnEnvelope { envelopes, .. } => Some(format!("these can: {}", envelopes.join(", "))),
            Self::BadParam { hint, .. } | Self::Template { hint, .. } | Self::Unreadable { hint, .. } => {
                hint.clone()
            }
            _ => None,
        }
    }
}

/// `did you mean ...?`, when there is anything to mean.
pub(crate) fn did_you_mean(similar: &[String]) -> Option<String> {
    let quoted: Vec<_> = similar.iter().map(|name| format!("`{name}`")).collect();
    (!quoted.is_empty()).then(|| format!("did you mean {}?", quoted.join(" or ")))
}
