//! `mlemu tune`: local power tuning. A function is measured at several memory sizes, each with the CPU that goes with it.

use super::ProjectArgs;
use super::events::EventArgs;
use super::exit::{Complaint, Exit};
use super::rig::{AS_THERE, Rig, chosen};
use crate::config;
use crate::daemon::simulating::{is_of, profiles};
use crate::report::price::Tariff;
use crate::report::print::{Printer, Tone};
use crate::report::tuned::{Reference, Samples, Tuned};
use bytes::Bytes;
use clap::Args;
use mlemu_core::{Outcome, Profile};
use std::path::PathBuf;

const MIB: u64 = 1024 * 1024;
/// Sizes when none are named, as far as the cloud has them.
const USUAL: [u64; 7] = [128, 256, 512, 1024, 1769, 2048, 3008];

#[derive(Debug, Args)]
pub struct TuneArgs {
    /// The function's name, also APP/FUNCTION; may be left out where there is only one
    function: Option<String>,
    #[command(flatten)]
    event: EventArgs,
    /// Sizes in MB, e.g. 512,1024,1769; otherwise those that its cloud has
    #[arg(long, value_name = "MB", value_delimiter = ',')]
    memory: Vec<u64>,
    /// Warm calls at each size
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    calls: usize,
    /// Cold starts at each size
    #[arg(long, value_name = "N", default_value_t = 2)]
    cold: usize,
    /// A time that you know from the cloud, e.g. `1024MB=4.0s warm`: all times are scaled to it
    #[arg(long, value_name = "SIZE=TIME")]
    reference: Option<String>,
    /// Write a page with plots to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    project: ProjectArgs,
}

pub async fn run(args: TuneArgs, printer: Printer) -> Result<Exit, Complaint> {
    let reference = args.reference.as_deref().map(reference).transpose()?;
    let event = Bytes::from(args.event.event(&config::root(&args.project.project))?);
    let loaded = args.project.reading.load(&args.project.project)?;
    let meant = chosen(&loaded, args.function.as_deref())?;
    let profiles = profiles(&loaded.settings).map_err(Complaint::config)?;
    let profile = profiles.iter().find(|profile| is_of(profile, &meant.function)).ok_or_else(|| {
        Complaint::new(format!("there is no profile for `{}`, and so no price", meant.name()))
    })?;
    let tariff = Tariff::of(profile)
        .ok_or_else(|| Complaint::new(format!("the profile {} has no prices", profile.name)))?;
    let mut sizes = sizes(profile, &args.memory)?;
    sizes.extend(reference.map(|reference| reference.memory));
    sizes.sort_unstable();
    sizes.dedup();
    let busy = is_busy();
    let offline = args.project.reading.offline;
    let name = meant.name();
    let mut rig = Rig::open(loaded, meant, AS_THERE, offline, printer).await?;
    let mut samples = Vec::new();
    let mut measured = Ok(());
    for memory in sizes {
        match size(&mut rig, memory, &event, &args, printer).await {
            Ok(one) => samples.push(one),
            Err(complaint) => {
                measured = Err(complaint);
                break;
            }
        }
    }
    rig.close().await;
    measured?;
    let tuned = Tuned::new(&name, &tariff, &samples, reference, (true, busy));
    if let Some(file) = &args.html {
        std::fs::write(file, tuned.html())
            .map_err(|error| Complaint::new(format!("cannot write {}: {error}", file.display())))?;
    }
    let text =
        if printer.json { serde_json::to_string_pretty(&tuned).unwrap_or_default() } else { tuned.text() };
    printer.result(&text);
    let all_failed = samples.iter().all(|one| one.failed.is_some());
    Ok(if all_failed { Exit::Failed } else { Exit::Ok })
}

fn reference(text: &str) -> Result<Reference, Complaint> {
    Reference::read(text).ok_or_else(|| {
        Complaint::usage(format!("`--reference {text}` is not understood"))
            .hint("write it as `1024MB=4.0s warm` or `1024MB=15s cold`")
    })
}

