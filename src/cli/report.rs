//! `mlemu report`: one page about all functions of a project, and whether they keep its budgets.

use super::ProjectArgs;
use super::exit::{Complaint, Exit};
use super::fit::{Taken, fit};
use super::rig::{AS_THERE, Meant, Rig};
use crate::clouds::memory_of;
use crate::config::{self, Loaded, Settings};
use crate::daemon::folders;
use crate::daemon::simulating::{is_of, profiles};
use crate::report::price::{Tariff, Used};
use crate::report::print::Printer;
use crate::report::pull::{Measured, Report, judge};
use crate::report::tuned::quantile;
use bytes::Bytes;
use clap::Args;
use mlemu_bundle::Builder;
use mlemu_core::Profile;
use mlemu_core::declare::FunctionDeclaration;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

const MIB: f64 = 1024.0 * 1024.0;
/// The event that a function is called with when none is named, beside its code or in the project.
const EVENT: &str = "event.json";

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Call this function with this event (a file or JSON) to measure it; `event.json` beside it otherwise, or `{}`
    #[arg(long = "event", value_name = "FUNCTION=EVENT")]
    events: Vec<String>,
    /// Warm calls of each function
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    calls: usize,
    /// Weigh functions and do not call them
    #[arg(long)]
    no_calls: bool,
    /// Write it as one page of HTML
    #[arg(long, conflicts_with = "md")]
    html: bool,
    /// Write it as Markdown, for a comment
    #[arg(long)]
    md: bool,
    /// Write it to this file
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    project: ProjectArgs,
}

pub async fn run(args: ReportArgs, printer: Printer) -> Result<Exit, Complaint> {
    let loaded = args.project.reading.load(&args.project.project)?;
    let profiles = profiles(&loaded.settings).map_err(Complaint::config)?;
    let events = events(&args.events)?;
    let builder = Builder::new(folders::cache(), args.project.reading.offline);
    let mut functions = Vec::new();
    for function in &loaded.project.functions {
        let fit = fit(function, Taken::default(), &profiles, &[], &builder, printer).await?;
        let mut measured = Measured {
            function: function.name.clone(),
            profile: function.cloud.clone(),
            size_mb: Some(fit.unzipped as f64 / MIB),
            refused_by: fit.refused_by().map(str::to_owned).collect(),
            memory_mb: memory_of(function).unwrap_or_default() >> 20,
            ..Measured::default()
        };
        let profile = profiles.iter().find(|profile| is_of(profile, function));
        if let Some(profile) = profile {
            measured.profile.clone_from(&profile.name);
        }
        if args.no_calls {
            measured.failed = Some("--no-calls".into());
        } else {
            let (part, event) = event(function, &loaded, &events)?;
            let meant = Meant { function: function.clone(), part };
            Box::pin(call(&mut measured, meant, &loaded, profile, event, &args, printer)).await?;
        }
        functions.push(measured);
    }
    let report = Report {
        schema_version: 1,
        project: loaded.project.name.clone(),
        budgets: budgets(&functions, &loaded.settings)?,
        notes: notes(&functions, &profiles),
        functions,
    };
    let text = match (printer.json, args.html, args.md) {
        (true, _, _) => serde_json::to_string_pretty(&report).unwrap_or_default(),
        (_, true, _) => report.html(),
        (_, _, true) => report.markdown(),
        _ => report.text(),
    };
    match &args.output {
        Some(file) => std::fs::write(file, text + "\n")
            .map_err(|error| Complaint::new(format!("cannot write {}: {error}", file.display())))?,
        None => printer.result(&text),
    }
    Ok(if report.is_good() { Exit::Ok } else { Exit::Failed })
}

fn events(said: &[String]) -> Result<BTreeMap<String, String>, Complaint> {
    let each = said.iter().map(|text| {
        let pair = text.split_once('=').map(|(name, event)| (name.to_owned(), event.to_owned()));
        pair.ok_or_else(|| {
            Complaint::usage(format!("`--event {text}` has no `=`"))
                .hint("write it as --event NAME=event.json")
        })
    });
    each.collect()
}

