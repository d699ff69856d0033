//! `mlemu logs`: what functions of a running project wrote.

use super::ProjectArgs;
use super::exit::{Complaint, Exit};
use super::talk::Talk;
use crate::config;
use crate::report::print::Printer;
use bytes::Bytes;
use clap::Args;
use http::Method;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Only this function's
    function: Option<String>,
    /// Go on as more is written
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    project: ProjectArgs,
}

/// What the log needs of a record; the rest passes through.
#[derive(Deserialize)]
struct Told {
    subject: Value,
    lines: Vec<String>,
}

pub async fn run(args: LogsArgs, printer: &Printer) -> Result<Exit, Complaint> {
    let talk = Talk::need(&config::root(&args.project.project))?;
    let path = if args.follow { "/_mlemu/stream" } else { "/_mlemu/stream?once=true" };
    let mut body = talk.call(Method::GET, path, Bytes::new()).await?;
    let mut open = Vec::new();
    while let Some(frame) = body.frame().await {
        let gone = |error| Complaint::unreachable(format!("the daemon ended: {error}"));
        let Ok(data) = frame.map_err(gone)?.into_data() else { continue };
        open.extend_from_slice(&data);
        while let Some(end) = open.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = open.drain(..=end).collect();
            if let Some(data) = line.strip_prefix(b"data: ") {
                show(data, args.function.as_deref(), *printer);
            }
        }
    }
    Ok(Exit::Ok)
}

fn show(data: &[u8], only: Option<&str>, printer: Printer) {
    let Ok(told) = serde_json::from_slice::<Told>(data) else { return };
    let name = told.subject["function"]["name"].as_str().unwrap_or_default();
    if only.is_some_and(|only| only != name) {
        return;
    }
    if printer.json {
        printer.result(String::from_utf8_lossy(data).trim_end());
        return;
    }
    for line in told.lines {
        let prefix = if only.is_some() { String::new() } else { format!("{name} | ") };
        for line in line.trim_end().split('\n') {
            printer.result(&format!("{prefix}{}", crate::report::human::harmless(line)));
        }
    }
}
