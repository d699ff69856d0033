//! A configuration file as text: read with bounds, and able to point at a place in itself.

use super::error::{ConfigError, Place, Snippet};
use super::plain;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// No honest configuration is larger.
const LIMIT: u64 = 10 * 1024 * 1024;
/// Characters of a long line that are shown around the fault.
const SHOWN: usize = 120;

/// A place in a text: both count from 1, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

#[derive(Clone, Debug)]
pub struct SourceText {
    pub path: PathBuf,
    pub text: String,
    /// Byte offset at which each line begins.
    lines: Vec<usize>,
}

impl SourceText {
    /// Reads a file of at most 10 MB. A byte order mark is left out.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable =
            |why: std::io::Error| ConfigError::new(format!("cannot read: {}", plain::io(&why))).in_file(path);
        let mut bytes = Vec::new();
        // One byte more than allowed, so that "too large" is seen whatever the file system says its size is.
        File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
        if bytes.len() as u64 > LIMIT {
            return Err(ConfigError::new("larger than 10 MB").in_file(path));
        }
        let text = String::from_utf8(bytes).map_err(|fault| not_text(path, &fault))?;
        Ok(Self::new(path, &text))
    }

    pub fn new(path: &Path, text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect();
        Self { path: path.to_owned(), text, lines }
    }

    /// An error about the bytes `span` of the text.
    pub fn error_at(&self, span: Range<usize>, what: impl Into<String>) -> ConfigError {
        let start = self.text.floor_char_boundary(span.start);
        let marked = self.text.get(start..span.end).unwrap_or_default();
        let width = marked.lines().next().unwrap_or_default().chars().count();
        self.error(self.position(start), width, what)
    }

    /// An error about `width` characters from a place.
    pub fn error(&self, at: Position, width: usize, what: impl Into<String>) -> ConfigError {
        ConfigError::new(what).at(Place {
            file: self.path.clone(),
            line: at.line,
            column: at.column,
            snippet: self.line(at.line).map(|line| snippet(line, at.column.saturating_sub(1), width)),
        })
    }

    /// Where the byte `offset` is.
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.lines.partition_point(|start| *start <= offset);
        let before = &self.text[self.lines[line - 1]..offset];
        Position { line, column: before.chars().count() + 1 }
    }

    fn line(&self, number: usize) -> Option<&str> {
        let start = *self.lines.get(number.checked_sub(1)?)?;
        self.text[start..].lines().next()
    }
}

fn not_text(path: &Path, fault: &std::string::FromUtf8Error) -> ConfigError {
    let valid = fault.utf8_error().valid_up_to();
    let before = String::from_utf8_lossy(&fault.as_bytes()[..valid]).into_owned();
    let at = SourceText::new(path, &before).position(valid);
    let place = Place { file: path.to_owned(), line: at.line, column: at.column, snippet: None };
    ConfigError::new("not UTF-8 text").at(place)
}

/// Cuts a window out of a long line; control characters, which would move the caret, become blanks.
fn snippet(line: &str, start: usize, width: usize) -> Snippet {
    let skipped = if start > SHOWN { start - SHOWN / 2 } else { 0 };
    let shown = line.chars().skip(skipped).take(SHOWN + SHOWN / 2);
    let text: String = shown.map(|c| if c.is_control() { ' ' } else { c }).collect();
    let start = start - skipped;
    let room = text.chars().count().saturating_sub(start);
    Snippet { text, start, width: width.min(room).max(1) }
}
