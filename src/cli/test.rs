//! `mlemu test`: runs the project's `*.mlemu.yaml` files, each test in a scope of its own.

mod watch;

use super::Reading;
use super::ends::Ends;
use super::exit::{Complaint, Exit, HARNESS_FAILED};
use super::simulate::{For, SimulateArgs};
use crate::config::{self, ConfigError};
use crate::daemon::worlds::ScopeError;
use crate::daemon::{Daemon, Options, Origin};
use crate::harness::script::model::{Suite, Test};
use crate::harness::script::run::{self, Ground, Verdict};
use crate::harness::script::snapshots::Snapshots;
use crate::harness::script::{files, read};
use crate::report::print::Printer;
use crate::report::suite::{self, Format};
use crate::report::terminal::{Show, Terminal};
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use watch::Watch;

#[derive(Debug, Args)]
pub struct TestArgs {
    /// Test files; those of the project when none are named
    files: Vec<PathBuf>,
    /// The project's folder, a template or mlemu.toml in it, or `app.py:handler`
    #[arg(long, value_name = "PATH", default_value = ".")]
    project: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Only tests whose names contain this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// How results are written
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
    /// Write the results to this file
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    simulate: SimulateArgs,
    /// Tests at once; as many as this machine runs well when nothing is said
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Each test begins in a scope of its own, whose ids, order and dice come from this number and repeat with it
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Keep what is found now as what shall be found where `snapshot` says so
    #[arg(long)]
    update_snapshots: bool,
    /// Run again whenever a file of the project changes
    #[arg(long)]
    watch: bool,
}

pub async fn run(args: TestArgs, printer: Printer) -> Result<Exit, Complaint> {
    let mut ends = Ends::new()?;
    let root = config::root(&args.project);
    if !args.watch {
        return tokio::select! {
            exit = once(&args, &root, printer) => exit,
            exit = ends.next() => Ok(exit),
        };
    }
    let watching = Watch::open(&root, args.output.as_deref());
    let mut watch = watching.map_err(|error| Complaint::new(format!("cannot watch the project: {error}")))?;
    loop {
        let ran = tokio::select! {
            ran = once(&args, &root, printer) => ran,
            exit = ends.next() => return Ok(exit),
        };
        // What is wrong with a file is shown, and mended while we wait.
        if let Err(complaint) = ran {
            printer.complain(&complaint.what, complaint.hint.as_deref());
        }
        printer.say("waiting for changes; Ctrl-C ends it");
        let changed = tokio::select! {
            changed = watch.changed() => changed,
            exit = ends.next() => return Ok(exit),
        };
        printer.say(&format!("{} has changed", changed.display()));
    }
}

/// One run of everything that is meant.
async fn once(args: &TestArgs, root: &Path, printer: Printer) -> Result<Exit, Complaint> {
    let suites = suites(args, root)?;
    let loaded = args.reading.load(&args.project)?;
    let origin = Origin { seed: args.seed, clock: None };
    let simulating = args.simulate.wanted(&loaded.settings, For::Tests);
    let options = Options { offline: args.reading.offline, origin, simulating, ..Options::private(loaded) };
    let mut terminal = None;
    let open = |world: &_| terminal = Some(Terminal::open(printer, Show::Steps, world));
    let started = Daemon::start(options, open).await;
    let daemon = started.map_err(|error| Complaint { exit: HARNESS_FAILED, ..Complaint::from(error) })?;
    let ran = all(&daemon, args, root, suites, printer).await;
    daemon.shutdown().await;
    Terminal::close(terminal).await;
    let verdicts = ran?;
    let format = if printer.json { Format::Json } else { args.format };
    let report = suite::write(&verdicts, format, printer);
    match &args.output {
        Some(file) => std::fs::write(file, report + "\n")
            .map_err(|error| Complaint::new(format!("cannot write {}: {error}", file.display())))?,
        None => printer.result(&report),
    }
    let failed = verdicts.iter().any(|verdict| !verdict.failures.is_empty());
    Ok(if failed { Exit::Failed } else { Exit::Ok })
}

fn suites(args: &TestArgs, root: &Path) -> Result<Vec<Suite>, Complaint> {
    // Shorter to read, and what a terminal makes a link of.
    let here = std::env::current_dir().unwrap_or_default();
    let seen = |file: PathBuf| file.strip_prefix(&here).map(Path::to_owned).unwrap_or(file);
    let meant = if args.files.is_empty() { files(root) } else { args.files.clone() };
    let meant: Vec<_> = meant.into_iter().map(seen).collect();
    if meant.is_empty() {
        let complaint =
            Complaint::not_found(format!("there are no *.mlemu.yaml files in {}", root.display()));
        return Err(complaint.hint("see docs/guides/testing.md for what is in one"));
    }
    let read: Result<Vec<Suite>, ConfigError> = meant.iter().map(|file| read::suite(file)).collect();
    let mut suites = read.map_err(|error| Complaint::config(error.to_string()))?;
    if let Some(filter) = &args.filter {
        for suite in &mut suites {
            suite.tests.retain(|test| test.name.contains(filter.as_str()));
        }
        if suites.iter().all(|suite| suite.tests.is_empty()) {
            return Err(Complaint::not_found(format!("no test's name contains `{filter}`")));
        }
    }
    Ok(suites)
}

/// Runs all tests, so many at once, and gives their verdicts in the order of the files.
async fn all(
    daemon: &Daemon,
    args: &TestArgs,
    root: &Path,
    suites: Vec<Suite>,
    printer: Printer,
) -> Result<Vec<Verdict>, Complaint> {
    let update = args.update_snapshots;
    let kept: Vec<_> = suites.iter().map(|suite| Snapshots::beside(&suite.text.path, update)).collect();
    let tests: Vec<(usize, &Test)> = suites
        .iter()
        .enumerate()
        .flat_map(|(at, suite)| suite.tests.iter().map(move |test| (at, test)))
        .collect();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = args.workers.unwrap_or(cores).clamp(1, tests.len().max(1));
    let ground = Ground { seed: args.seed, worlds: daemon.worlds.clone(), root: root.to_owned() };
    let next = AtomicUsize::new(0);
    let (suites, kept, tests, ground, next) = (&suites, &kept, &tests, &ground, &next);
    let worker = |number: usize| async move {
        let mut verdicts = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((suite, test)) = tests.get(index) else { return Ok::<_, Complaint>(verdicts) };
            // What shall repeat begins where nothing was before.
            let name = if args.seed.is_some() { format!("t{index}") } else { format!("w{number}") };
            let failed =
                |error: ScopeError| Complaint { exit: HARNESS_FAILED, ..Complaint::new(error.to_string()) };
            let world = daemon.worlds.named(&name).await.map_err(failed)?;
            let verdict = run::test(ground, &world, &suites[*suite], &kept[*suite], test).await;
            verdicts.push((index, verdict));
            if args.seed.is_some() {
                daemon.worlds.end(&name).await.map_err(failed)?;
            }
        }
    };
    let ran = futures_util::future::try_join_all((1..=workers).map(worker)).await?;
    let mut verdicts: Vec<_> = ran.into_iter().flatten().collect();
    verdicts.sort_by_key(|(index, _)| *index);
    for snapshots in kept {
        let written = snapshots.write(args.filter.is_none());
        let changed = written.map_err(|error| Complaint::new(format!("cannot write snapshots: {error}")))?;
        if update {
            printer.say(&format!("{}: {changed} snapshots changed", snapshots.file().display()));
        }
    }
    Ok(verdicts.into_iter().map(|(_, verdict)| verdict).collect())
}
