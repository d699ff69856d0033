//! `mlemu completions`: a script for the shell.

use super::Cli;
use super::exit::{Complaint, Exit};
use crate::report::print::Printer;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    shell: Shell,
}

pub fn run(args: &CompletionsArgs, printer: &Printer) -> Result<Exit, Complaint> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "mlemu", &mut script);
    printer.bytes(&script);
    Ok(Exit::Ok)
}
