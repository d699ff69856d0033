//! `mlemu cost`: what functions cost at list price, as they were called here or as somebody assumes.

use super::ProjectArgs;
use super::exit::{Complaint, Exit};
use super::talk;
use crate::config;
use crate::daemon::control::invocations::{Line, Lines};
use crate::daemon::simulating::profiles;
use crate::report::load::{Costs, Load};
use crate::report::price::Tariff;
use crate::report::print::Printer;
use bytes::Bytes;
use clap::Args;
use http::Method;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

const MIB: f64 = 1024.0 * 1024.0;

#[derive(Debug, Args)]
pub struct CostArgs {
    /// Only this function's recorded calls; all functions when none is named
    function: Option<String>,
    /// Calls a month; otherwise as many as were recorded, as if they were a month's
    #[arg(long, value_name = "N")]
    requests: Option<f64>,
    /// Assume that a call takes so long, e.g. 120ms, instead of looking at recorded ones
    #[arg(long, value_name = "TIME", requires = "memory")]
    duration: Option<String>,
    /// Assume this memory size, e.g. 512MB
    #[arg(long, value_name = "SIZE", requires = "duration")]
    memory: Option<String>,
    /// Assume that an init takes so long, e.g. 3s
    #[arg(long, value_name = "TIME", requires = "duration")]
    init: Option<String>,
    /// Assume this share of cold starts, e.g. 0.01
    #[arg(long, value_name = "SHARE")]
    cold_share: Option<f64>,
    /// The recorded calls of a `mlemu exec --report FILE` instead of those of a running project
    #[arg(long, value_name = "FILE", conflicts_with = "duration")]
    recorded: Option<PathBuf>,
    /// Take a month's free tier off
    #[arg(long)]
    free_tier: bool,
    /// Write a page with a plot against an always-on machine to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    project: ProjectArgs,
}

/// The part of a report of `mlemu exec` that is read here.
#[derive(Deserialize)]
struct Trail {
    invocations: Vec<Line>,
}

pub async fn run(args: CostArgs, printer: Printer) -> Result<Exit, Complaint> {
    let settings = args.project.reading.load(&args.project.project).map(|loaded| loaded.settings)?;
    let profiles = profiles(&settings).map_err(Complaint::config)?;
    let tariffs = || profiles.iter().filter_map(Tariff::of).collect::<Vec<_>>();
    let loads = if args.duration.is_some() {
        vec![("assumed".to_owned(), assumed(&args)?)]
    } else {
        recorded(&args, lines(&args).await?)?
    };
    let costs: Vec<Costs> =
        loads.into_iter().map(|(of, load)| Costs::new(of, load, tariffs(), args.free_tier)).collect();
    if let Some(file) = &args.html {
        let pages: Vec<String> = costs.iter().map(Costs::html).collect();
        std::fs::write(file, pages.join("\n"))
            .map_err(|error| Complaint::new(format!("cannot write {}: {error}", file.display())))?;
    }
    let text = if printer.json {
        serde_json::to_string_pretty(&costs).unwrap_or_default()
    } else {
        costs.iter().map(Costs::text).collect::<Vec<_>>().join("\n\n")
    };
    printer.result(&text);
    Ok(Exit::Ok)
}

fn assumed(args: &CostArgs) -> Result<Load, Complaint> {
    let time = |text: Option<&String>, usual: f64| match text {
        None => Ok(usual),
        Some(text) => config::duration(text)
            .map(|time| time.as_secs_f64() * 1e3)
            .ok_or_else(|| Complaint::usage(format!("`{text}` is no duration")).hint("write 120ms or 3s")),
    };
    let size = args.memory.as_deref().unwrap_or_default();
    let memory = config::bytes(size)
        .ok_or_else(|| Complaint::usage(format!("`{size}` is no size")).hint("write 512MB or 1GB"))?;
    let load = Load {
        requests_per_month: args.requests.unwrap_or(1e6),
        memory_mb: memory as f64 / MIB,
        peak_mb: memory as f64 / MIB,
        handler_ms: time(args.duration.as_ref(), 0.0)?,
        init_ms: time(args.init.as_ref(), 0.0)?,
        cold_share: args.cold_share.unwrap_or(0.01),
    };
    sound(load)
}

fn sound(load: Load) -> Result<Load, Complaint> {
    let counts = load.requests_per_month.is_finite() && load.requests_per_month >= 0.0;
    if !counts || !(0.0..=1.0).contains(&load.cold_share) {
        return Err(Complaint::usage("calls a month are at least 0, and a share is from 0 to 1"));
    }
    Ok(load)
}

async fn lines(args: &CostArgs) -> Result<Vec<Line>, Complaint> {
    if let Some(file) = &args.recorded {
        let unread = |why: String| Complaint::usage(format!("cannot read {}: {why}", file.display()));
        let text = std::fs::read(file).map_err(|error| unread(error.to_string()))?;
        let trail: Trail = serde_json::from_slice(&text).map_err(|error| unread(error.to_string()))?;
        return Ok(trail.invocations);
    }
    let root = config::root(&args.project.project);
    let client = talk::need(&root).map_err(|complaint| {
        complaint.hint(
            "start it with `mlemu up` and call something, or assume: `mlemu cost --duration 120ms --memory 512MB`",
        )
    })?;
    let mut all = Vec::new();
    let mut since = 0;
    loop {
        let path = format!("/_mlemu/invocations?limit=1000&since={since}");
        let lines: Lines = client.ask(Method::GET, &path, Bytes::new()).await?;
        let done = lines.invocations.is_empty() || lines.cursor == since;
        since = lines.cursor;
        all.extend(lines.invocations);
        if done {
            return Ok(all);
        }
    }
}

/// The calls of each function that were answered, as one load.
fn recorded(args: &CostArgs, lines: Vec<Line>) -> Result<Vec<(String, Load)>, Complaint> {
    let mut by_function: BTreeMap<String, Vec<Line>> = BTreeMap::new();
    for line in lines {
        let wanted = args.function.as_ref().is_none_or(|name| *name == line.function);
        if wanted && line.handler_ms.is_some() {
            by_function.entry(line.function.clone()).or_default().push(line);
        }
    }
    if by_function.is_empty() {
        let whose = args.function.as_deref().map(|name| format!(" of `{name}`")).unwrap_or_default();
        return Err(Complaint::not_found(format!("no call{whose} was recorded"))
            .hint("call it, or assume: `mlemu cost --duration 120ms --memory 512MB`"));
    }
    by_function.into_iter().map(|(name, lines)| Ok((name, load(args, &lines)?))).collect()
}

fn load(args: &CostArgs, lines: &[Line]) -> Result<Load, Complaint> {
    let count = lines.len() as f64;
    let mean = |of: &dyn Fn(&Line) -> Option<f64>| {
        let values: Vec<f64> = lines.iter().filter_map(of).collect();
        values.iter().sum::<f64>() / values.len().max(1) as f64
    };
    let cold = lines.iter().filter(|line| line.cold == Some(true)).count() as f64;
    let largest = |of: &dyn Fn(&Line) -> Option<u64>| {
        lines.iter().filter_map(of).max().unwrap_or_default() as f64 / MIB
    };
    sound(Load {
        requests_per_month: args.requests.unwrap_or(count),
        memory_mb: largest(&|line| line.memory_limit),
        peak_mb: largest(&|line| line.peak_memory),
        handler_ms: mean(&|line| line.handler_ms),
        init_ms: mean(&|line| line.init_ms),
        cold_share: args.cold_share.unwrap_or(cold / count),
    })
}
