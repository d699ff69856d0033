//! `mlemu record -- COMMAND`: what a session was, as a test that `mlemu replay` runs.

use super::exec::{self, ExecArgs};
use super::exit::{Complaint, Exit};
use crate::report::print::Printer;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct RecordArgs {
    /// Where the session is written
    #[arg(long, short, value_name = "FILE", default_value = "recorded.mlemu.yaml")]
    output: PathBuf,
    #[command(flatten)]
    exec: ExecArgs,
}

pub async fn run(args: RecordArgs, printer: Printer) -> Result<Exit, Complaint> {
    exec::run(args.exec.recorded(args.output), printer).await
}
