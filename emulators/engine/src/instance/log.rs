//! What an instance writes, as records, line by line.

use super::{Call, Plan};
use crate::history::{Begun, Past};
use crate::parts::Parts;
use mlemu_core::runtime::Unwrapped;
use mlemu_core::sandbox::Output;
use mlemu_core::{InvocationId, LogLine, Record, Runtime, Sink, Stream, Subject, Timestamp, What};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    book: Mutex<Book>,
}

struct Book {
    /// What is written while no invocation is in flight, or while nobody can tell for which.
    own: Subject,
    /// Of the invocations in flight, or of the last one that was.
    pages: Vec<Page>,
    /// Begun and not ended lines.
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// In a seeded run: lines that come when the invocation ends, since no seed decides when a pipe is read.
    held: Vec<LogLine>,
    held_bytes: usize,
}

/// What belongs to one invocation.
struct Page {
    id: InvocationId,
    subject: Subject,
    /// Remembers the lines.
    past: Arc<Past>,
    /// The vendor's lines, when its caller wants them.
    tail: Option<Tail>,
    /// What comes later belongs to it as long as no other has begun.
    ended: bool,
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
    pub(super) fn new(parts: Parts, client: Arc<dyn Runtime>, own: Subject) -> Self {
        let (stdout, stderr) = (Vec::new(), Vec::new());
        let book = Book { own, pages: Vec::new(), stdout, stderr, held: Vec::new(), held_bytes: 0 };
        Self { parts, client, book: Mutex::new(book) }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call has come into this instance.
    pub(super) fn begin(&self, call: &Call, plan: &Plan, at: Timestamp) {
        let revision = plan.revision.label.as_str().into();
        call.past.begin(Begun { at, revision, instance: plan.id });
        let mut subject = call.subject(&plan.revision);
        subject.instance = Some(plan.id);
        let tail = call.invoke.wants_log.then(Tail::default);
        let (id, past) = (call.invoke.id.clone(), call.past.clone());
        let mut book = self.book();
        book.pages.retain(|page| !page.ended);
        let mut page = Page { id, subject, past, tail, ended: false };
        self.record(&mut page, What::Started);
        book.pages.push(page);
    }

    /// An invocation has ended, and with it what it had begun to write.
    pub(super) fn end(&self, id: &InvocationId, what: What) {
        let mut book = self.book();
        if book.open().count() < 2 {
            self.end_lines(&mut book);
        }
        if let Some(page) = book.page(id) {
            page.ended = true;
            self.record(page, what);
        }
    }

    /// About the instance as a whole, or the only invocation in it.
    pub(super) fn say(&self, what: What) {
        let mut book = self.book();
        self.tell(&mut book, what);
    }

    /// A line of our own among those of the function.
    pub(super) fn note(&self, id: &InvocationId, text: &str) {
        let at = self.parts.clock.now();
        let line = LogLine { at, stream: Stream::Stderr, text: text.to_owned() };
        if let Some(page) = self.book().page(id) {
            page.past.line(&line);
            self.record(page, What::Log(line));
        }
    }

    /// Gives the invocation's log, if its caller wants it.
    pub(super) fn take(&self, id: &InvocationId) -> Vec<String> {
        let mut book = self.book();
        book.page(id).and_then(|page| page.tail.take()).unwrap_or_default().lines
    }

    /// Ends the lines that are begun: what comes next is about something else.
    pub(super) fn flush(&self) {
        self.end_lines(&mut self.book());
    }

    fn end_lines(&self, book: &mut Book) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = std::mem::take(book.open_line(stream));
            if !rest.is_empty() {
                self.line(book, stream, &rest);
            }
        }
        self.release(book);
    }

    /// Those of one stream after those of the other: nothing tells how they were interleaved.
    fn release(&self, book: &mut Book) {
        let mut held = std::mem::take(&mut book.held);
        book.held_bytes = 0;
        held.sort_by_key(|line| line.stream == Stream::Stderr);
        for line in held {
            self.told(book, line);
        }
    }

    fn line(&self, book: &mut Book, stream: Stream, bytes: &[u8]) {
        // Runtime clients join the lines of one message by carriage returns.
        let text = String::from_utf8_lossy(bytes).trim_end_matches('\r').replace('\r', "\n");
        let line = LogLine { at: self.parts.clock.now(), stream, text };
        if self.parts.ids.is_seeded() {
            book.held_bytes += LINE + line.text.len();
            book.held.push(line);
            if book.held_bytes > TAIL_LIMIT {
                self.release(book);
            }
            return;
        }
        self.told(book, line);
    }

    /// Where the client says what a line is of, that is right; else whatever alone is in flight.
    fn told(&self, book: &mut Book, line: LogLine) {
        let Some(Unwrapped { text, invocation }) = self.client.unwrapped(&line.text) else {
            return self.put(book, None, line);
        };
        for text in text.strip_suffix('\n').unwrap_or(&text).split('\n') {
            self.put(book, invocation.as_ref(), LogLine { text: text.to_owned(), ..line.clone() });
        }
    }

    fn put(&self, book: &mut Book, of: Option<&InvocationId>, line: LogLine) {
        let page = match of {
            Some(id) => book.page(id),
            None => book.only(),
        };
        if let Some(page) = page {
            page.past.line(&line);
            return self.record(page, What::Log(line));
        }
        // The page of an invocation that has ended is gone when others have begun since.
        let invocation = of.cloned();
        let subject = Subject { invocation, ..book.own.clone() };
        self.parts.journal.send(self.parts.clock.now(), subject, What::Log(line));
    }

    fn tell(&self, book: &mut Book, what: What) {
        match book.only() {
            Some(page) => self.record(page, what),
            None => self.parts.journal.send(self.parts.clock.now(), book.own.clone(), what),
        }
    }

    fn record(&self, page: &mut Page, what: What) {
        let at = self.parts.clock.now();
        let subject = page.subject.clone();
        if let Some(tail) = &mut page.tail {
            let record = Record { sequence: 0, at, subject: subject.clone(), what: what.clone() };
            tail.extend(self.client.lines(&record));
        }
        self.parts.journal.send(at, subject, what);
    }
}

