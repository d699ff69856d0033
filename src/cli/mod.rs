//! The command line: one file a verb.

mod cold;
mod completions;
mod config;
mod cost;
mod doctor;
mod ends;
mod env;
mod events;
mod exec;
pub mod exit;
mod fit;
mod invoke;
mod logs;
mod onnx;
mod profile_init;
mod profiles;
mod ps;
mod queue;
mod record;
mod report;
mod rig;
mod schema;
mod simulate;
mod talk;
mod test;
mod tune;
mod up;
mod wait;

use crate::config::{self as project_config, Loaded, Overrides};
use crate::daemon::Origin;
use crate::report::print::{self, Printer};
use clap::{Args, Parser, Subcommand};
use exit::Exit;
use mlemu_core::Timestamp;
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  mlemu up                                   run the functions of the project in this folder
  mlemu invoke Predict --event event.json    call one of them and print what it answers
  mlemu events gen aws/s3/put -p key=cat.png print an event of AWS's exact form

Functions run as real processes behind the vendors' own runtime clients, on this machine only.";

/// Where help lists the flags that every verb takes.
const EVERYWHERE: &str = "Everywhere";

/// AWS, Google and Azure functions on your own machine, offline, with the truth about memory and time.
#[derive(Debug, Parser)]
#[command(name = "mlemu", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

/// Flags that every verb takes.
#[derive(Debug, Args)]
pub struct Common {
    /// Say less: errors and results only
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    quiet: bool,
    /// Say more; twice for the daemon's own trace
    #[arg(short, long, global = true, help_heading = EVERYWHERE, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Print JSON for programs
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    /// Colours: auto, always or never (NO_COLOR is honoured)
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "WHEN", default_value = "auto")]
    color: print::Color,
}

/// Which project is meant, and how it is read.
#[derive(Debug, Args)]
pub struct ProjectArgs {
    /// The project's folder, a template or mlemu.toml in it, or `app.py:handler`
    #[arg(long, value_name = "PATH", default_value = ".")]
    project: PathBuf,
    #[command(flatten)]
    reading: Reading,
}

/// How project files are read.
#[derive(Debug, Default, Args)]
pub struct Reading {
    /// A value for a template's parameter; may be given many times
    #[arg(long = "parameter", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// Read this template instead of looking for one
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Use what is in the cache and never a package registry
    #[arg(long, env = "MLEMU_OFFLINE")]
    offline: bool,
}

/// What a run repeats by.
#[derive(Debug, Default, Args)]
pub struct Repeating {
    /// Ids, the order of what starts by itself and the dice of faults come from this number, and repeat with it
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Emulated time stands still from the start, e.g. at 2026-01-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    clock: Option<jiff::Timestamp>,
}

impl Repeating {
    fn origin(&self) -> Origin {
        let clock = self.clock.map(|at| Timestamp(at.as_microsecond()));
        Origin { seed: self.seed, clock }
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the project's functions, buckets and routes until Ctrl-C
    Up(up::UpArgs),
    /// Call a function with an event and print its answer
    Invoke(invoke::InvokeArgs),
    /// Show what functions wrote
    Logs(logs::LogsArgs),
    /// Make the next call of a function a cold start
    Cold(cold::ColdArgs),
    /// List the functions of a running project
    Ps(ProjectArgs),
    /// Print the variables that point SDKs and tools at a running project
    Env(env::EnvArgs),
    /// Run a command against functions of its own, that are gone when it ends
    Exec(exec::ExecArgs),
    /// Run the project's *.mlemu.yaml tests
    Test(test::TestArgs),
    /// Run a command as `exec` does and keep the session as a test
    Record(record::RecordArgs),
    /// Run recorded sessions: the same as `test` with their files
    Replay(test::TestArgs),
    /// Wait until nothing is under way, or until something is so
    Wait(wait::WaitArgs),
    /// Look into queues, empty them, send dead letters back
    Queue(queue::QueueArgs),
    /// Make events in the vendors' exact form
    Events(events::EventsArgs),
    /// Weigh functions and hold them against the clouds' limits
    Fit(fit::FitArgs),
    /// Show where a function's cold start goes: runtime, packages, model, first call
    ProfileInit(profile_init::ProfileInitArgs),
    /// Measure a function at several memory sizes: time, price, and which one is best
    Tune(tune::TuneArgs),
    /// What functions cost: as they were called here, or as you assume they will be
    Cost(cost::CostArgs),
    /// One page about all functions for a pull request, held against the project's budgets
    Report(report::ReportArgs),
    /// Show the limits, prices and timings of the clouds, and where they are from
    Profiles(profiles::ProfilesArgs),
    /// Show the project as mlemu reads it
    Config(ProjectArgs),
    /// Print the JSON Schema of mlemu.toml or of test files, for editors
    Schema(schema::SchemaArgs),
    /// Fetch the library that runs models without a language
    Onnx(onnx::OnnxArgs),
    /// Check what this machine can do and what is missing
    Doctor,
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
}

/// Parses the arguments, runs the verb and says how it ended.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers; everything else is a mistake in the call.
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            let _ = error.print();
            return code.into();
        }
    };
    let common = cli.common;
    let printer = Printer {
        quiet: common.quiet,
        json: common.json,
        verbose: common.verbose > 0,
        ..Printer::new(common.color)
    };
    trace(common.verbose);
    let exit = run(cli.verb, printer);
    exit.unwrap_or_else(|complaint| {
        printer.complain(&complaint.what, complaint.hint.as_deref());
        complaint.exit
    })
    .into()
}

