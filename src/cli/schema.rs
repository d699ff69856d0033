//! `mlemu schema`: what may be written in our own files, for editors that complete and check.

use super::exit::{Complaint, Exit};
use crate::report::print::Printer;
use crate::{config, harness};
use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// The kind of file
    of: Of,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Of {
    /// mlemu.toml
    Config,
    /// Test files, *.mlemu.yaml
    Test,
}

pub fn run(args: &SchemaArgs, printer: Printer) -> Result<Exit, Complaint> {
    let schema = match args.of {
        Of::Config => config::schema(),
        Of::Test => harness::test_file_schema(),
    };
    let text = serde_json::to_string_pretty(&schema).map_err(|error| Complaint::new(error.to_string()))?;
    printer.result(&text);
    Ok(Exit::Ok)
}
