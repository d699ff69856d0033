//! `mlemu ps`: the functions of a running project.

use super::ProjectArgs;
use super::exit::{Complaint, Exit};
use super::talk;
use crate::config;
use crate::report::print::Printer;
use crate::report::table::table;

pub async fn run(args: ProjectArgs, printer: Printer) -> Result<Exit, Complaint> {
    let functions = talk::need(&config::root(&args.project))?.functions().await?;
    if printer.json {
        let text = serde_json::to_string_pretty(&functions).unwrap_or_default();
        printer.result(&text);
        return Ok(Exit::Ok);
    }
    let head = ["FUNCTION", "CLOUD", "RUNTIME", "MEMORY", "TIMEOUT", "INSTANCES", "BUSY", "DECLARED"];
    let rows = functions.iter().map(|function| {
        vec![
            function.name.clone(),
            function.cloud.clone(),
            function.runtime.clone(),
            format!("{} MB", function.memory),
            format!("{} s", function.timeout),
            function.instances.to_string(),
            function.in_flight.to_string(),
            function.from.clone().unwrap_or_default(),
        ]
    });
    printer.result(&table(&head, rows));
    Ok(Exit::Ok)
}