/// The sizes to measure, in MB: those that are asked for, as far as the cloud has them.
fn sizes(profile: &Profile, asked: &[u64]) -> Result<Vec<u64>, Complaint> {
    let figure = |name: &str| profile.figure(&format!("memory_mb.{name}")).map(|figure| figure.v.clone());
    let choices: Option<Vec<u64>> =
        figure("choices").and_then(|choices| serde_json::from_value(choices).ok());
    let fixed = figure("min").is_none() && choices.is_none();
    let number = |name: &str| figure(name).and_then(|value| value.as_u64());
    let (least, most) = (number("min").unwrap_or(1), number("max").unwrap_or(u64::MAX));
    let has = |size: &u64| match &choices {
        Some(choices) => choices.contains(size),
        None => (least..=most).contains(size),
    };
    if let Some(wrong) = asked.iter().find(|size| !has(size)) {
        let there = match &choices {
            Some(choices) => choices.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            None => format!("{least} to {most}"),
        };
        return Err(Complaint::usage(format!("{} has no instance of {wrong} MB", profile.name))
            .hint(format!("it has {there} MB")));
    }
    let usual: Vec<u64> = match (asked.is_empty(), &choices) {
        (false, _) => asked.to_vec(),
        (true, _) if fixed => number("default").into_iter().collect(),
        (true, Some(choices)) => choices.iter().copied().filter(|size| *size <= 4096).collect(),
        (true, None) => USUAL.iter().copied().filter(has).collect(),
    };
    Ok(usual)
}

/// Whether others are at work on this machine before we begin.
fn is_busy() -> bool {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: f64 = load.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(0.0);
    load > std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64 * 0.7)
}

async fn size(
    rig: &mut Rig,
    memory: u64,
    event: &Bytes,
    args: &TuneArgs,
    printer: Printer,
) -> Result<Samples, Complaint> {
    printer.say(&printer.paint(Tone::Quiet, &format!("{memory} MB ...")));
    rig.resize(memory * MIB).await?;
    let mut samples = Samples { memory, ..Samples::default() };
    for _ in 0..args.cold.max(1) {
        let outcome = rig.cold(event.clone()).await?;
        note(&mut samples, rig, &outcome);
        if samples.failed.is_some() {
            return Ok(samples);
        }
        let usage = &outcome.usage;
        let (init, simulated) = usage.init.map(|init| (init.duration, init.simulated)).unwrap_or_default();
        let before = simulated.map(|simulated| simulated.total()).unwrap_or_default();
        samples.init.push(millis(init));
        samples.cold.push(millis(before + init + usage.handler));
    }
    for _ in 0..args.calls.max(1) {
        let outcome = rig.warm(event.clone()).await?;
        note(&mut samples, rig, &outcome);
        if samples.failed.is_some() {
            break;
        }
        samples.warm.push(millis(outcome.usage.handler));
    }
    Ok(samples)
}

fn note(samples: &mut Samples, rig: &Rig, outcome: &Outcome) {
    samples.cpus = outcome.usage.cpu;
    samples.peak = samples.peak.max(outcome.usage.peak_memory as f64 / MIB as f64);
    if outcome.result.is_err() {
        let status = mlemu_core::record::Status::of(&outcome.result);
        let words = rig.failure(outcome).unwrap_or_default();
        samples.failed = Some(format!("{}: {}", status.word(), words.chars().take(120).collect::<String>()));
    }
}

fn millis(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clouds;

    #[test]
    fn only_sizes_that_the_cloud_has_are_measured() {
        let profiles = clouds::profiles().expect("profiles");
        let of = |name: &str| profiles.iter().find(|profile| profile.name == name).expect("there");
        assert_eq!(sizes(of("aws-lambda"), &[]).expect("sizes"), USUAL);
        assert_eq!(sizes(of("gcf-gen1"), &[]).expect("sizes"), [128, 256, 512, 1024, 2048, 4096]);
        assert_eq!(sizes(of("azure-consumption"), &[]).expect("sizes"), [1536]);
        assert_eq!(sizes(of("aws-lambda"), &[512, 3000]).expect("sizes"), [512, 3000]);
        let refused = sizes(of("gcf-gen1"), &[1000]).expect_err("no tier");
        assert!(refused.hint.expect("hint").starts_with("it has 128, 256"));
        assert!(sizes(of("aws-lambda"), &[64]).is_err());
    }
}