/// What a function is called with, and which part of it, where one was named as `app/part`.
fn event(
    function: &FunctionDeclaration,
    loaded: &Loaded,
    said: &BTreeMap<String, String>,
) -> Result<(Option<String>, Bytes), Complaint> {
    let mine = said.iter().find_map(|(name, event)| {
        let (whole, part) = match name.split_once('/') {
            Some((whole, part)) => (whole, Some(part.to_owned())),
            None => (name.as_str(), None),
        };
        let is_mine = whole == function.name || function.alias.as_deref() == Some(whole);
        is_mine.then_some((part, event))
    });
    if let Some((part, event)) = mine {
        if event.trim_start().starts_with(['{', '[', '"']) {
            return Ok((part, event.clone().into()));
        }
        let read = std::fs::read(event).map(|bytes| (part, bytes.into()));
        return read.map_err(|error| Complaint::usage(format!("cannot read the event {event}: {error}")));
    }
    let beside = |folder: &Path| std::fs::read(folder.join(EVENT)).ok().map(Bytes::from);
    let found = beside(&function.source).or_else(|| beside(&loaded.project.root));
    Ok((None, found.unwrap_or_else(|| Bytes::from_static(b"{}"))))
}

async fn call(
    measured: &mut Measured,
    meant: Meant,
    loaded: &Loaded,
    profile: Option<&Profile>,
    event: Bytes,
    args: &ReportArgs,
    printer: Printer,
) -> Result<(), Complaint> {
    let offline = args.project.reading.offline;
    let opened = Rig::open(loaded.clone(), meant, AS_THERE, offline, printer).await;
    let rig = match opened {
        Ok(rig) => rig,
        Err(complaint) => {
            measured.failed = Some(complaint.what);
            return Ok(());
        }
    };
    let taken = calls(measured, &rig, profile, event, args.calls).await;
    rig.close().await;
    taken
}

async fn calls(
    measured: &mut Measured,
    rig: &Rig,
    profile: Option<&Profile>,
    event: Bytes,
    count: usize,
) -> Result<(), Complaint> {
    // The first start of all reads from the disk what later ones have in memory.
    rig.cold(event.clone()).await?;
    let cold = rig.cold(event.clone()).await?;
    if cold.result.is_err() {
        let said = rig.failure(&cold).unwrap_or_default();
        measured.failed = Some(format!("its call failed: {}", said.chars().take(200).collect::<String>()));
        return Ok(());
    }
    let (init, simulated) = cold.usage.init.map(|init| (init.duration, init.simulated)).unwrap_or_default();
    let simulated = simulated.map(|simulated| simulated.total()).unwrap_or_default();
    let mut warm = Vec::new();
    let mut peak = cold.usage.peak_memory;
    for _ in 0..count.max(1) {
        let usage = rig.warm(event.clone()).await?.usage;
        peak = peak.max(usage.peak_memory);
        warm.push(millis(usage.handler));
    }
    measured.memory_mb = cold.usage.memory_limit >> 20;
    measured.cold_ms = Some(millis(simulated + init + cold.usage.handler));
    measured.simulated_ms = Some(millis(simulated));
    measured.warm_p95_ms = quantile(&warm, 0.95);
    measured.peak_mb = Some(peak as f64 / MIB);
    let typical = quantile(&warm, 0.5).unwrap_or_default();
    measured.usd_per_million = profile.and_then(Tariff::of).map(|tariff| {
        tariff.per_million(Used {
            memory: measured.memory_mb as f64,
            peak: peak as f64 / MIB,
            handler: Duration::from_secs_f64(typical / 1e3),
            init: Duration::ZERO,
        })
    });
    Ok(())
}

fn budgets(
    functions: &[Measured],
    settings: &Settings,
) -> Result<Vec<crate::report::pull::Verdict>, Complaint> {
    let mut verdicts = Vec::new();
    for (name, budget) in &settings.budgets {
        let Some(measured) = functions.iter().find(|one| one.function == *name) else {
            let names: Vec<&str> = functions.iter().map(|one| one.function.as_str()).collect();
            let hint = match config::nearest(name, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are: {}", names.join(", ")),
            };
            return Err(
                Complaint::config(format!("[budgets.{name}] is for no function of this project")).hint(hint)
            );
        };
        verdicts.extend(judge(measured, budget));
    }
    Ok(verdicts)
}

/// Where prices are from, and what is not measured.
fn notes(functions: &[Measured], profiles: &[Profile]) -> Vec<String> {
    let mut notes = vec!["times are of this machine, with the CPU that goes with the memory".to_owned()];
    let used = |profile: &&Profile| functions.iter().any(|one| one.profile == profile.name);
    notes.extend(profiles.iter().filter(used).filter_map(Tariff::of).map(|tariff| tariff.note()));
    notes
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
