//! The output of one rendering, and where in the template each part of it came from.

use crate::budget::{Exhausted, MAX_OUTPUT};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Where an element of the template began to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Note {
    written: usize,
    line: usize,
    column: usize,
}

/// All notes of one rendering, in the order of the output.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    written: AtomicUsize,
    notes: Mutex<Vec<Note>>,
}

impl Trail {
    /// The element at this place of the template writes from here on.
    pub(crate) fn note(&self, line: usize, column: usize) {
        let note = Note { written: self.written.load(Ordering::Relaxed), line, column };
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    /// Line and column in the template of what stands at `offset` of the output.
    pub(crate) fn origin(&self, output: &str, offset: usize) -> (usize, usize) {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let next = notes.partition_point(|note| note.written <= offset);
        let Some(note) = next.checked_sub(1).map(|last| notes[last]) else { return (1, 1) };
        let since = &output[output.floor_char_boundary(note.written)..output.floor_char_boundary(offset)];
        match since.rfind('\n') {
            Some(newline) => (note.line + since.matches('\n').count(), since[newline..].chars().count()),
            None => (note.line, note.column),
        }
    }
}

/// Collects the output up to its limit.
#[derive(Debug)]
pub(crate) struct Sink {
    pub bytes: Vec<u8>,
    trail: Arc<Trail>,
}

impl Sink {
    pub(crate) fn new(trail: Arc<Trail>) -> Self {
        Self { bytes: Vec::new(), trail }
    }
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other(Exhausted::Output));
        }
        self.bytes.extend_from_slice(bytes);
        self.trail.written.store(self.bytes.len(), Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
