//! `mlemu exec -- COMMAND`: a daemon for one command, typically a test run, and nothing left afterwards.

use super::ends::Ends;
use super::exit::{Complaint, Exit, HARNESS_FAILED, NO_SUCH_COMMAND, NOT_EXECUTABLE};
use super::simulate::{For, SimulateArgs};
use super::talk;
use super::{Reading, Repeating};
use crate::config;
use crate::daemon::{Daemon, Options};
use crate::harness::Client;
use crate::harness::environment::{Surroundings, Target};
use crate::harness::guard::Guard;
use crate::harness::script::write;
use crate::harness::trail::Trail;
use crate::report::print::Printer;
use crate::report::terminal::{Show, Terminal};
use clap::Args;
use mlemu_core::Environment;
use mlemu_sandbox::Foreground;
use rustix::process::Signal;
use std::ffi::OsString;
use std::io::{ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};

/// What surrounds a command that runs in a project.
#[derive(Debug, Args)]
pub struct Surrounded {
    /// The project's folder, a template or mlemu.toml in it, or `app.py:handler`
    #[arg(long, value_name = "PATH", default_value = ".")]
    project: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// When the command fails, keep everything running until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Write what became of each invocation of the whole run to this file, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Make scopes `w1` to `wN` ready, one for each worker of a test runner
    #[arg(long, value_name = "N", default_value_t = 0)]
    workers: usize,
    /// Refuse whatever functions and the command want from other machines through proxies, name who wanted what,
    /// and fail if somebody did
    #[arg(long)]
    offline_guard: bool,
    #[command(flatten)]
    simulate: SimulateArgs,
    #[command(flatten)]
    repeating: Repeating,
    /// Scale functions as the cloud does instead of to this machine's cores
    #[arg(long)]
    faithful: bool,
}

impl Surrounded {
    pub fn project(&self) -> &Path {
        &self.project
    }
}

#[derive(Debug, Args)]
pub struct ExecArgs {
    #[command(flatten)]
    how: Surrounded,
    /// Use the daemon of this project that is already up, if there is one
    #[arg(long, conflicts_with_all = ["keep", "report", "workers", "offline_guard"])]
    reuse: bool,
    /// The command and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub async fn run(args: ExecArgs, printer: Printer) -> Result<Exit, Complaint> {
    if args.reuse
        && let Some(daemon) = talk::find(&config::root(&args.how.project))
    {
        return attached(&daemon, &args.command).await;
    }
    surrounded(args.how, args.command, None, printer).await
}

/// Runs a command, and keeps its session as a test in `file`.
pub async fn recorded(
    how: Surrounded,
    command: Vec<OsString>,
    file: PathBuf,
    printer: Printer,
) -> Result<Exit, Complaint> {
    surrounded(how, command, Some(file), printer).await
}

async fn surrounded(
    how: Surrounded,
    command: Vec<OsString>,
    record: Option<PathBuf>,
    printer: Printer,
) -> Result<Exit, Complaint> {
    let mut ends = Ends::new()?;
    let mut loaded = how.reading.load(&how.project)?;
    let guard = if how.offline_guard { Some(Guard::open().await) } else { None };
    let guard = guard.transpose().map_err(|error| Complaint::new(error.to_string()))?;
    if let Some(guard) = &guard {
        for function in &mut loaded.project.functions {
            function.env.extend(guard.variables(&function.name));
        }
    }
    let scope = loaded.settings.account.clone();
    let options = Options {
        faithful: how.faithful,
        simulating: how.simulate.wanted(&loaded.settings, For::Tests),
        origin: how.repeating.origin(),
        offline: how.reading.offline,
        ..Options::private(loaded)
    };
    let show = if printer.verbose { Show::All } else { Show::Steps };
    let mut terminal = None;
    let open = |shared: &_| terminal = Some(Terminal::open(printer, show, shared));
    let started = tokio::select! {
        started = Daemon::start(options, open) => started,
        exit = ends.next() => return Ok(exit),
    };
    let daemon = started.map_err(|error| Complaint { exit: HARNESS_FAILED, ..Complaint::from(error) })?;
    let written = |file: &Path, error: std::io::Error| Complaint {
        exit: HARNESS_FAILED,
        ..Complaint::new(format!("cannot write {}: {error}", file.display()))
    };
    let trail = how
        .report
        .as_deref()
        .map(|file| Trail::open(file, &daemon.worlds).map_err(|error| written(file, error)));
    let trail = trail.transpose()?;
    if record.is_some() {
        daemon.world.record();
    }
    let own = guard.as_ref().map(|guard| guard.variables("the command")).unwrap_or_default();
    let mut exit = beside(&daemon, scope, own, &how, &command, &mut ends).await;
    if let (Some(file), Some(session)) = (&record, daemon.world.end_recording().await) {
        super::record::write(file, &write::text(&session, &daemon.world), printer)?;
    }
    if let (Some(file), Some(trail)) = (&how.report, trail) {
        trail.close(&daemon.worlds).await.map_err(|error| written(file, error))?;
    }
    if how.keep && !matches!(exit, Ok(Exit::Of(0))) {
        keep(&daemon, printer, &mut ends).await;
    }
    daemon.shutdown().await;
    Terminal::close(terminal).await;
    for (attempt, times) in guard.iter().flat_map(Guard::attempts) {
        printer.say(&format!("offline guard: {} tried {} ({times} times)", attempt.who, attempt.to));
        if matches!(exit, Ok(Exit::Of(0))) {
            exit = Ok(Exit::Failed);
        }
    }
    exit
}

