//! `mlemu cold`: the next call of a function is a cold start.

use super::ProjectArgs;
use super::exit::{Complaint, Exit};
use super::talk;
use crate::config;
use crate::report::print::Printer;
use clap::Args;

#[derive(Debug, Args)]
pub struct ColdArgs {
    /// The function; every one of the project when none is named
    function: Option<String>,
    #[command(flatten)]
    project: ProjectArgs,
}

pub async fn run(args: ColdArgs, printer: Printer) -> Result<Exit, Complaint> {
    let client = talk::need(&config::root(&args.project.project))?;
    let names = if let Some(name) = args.function {
        vec![name]
    } else {
        client.functions().await?.into_iter().map(|function| function.name).collect()
    };
    for name in &names {
        client.cold(name).await?;
        printer.say(&format!("the next call of {name} is a cold start"));
    }
    Ok(Exit::Ok)
}
