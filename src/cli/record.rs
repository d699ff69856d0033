//! `mlemu record`: what a session was, as a test that `mlemu replay` runs.

use super::ends::Ends;
use super::exec::{self, Surrounded};
use super::exit::{Complaint, Exit};
use super::talk;
use crate::config;
use crate::report::print::Printer;
use clap::Args;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct RecordArgs {
    /// Where the session is written
    #[arg(long, short, value_name = "FILE", default_value = "recorded.mlemu.yaml")]
    output: PathBuf,
    #[command(flatten)]
    how: Surrounded,
    /// The command and its arguments; without one, what happens in the running project is recorded until Ctrl-C
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub async fn run(args: RecordArgs, printer: Printer) -> Result<Exit, Complaint> {
    if args.command.is_empty() {
        return attached(&args, printer).await;
    }
    exec::recorded(args.how, args.command, args.output, printer).await
}

/// Records what happens in the project that is up, until somebody ends it.
async fn attached(args: &RecordArgs, printer: Printer) -> Result<Exit, Complaint> {
    let mut ends = Ends::new()?;
    let daemon = talk::need(&config::root(args.how.project()))?;
    daemon.start_recording().await?;
    printer.say("recording what happens in the running project; Ctrl-C ends it");
    ends.next().await;
    write(&args.output, &daemon.stop_recording().await?, printer)?;
    Ok(Exit::Ok)
}

/// Writes a session.
pub fn write(file: &Path, text: &str, printer: Printer) -> Result<(), Complaint> {
    std::fs::write(file, text)
        .map_err(|error| Complaint::new(format!("cannot write {}: {error}", file.display())))?;
    let steps = text.lines().filter(|line| line.starts_with("      - {")).count();
    let steps = if steps == 1 { "1 step".into() } else { format!("{steps} steps") };
    printer.say(&format!("recorded {steps} in {}", file.display()));
    Ok(())
}
