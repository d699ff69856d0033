//! `mlemu logs`: what functions of a running project wrote.

use super::ProjectArgs;
use super::exit::{Complaint, Exit};
use super::talk::Talk;
use crate::config;
use crate::daemon::control::FunctionLine;
use crate::daemon::invoke;
use crate::report::human::harmless;
use crate::report::print::Printer;
use bytes::Bytes;
use clap::Args;
use http::Method;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::Value;
use std::collections::VecDeque;

/// What `--follow` begins with, unless something is said.
const TAIL: usize = 20;

#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Only this function's
    function: Option<String>,
    /// Go on as more is written
    #[arg(short, long)]
    follow: bool,
    /// Begin with the last N lines [default: all, with --follow 20]
    #[arg(short = 'n', long, value_name = "N")]
    tail: Option<usize>,
    #[command(flatten)]
    project: ProjectArgs,
}

/// What the log needs of a record; the rest passes through.
#[derive(Deserialize)]
struct Told {
    sequence: u64,
    subject: Value,
    lines: Vec<String>,
}

/// The lines that somebody wants of a stream of records.
struct Reader {
    only: Option<String>,
    json: bool,
    /// The last record that was read.
    sequence: u64,
}

pub async fn run(args: LogsArgs, printer: Printer) -> Result<Exit, Complaint> {
    let talk = Talk::need(&config::root(&args.project.project))?;
    if let Some(name) = &args.function {
        known(&talk, name).await?;
    }
    let tail = args.tail.or(args.follow.then_some(TAIL));
    let mut reader = Reader { only: args.function, json: printer.json, sequence: 0 };
    let mut last = VecDeque::new();
    let past = talk.call(Method::GET, "/_mlemu/stream?once=true", Bytes::new()).await?;
    let mut whole = reader
        .read(past, |line| {
            if tail.is_some_and(|tail| last.len() >= tail) {
                last.pop_front();
            }
            if tail != Some(0) {
                last.push_back(line);
            }
        })
        .await;
    for line in &last {
        printer.result(line);
    }
    if args.follow && whole {
        let path = format!("/_mlemu/stream?after={}", reader.sequence);
        let live = talk.call(Method::GET, &path, Bytes::new()).await?;
        whole = reader.read(live, |line| printer.result(&line)).await;
    }
    if !whole {
        printer.say("the daemon ended");
    }
    Ok(Exit::Ok)
}

/// A function that is not there has no log: who asks for it misspelt it.
async fn known(talk: &Talk, name: &str) -> Result<(), Complaint> {
    let functions: Vec<FunctionLine> = talk.get("/_mlemu/functions").await?;
    let names: Vec<String> = functions.into_iter().map(|function| function.name).collect();
    if names.iter().any(|known| known == name) {
        return Ok(());
    }
    let instead = invoke::instead(name, &names);
    Err(Complaint::not_found(format!("there is no function `{name}`{instead}")))
}

impl Reader {
    /// Hands over the lines of a stream to its end; `false`: it broke off.
    async fn read(&mut self, mut body: Incoming, mut show: impl FnMut(String)) -> bool {
        let mut open = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            let Ok(data) = frame.into_data() else { continue };
            open.extend_from_slice(&data);
            while let Some(end) = open.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = open.drain(..=end).collect();
                if let Some(data) = line.strip_prefix(b"data: ") {
                    self.lines(data).into_iter().for_each(&mut show);
                }
            }
        }
        true
    }

    fn lines(&mut self, data: &[u8]) -> Vec<String> {
        let Ok(told) = serde_json::from_slice::<Told>(data) else { return Vec::new() };
        self.sequence = told.sequence;
        let name = told.subject["function"]["name"].as_str().unwrap_or_default();
        if self.only.as_deref().is_some_and(|only| only != name) {
            return Vec::new();
        }
        if self.json {
            return vec![String::from_utf8_lossy(data).trim_end().to_owned()];
        }
        let prefix = if self.only.is_some() { String::new() } else { format!("{name} | ") };
        let lines = told.lines.iter().flat_map(|text| text.trim_end().split('\n'));
        lines.map(|line| format!("{prefix}{}", harmless(line))).collect()
    }
}
