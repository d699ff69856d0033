//! What is wrong with a configuration: where it is, the line itself, and what to do about it.

use super::paths;
use std::fmt;
use std::path::{Path, PathBuf};

/// More would only scroll away.
pub(super) const MOST_FINDINGS: usize = 20;

/// A fault in a configuration file, and whatever else was found wrong on the way.
///
/// Shown without colours; the first line says what, the others where and what to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigError {
    pub what: String,
    pub at: Option<Box<Place>>,
    pub hint: Option<String>,
    /// Further findings, each complete in itself.
    pub others: Vec<ConfigError>,
}

/// Where in which file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub file: PathBuf,
    /// Counts from 1; 0 when the whole file is meant.
    pub line: usize,
    /// In characters, counts from 1; 0 when the whole line is meant.
    pub column: usize,
    pub snippet: Option<Snippet>,
}

/// One line of a file, shortened when it is very long, with the part that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    pub text: String,
    /// First marked character of `text`, from 0.
    pub start: usize,
    /// How many characters are marked; at least 1.
    pub width: usize,
}

impl ConfigError {
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), ..Self::default() }
    }

    pub fn at(mut self, place: Place) -> Self {
        self.at = Some(Box::new(place));
        self
    }

    pub fn in_file(self, file: &Path) -> Self {
        self.at(Place { file: file.to_owned(), ..Place::default() })
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The findings as one error; `None` when there are none.
    pub fn all(mut findings: Vec<ConfigError>) -> Option<Self> {
        if findings.is_empty() {
            return None;
        }
        findings.truncate(MOST_FINDINGS);
        let mut first = findings.remove(0);
        first.others.append(&mut findings);
        Some(first)
    }

    /// Names files as seen from `folder`, which is shorter to read.
    pub(super) fn seen_from(mut self, folder: &Path) -> Self {
        if let Some(place) = &mut self.at {
            place.file = paths::shown(folder, &place.file);
        }
        self.others = self.others.into_iter().map(|other| other.seen_from(folder)).collect();
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gutter = self.line.to_string().len();
        write!(f, "{:gutter$}--> {}", "", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        let Some(snippet) = &self.snippet else { return Ok(()) };
        write!(f, "\n{:gutter$} |\n{} | {}", "", self.line, snippet.text)?;
        write!(f, "\n{:gutter$} | {:indent$}{}", "", "", "^".repeat(snippet.width), indent = snippet.start)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(place) = &self.at {
            write!(f, "\n{place}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        for other in &self.others {
            write!(f, "\n\n{other}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
