//! `mlemu config`: the project as it is read.

use super::ProjectArgs;
use super::exit::{Complaint, Exit};
use crate::report::print::{Printer, Tone};
use crate::report::project;

pub fn run(args: &ProjectArgs, printer: &Printer) -> Result<Exit, Complaint> {
    let loaded = args.reading.load(&args.project)?;
    if printer.json {
        printer.result(&serde_json::to_string_pretty(&loaded.project).unwrap_or_default());
        return Ok(Exit::Ok);
    }
    for warning in &loaded.project.warnings {
        printer.say(&format!("{} {warning}", printer.paint(Tone::Warn, "warning:")));
    }
    printer.result(&project::lines(&loaded.project).join("\n"));
    Ok(Exit::Ok)
}
