//! What is wrong with a configuration: where it is, the line itself, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

/// A fault in a configuration file, and whatever else was found wrong on the way.
///
/// Shown without colours; the first line says what, the others where and what to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigError {
    pub what: String,
    pub file: Option<PathBuf>,
    /// Counts from 1; 0 when the whole file is meant.
    pub line: usize,
    /// In characters, counts from 1; 0 when the whole line is meant.
    pub column: usize,
    /// The line of the file, shortened when it is very long.
    pub snippet: Option<Snippet>,
    pub hint: Option<String>,
    /// Further findings, each complete in itself.
    pub others: Vec<ConfigError>,
}

/// One line of a file with the part that is meant.
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

    pub fn in_file(mut self, file: &Path) -> Self {
        self.file = Some(file.to_owned());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// All findings as one error; `None` when there are none.
    pub fn all(mut findings: Vec<ConfigError>) -> Option<Self> {
        if findings.is_empty() {
            return None;
        }
        let mut first = findings.remove(0);
        first.others.append(&mut findings);
        Some(first)
    }

    /// Names files as seen from `folder`, which is shorter to read.
    pub(super) fn seen_from(mut self, folder: &Path) -> Self {
        if let Some(inside) = self.file.as_ref().and_then(|file| file.strip_prefix(folder).ok()) {
            self.file = Some(inside.to_owned());
        }
        self.others = self.others.into_iter().map(|other| other.seen_from(folder)).collect();
        self
    }

    fn write_place(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(file) = &self.file else { return Ok(()) };
        let gutter = self.line.to_string().len();
        write!(f, "\n{:gutter$}--> {}", "", file.display())?;
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
        self.write_place(f)?;
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
