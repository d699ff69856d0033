//! `mlemu cold`: the next call of a function is a cold start.

use super::ProjectArgs;
use super::exit::{Complaint, Exit};
use super::talk::Talk;
use crate::config;
use crate::daemon::control::FunctionLine;
use crate::report::print::Printer;
use bytes::Bytes;
use clap::Args;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

#[derive(Debug, Args)]
pub struct ColdArgs {
    /// The function; every one of the project when none is named
    function: Option<String>,
    #[command(flatten)]
    project: ProjectArgs,
}

pub async fn run(args: ColdArgs, printer: Printer) -> Result<Exit, Complaint> {
    let talk = Talk::need(&config::root(&args.project.project))?;
    let names = if let Some(name) = args.function {
        vec![name]
    } else {
        let functions: Vec<FunctionLine> = talk.get("/_mlemu/functions").await?;
        functions.into_iter().map(|function| function.name).collect()
    };
    for name in &names {
        let path = format!("/_mlemu/functions/{}/cold", utf8_percent_encode(name, NON_ALPHANUMERIC));
        drop(talk.call(Method::POST, &path, Bytes::new()).await?);
        printer.say(&format!("the next call of {name} is a cold start"));
    }
    Ok(Exit::Ok)
}