fn run(verb: Verb, printer: Printer) -> Result<Exit, exit::Complaint> {
    match verb {
        Verb::Up(args) => block_on(up::run(args, printer)),
        Verb::Invoke(args) => block_on(invoke::run(args, printer)),
        Verb::Logs(args) => block_on(logs::run(args, printer)),
        Verb::Cold(args) => block_on(cold::run(args, printer)),
        Verb::Ps(args) => block_on(ps::run(args, printer)),
        Verb::Env(args) => block_on(env::run(args, printer)),
        Verb::Exec(args) => block_on(exec::run(args, printer)),
        Verb::Record(args) => block_on(record::run(args, printer)),
        Verb::Test(args) | Verb::Replay(args) => block_on(test::run(args, printer)),
        Verb::Wait(args) => block_on(wait::run(args, printer)),
        Verb::Queue(args) => block_on(queue::run(args, printer)),
        Verb::Events(args) => block_on(events::run(args, printer)),
        Verb::Fit(args) => block_on(fit::run(args, printer)),
        Verb::ProfileInit(args) => block_on(profile_init::run(args, printer)),
        Verb::Tune(args) => block_on(tune::run(args, printer)),
        Verb::Report(args) => block_on(report::run(args, printer)),
        Verb::Cost(args) => block_on(cost::run(args, printer)),
        Verb::Profiles(args) => profiles::run(&args, printer),
        Verb::Config(args) => config::run(&args, printer),
        Verb::Schema(args) => schema::run(&args, printer),
        Verb::Onnx(args) => block_on(onnx::run(args, printer)),
        Verb::Doctor => doctor::run(printer),
        Verb::Completions(args) => completions::run(&args, printer),
    }
}

fn block_on<T>(work: impl Future<Output = Result<T, exit::Complaint>>) -> Result<T, exit::Complaint> {
    // Half of the cores: the functions need the others, and a message within one thread wakes nobody.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads((cores / 2).max(1)).enable_all().build();
    let runtime = runtime.map_err(|error| exit::Complaint::new(format!("cannot start: {error}")))?;
    let done = runtime.block_on(work);
    // What still blocks, such as a terminal that was stopped, does not hold up the end.
    runtime.shutdown_background();
    done
}

/// The operator's own log; what users see are records.
fn trace(verbose: u8) {
    let usual = if verbose > 1 { "debug" } else { "warn" };
    let filter = tracing_subscriber::EnvFilter::try_from_env("MLEMU_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(usual));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

impl Reading {
    fn overrides(&self) -> Result<Overrides, exit::Complaint> {
        let cache_dir = Some(crate::daemon::folders::cache().join("inline"));
        let mut overrides = Overrides { template: self.template.clone(), cache_dir, ..Overrides::default() };
        for given in &self.parameters {
            let Some((name, value)) = given.split_once('=') else {
                let complaint = exit::Complaint::usage(format!("`--parameter {given}` has no `=`"));
                return Err(complaint.hint("write it as --parameter NAME=VALUE"));
            };
            overrides.parameters.insert(name.into(), value.into());
        }
        Ok(overrides)
    }

    /// Reads the project at `start`.
    fn load(&self, start: &std::path::Path) -> Result<Loaded, exit::Complaint> {
        let read = project_config::load(start, &self.overrides()?);
        read.map_err(|error| exit::Complaint::config(error.to_string()))
    }
}
