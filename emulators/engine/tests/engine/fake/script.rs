//! The little language in which a test says what a fake process does.
//!
//! Steps are parted by `;`. A handler, and the source of a build, may have several alternatives parted by
//! `|`: the first start takes the first, the second the second, and the last one serves for all that follow.

use mlemu_core::Stream;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Writes these bytes; `\n` and `\r` are escapes.
    Write(Stream, Vec<u8>),
    /// Writes so many bytes of `x`, without a line end.
    Fill(usize),
    Sleep(Duration),
    /// Waits until the test opens the gate.
    Gate(String),
    /// From now on the process uses so many bytes.
    Memory(u64),
    /// After its answer it asks for the next event only so much later.
    Linger(Duration),
    /// After its answer it ends instead of asking for the next event.
    Die,
    /// After its answer it goes on normally, and ends so much later.
    DieLater(Duration),
    /// Answers, with this text or with the number of its revision.
    Ok(Option<String>),
    Error(String),
    Exit(i32),
    Signal(i32),
    Oom,
    Large,
    Hang,
    Panic,
}

pub fn steps(text: &str) -> Vec<Step> {
    text.split(';').map(str::trim).filter(|step| !step.is_empty()).map(step).collect()
}

/// What the `start`th start (from 1) of something does.
pub fn alternative(text: &str, start: usize) -> &str {
    let all: Vec<_> = text.split('|').collect();
    all[start.min(all.len()) - 1]
}

fn step(text: &str) -> Step {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let number = || rest.parse::<u64>().unwrap_or_else(|_| panic!("a number after `{word}`: `{rest}`"));
    let millis = || Duration::from_millis(number());
    let bytes = || rest.replace("\\n", "\n").replace("\\r", "\r").into_bytes();
    match word {
        "print" => Step::Write(Stream::Stdout, [bytes(), b"\n".to_vec()].concat()),
        "write" => Step::Write(Stream::Stdout, bytes()),
        "complain" => Step::Write(Stream::Stderr, bytes()),
        "fill" => Step::Fill(number() as usize),
        "sleep" => Step::Sleep(millis()),
        "gate" => Step::Gate(rest.into()),
        "memory" => Step::Memory(number()),
        "linger" => Step::Linger(millis()),
        "die" => Step::Die,
        "die-later" => Step::DieLater(millis()),
        "ok" => Step::Ok((!rest.is_empty()).then(|| rest.into())),
        "error" => Step::Error(rest.into()),
        "exit" => Step::Exit(number() as i32),
        "signal" => Step::Signal(number() as i32),
        "oom" => Step::Oom,
        "large" => Step::Large,
        "hang" => Step::Hang,
        "panic" => Step::Panic,
        _ => panic!("no such step: `{text}`"),
    }
}
