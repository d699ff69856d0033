//! `mlemu logs`: what functions of a running project wrote.

use super::ProjectArgs;
use super::exit::{Complaint, Exit};
use super::talk;
use crate::config;
use crate::daemon::invoke;
use crate::harness::Client;
use crate::harness::client::records::Records;
use crate::report::human::harmless;
use crate::report::print::Printer;
use clap::Args;
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
    let daemon = talk::need(&config::root(&args.project.project))?;
    if let Some(name) = &args.function {
        known(&daemon, name).await?;
    }
    let tail = args.tail.or(args.follow.then_some(TAIL));
    let mut reader = Reader { only: args.function, json: printer.json, sequence: 0 };
    let mut last = VecDeque::new();
    let past = daemon.records(0, true).await?;
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
        let live = daemon.records(reader.sequence, false).await?;
        whole = reader.read(live, |line| printer.result(&line)).await;
    }
    if !whole {
        printer.say("the daemon ended");
    }
    Ok(Exit::Ok)
}

/// A function that is not there has no log: who asks for it misspelt it.
async fn known(daemon: &Client, name: &str) -> Result<(), Complaint> {
    let names: Vec<String> = daemon.functions().await?.into_iter().map(|function| function.name).collect();
    if names.iter().any(|known| known == name) {
        return Ok(());
    }
    let instead = invoke::instead(name, &names);
    Err(Complaint::not_found(format!("there is no function `{name}`{instead}")))
}

impl Reader {
    /// Hands over the lines of a stream to its end; `false`: it broke off.
    async fn read(&mut self, mut records: Records, mut show: impl FnMut(String)) -> bool {
        loop {
            match records.next().await {
                Ok(Some(record)) => self.lines(&record).into_iter().for_each(&mut show),
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
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