impl Output for Log {
    fn write(&self, stream: Stream, bytes: bytes::Bytes) {
        let mut book = self.book();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let open = book.open_line(stream);
            let (text, ends) = match piece {
                [text @ .., b'\n'] => (text, true),
                text => (text, false),
            };
            open.extend_from_slice(text);
            let mut line = std::mem::take(open);
            while line.len() > LINE_LIMIT {
                let rest = line.split_off(cut(&line));
                self.line(&mut book, stream, &line);
                line = rest;
            }
            if ends {
                self.line(&mut book, stream, &line);
            } else {
                *book.open_line(stream) = line;
            }
        }
    }
}

/// Where to cut a line that is too long: at its limit, or a little before so as not to cut a letter.
fn cut(line: &[u8]) -> usize {
    let goes_on = |at: &usize| line[*at] & 0b1100_0000 == 0b1000_0000;
    (LINE_LIMIT - 3..=LINE_LIMIT).rev().find(|at| !goes_on(at)).unwrap_or(LINE_LIMIT)
}

impl Book {
    fn open(&self) -> impl Iterator<Item = &Page> {
        self.pages.iter().filter(|page| !page.ended)
    }

    fn page(&mut self, id: &InvocationId) -> Option<&mut Page> {
        self.pages.iter_mut().find(|page| page.id == *id)
    }

    /// The invocation that whatever is written belongs to, where there is no doubt.
    fn only(&mut self) -> Option<&mut Page> {
        let lonely = self.pages.len() == 1 || self.open().count() == 1;
        let last = self.pages.len() == 1;
        self.pages.iter_mut().find(|page| lonely && (last || !page.ended))
    }

    fn open_line(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}
