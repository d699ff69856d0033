//! What an instance writes, as records, line by line.

use crate::history::Past;
use crate::parts::Parts;
use mlemu_core::sandbox::Output;
use mlemu_core::{LogLine, Record, Runtime, Sink, Stream, Subject, What};
use std::sync::{Arc, Mutex, PoisonError};

/// A longer line is cut into pieces of at most this many bytes.
const LINE_LIMIT: usize = 256 * 1024;

/// Most of an invocation's log that is kept for its caller, in bytes; of more the newest half stays.
const TAIL_LIMIT: usize = 4 * 1024 * 1024;
/// What a line takes in memory beside its text, in bytes.
const LINE: usize = size_of::<String>() + 32;

/// The log of one instance. Sandboxes write into it from their own tasks.
pub(super) struct Log {
    parts: Parts,
    client: Arc<dyn Runtime>,
    current: Mutex<Current>,
}

struct Current {
    subject: Subject,
    /// Remembers the lines of the invocation.
    past: Option<Arc<Past>>,
    /// Begun and not ended lines.
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// In a seeded run: lines that come when the invocation ends, since no seed decides when a pipe is read.
    held: Vec<LogLine>,
    held_bytes: usize,
    /// The vendor's lines of this invocation, when its caller wants them.
    tail: Option<Tail>,
}

#[derive(Default)]
struct Tail {
    lines: Vec<String>,
    bytes: usize,
}

impl Tail {
    fn extend(&mut self, lines: Vec<String>) {
        self.bytes += weight(&lines);
        self.lines.extend(lines);
        if self.bytes > TAIL_LIMIT {
            let mut newest = self.bytes;
            let stays = |line: &String| {
                newest -= LINE + line.len();
                newest < TAIL_LIMIT / 2
            };
            let first = self.lines.iter().position(stays).unwrap_or(self.lines.len());
            self.lines.drain(..first);
            self.bytes = weight(&self.lines);
        }
    }
}

fn weight(lines: &[String]) -> usize {
    lines.iter().map(|line| LINE + line.len()).sum()
}

impl Log {
    pub(super) fn new(parts: Parts, client: Arc<dyn Runtime>, subject: Subject) -> Self {
        let current = Current {
            subject,
            past: None,
            stdout: Vec::new(),
            stderr: Vec::new(),
            held: Vec::new(),
            held_bytes: 0,
            tail: None,
        };
        Self { parts, client, current: Mutex::new(current) }
    }

    /// From here on records are about this invocation.
    pub(super) fn begin(&self, subject: Subject, past: Arc<Past>, wants_tail: bool) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.subject = subject;
        current.past = Some(past);
        current.tail = wants_tail.then(Tail::default);
    }

    pub(super) fn say(&self, what: What) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        self.record(&mut current, what);
    }

    /// A line of our own among those of the function.
    pub(super) fn note(&self, text: &str) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        self.line(&mut current, Stream::Stderr, text.as_bytes());
    }

    /// Gives the invocation's log, if its caller wants it.
    pub(super) fn take(&self) -> Vec<String> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.tail.take().unwrap_or_default().lines
    }

    /// Ends the lines that are begun: what comes next is about something else.
    pub(super) fn flush(&self) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = std::mem::take(current.open_line(stream));
            if !rest.is_empty() {
                self.line(&mut current, stream, &rest);
            }
        }
        self.release(&mut current);
    }

    /// Those of one stream after those of the other: nothing tells how they were interleaved.
    fn release(&self, current: &mut Current) {
        let mut held = std::mem::take(&mut current.held);
        current.held_bytes = 0;
        held.sort_by_key(|line| line.stream == Stream::Stderr);
        for line in held {
            self.told(current, line);
        }
    }

    fn line(&self, current: &mut Current, stream: Stream, bytes: &[u8]) {
        // Runtime clients join the lines of one message by carriage returns.
        let text = String::from_utf8_lossy(bytes).trim_end_matches('\r').replace('\r', "\n");
        let at = self.parts.clock.now();
        let line = LogLine { at, stream, text };
        if self.parts.ids.is_seeded() {
            current.held_bytes += LINE + line.text.len();
            current.held.push(line);
            if current.held_bytes > TAIL_LIMIT {
                self.release(current);
            }
            return;
        }
        self.told(current, line);
    }

    fn told(&self, current: &mut Current, line: LogLine) {
        if let Some(past) = &current.past {
            past.line(&line);
        }
        self.record(current, What::Log(line));
    }

    fn record(&self, current: &mut Current, what: What) {
        let at = self.parts.clock.now();
        let subject = current.subject.clone();
        if let Some(tail) = &mut current.tail {
            let record = Record { sequence: 0, at, subject: subject.clone(), what: what.clone() };
            tail.extend(self.client.lines(&record));
        }
        self.parts.journal.send(at, subject, what);
    }
}

impl Output for Log {
    fn write(&self, stream: Stream, bytes: bytes::Bytes) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let open = current.open_line(stream);
            let (text, ends) = match piece {
                [text @ .., b'\n'] => (text, true),
                text => (text, false),
            };
            open.extend_from_slice(text);
            let mut line = std::mem::take(open);
            while line.len() > LINE_LIMIT {
                let rest = line.split_off(cut(&line));
                self.line(&mut current, stream, &line);
                line = rest;
            }
            if ends {
                self.line(&mut current, stream, &line);
            } else {
                *current.open_line(stream) = line;
            }
        }
    }
}

/// Where to cut a line that is too long: at its limit, or a little before so as not to cut a letter.
fn cut(line: &[u8]) -> usize {
    let goes_on = |at: &usize| line[*at] & 0b1100_0000 == 0b1000_0000;
    (LINE_LIMIT - 3..=LINE_LIMIT).rev().find(|at| !goes_on(at)).unwrap_or(LINE_LIMIT)
}

impl Current {
    fn open_line(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}
