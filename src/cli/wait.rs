//! `mlemu wait`: returns when something is so, for scripts that would sleep otherwise.

use super::ProjectArgs;
use super::exit::{Complaint, Exit};
use super::talk;
use crate::config;
use crate::daemon::control::wait::{Asked, Conditions, STATUSES, WantedInvocations, WantedObject};
use crate::harness::{Diagnosis, HarnessError};
use crate::report::print::Printer;
use clap::Args;
use std::time::Duration;

#[derive(Debug, Args)]
pub struct WaitArgs {
    /// Until invocations of this function have ended; without any of these options: until nothing is under way
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// How many of them
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// How they shall have ended
    #[arg(long, value_name = "STATUS", requires = "function", value_parser = STATUSES.to_vec())]
    status: Option<String>,
    /// Until this object is there; BUCKET/PREFIX* counts all that begin so
    #[arg(long, value_name = "BUCKET/KEY")]
    object: Option<String>,
    /// Until nothing is left in this queue, hidden messages included
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// Until nothing is under way of what this request caused: its id, or its trace header
    #[arg(long, value_name = "ID")]
    trace: Option<String>,
    /// Only invocations that arrived after this cursor
    #[arg(long, value_name = "CURSOR", default_value_t = 0)]
    since: u64,
    /// How long to wait at most
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    timeout: Duration,
    #[command(flatten)]
    project: ProjectArgs,
}

fn duration(text: &str) -> Result<Duration, String> {
    config::duration(text).ok_or_else(|| "write it as 500ms, 30s or 2m".into())
}

pub async fn run(args: WaitArgs, printer: Printer) -> Result<Exit, Complaint> {
    let waited = talk::need(&config::root(&args.project.project))?.wait_as(&asked(&args)?).await;
    let waited = match waited {
        Ok(waited) => waited,
        Err(HarnessError::NotSettled(diagnosis)) => return Ok(explain(&diagnosis, printer)),
        Err(error) => return Err(error.into()),
    };
    if printer.json {
        printer.result(&serde_json::to_string(&waited).unwrap_or_default());
        return Ok(Exit::Ok);
    }
    for line in &waited.invocations {
        printer.result(&format!("{}  {}  {}", line.id, line.function, line.status));
    }
    for object in &waited.objects {
        printer.result(&format!("{}  {} bytes", object.key, object.size));
    }
    Ok(Exit::Ok)
}

fn asked(args: &WaitArgs) -> Result<Asked, Complaint> {
    if args.count.is_some() && args.function.is_none() && args.object.is_none() {
        return Err(Complaint::usage("`--count` of what?").hint("name it with --function or --object"));
    }
    let count = args.count.unwrap_or(1);
    let invocations = args.function.as_ref().map(|function| WantedInvocations {
        function: Some(function.clone()),
        status: args.status.clone(),
        count,
    });
    let object = args.object.as_deref().map(|object| wanted(object, count)).transpose()?;
    let (trace, queue_empty) = (args.trace.clone(), args.queue.clone());
    let until = Conditions { trace, invocations, object, queue_empty, ..Conditions::default() };
    let timeout_ms = Some(u64::try_from(args.timeout.as_millis()).unwrap_or(u64::MAX));
    Ok(Asked { until, since: args.since, timeout_ms, while_busy: false })
}

fn wanted(object: &str, count: usize) -> Result<WantedObject, Complaint> {
    let Some((bucket, key)) = object.split_once('/') else {
        return Err(Complaint::usage(format!("`--object {object}` has no `/`")).hint("write BUCKET/KEY"));
    };
    let bucket = bucket.to_owned();
    Ok(match key.strip_suffix('*') {
        Some(prefix) => WantedObject { bucket, key: None, prefix: Some(prefix.into()), count },
        None => WantedObject { bucket, key: Some(key.into()), prefix: None, count: 1 },
    })
}

/// Why it is not so, in words.
fn explain(diagnosis: &Diagnosis, printer: Printer) -> Exit {
    if printer.json {
        printer.result(&diagnosis.document().to_string());
        return Exit::TimedOut;
    }
    let hint = "more time is given with --timeout; `mlemu logs` shows what functions wrote";
    printer.complain(&diagnosis.lines().join("\n"), Some(hint));
    Exit::TimedOut
}