/// Runs the command with a daemon of its own.
async fn beside(
    daemon: &Daemon,
    scope: String,
    own: Environment,
    how: &Surrounded,
    words: &[OsString],
    ends: &mut Ends,
) -> Result<Exit, Complaint> {
    let world = &daemon.world;
    for number in 1..=how.workers {
        let made = daemon.worlds.named(&format!("w{number}")).await;
        made.map_err(|error| Complaint { exit: HARNESS_FAILED, ..Complaint::new(error.to_string()) })?;
    }
    let target = Target {
        clouds: world.environment().into_iter().chain(own).collect(),
        control: format!("http://{}", daemon.control),
        token: daemon.worlds.token.clone(),
        scope,
        functions: world.function_urls(),
    };
    command(words, &target, ends).await
}

/// Runs the command with the daemon that is already up, in a scope of its own.
async fn attached(daemon: &Client, words: &[OsString]) -> Result<Exit, Complaint> {
    let mut ends = Ends::new()?;
    let made = daemon.make_scope(&format!("exec-{}", std::process::id())).await?;
    let target = Target {
        scope: made.name.clone(),
        clouds: made.environment,
        control: daemon.control().to_owned(),
        token: daemon.token().to_owned(),
        functions: made.functions.into_iter().collect(),
    };
    let exit = command(words, &target, &mut ends).await;
    daemon.end_scope(&made.name).await?;
    exit
}

async fn command(words: &[OsString], target: &Target, ends: &mut Ends) -> Result<Exit, Complaint> {
    let failed =
        |error: std::io::Error| Complaint { exit: HARNESS_FAILED, ..Complaint::new(error.to_string()) };
    let nothing = tempfile::tempdir().map_err(failed)?;
    let surroundings = Surroundings::of(target, nothing.path(), std::env::vars_os());
    let Some((program, rest)) = words.split_first() else {
        return Err(Complaint::usage("there is no command to run"));
    };
    let started = Foreground::start(program, rest, &surroundings.set, &surroundings.unset);
    let mut running = started.map_err(|error| {
        let exit = if error.kind() == ErrorKind::NotFound { NO_SUCH_COMMAND } else { NOT_EXECUTABLE };
        let what = format!("cannot run `{}`: {error}", program.to_string_lossy());
        Complaint { exit, ..Complaint::new(what) }
    })?;
    loop {
        tokio::select! {
            ended = running.ended() => return ended.map(Exit::Of).map_err(failed),
            exit = ends.next() => match exit {
                // A terminal tells everybody in it of Ctrl-C by itself.
                Exit::Interrupted if std::io::stdin().is_terminal() => {}
                Exit::Interrupted => running.signal(Signal::INT),
                _ => running.signal(Signal::TERM),
            },
        }
    }
}

async fn keep(daemon: &Daemon, printer: Printer, ends: &mut Ends) {
    for (name, address) in daemon.addresses() {
        printer.say(&format!("{name}  http://{address}"));
    }
    let (control, token) = (daemon.control, &daemon.worlds.token);
    printer.say(&format!(
        "the command failed; all of it is kept: MLEMU_URL=http://{control} MLEMU_TOKEN={token}"
    ));
    printer.say("`mlemu logs` and other verbs find it by these two variables; Ctrl-C ends it");
    ends.next().await;
}
