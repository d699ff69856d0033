//! `mlemu wait`: returns when something is so, for scripts that would sleep otherwise.

use super::ProjectArgs;
use super::exit::{Complaint, Exit};
use super::talk::Talk;
use crate::config;
use crate::daemon::control::wait::{Asked, Conditions, STATUSES, Waited, WantedInvocations, WantedObject};
use crate::report::human::harmless;
use crate::report::print::Printer;
use bytes::Bytes;
use clap::Args;
use http::{Method, StatusCode};
use serde_json::Value;
use std::borrow::Cow;
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
    let talk = Talk::need(&config::root(&args.project.project))?;
    let body = serde_json::to_vec(&asked(&args)?).map_err(|error| Complaint::new(error.to_string()))?;
    let (status, answer) = talk.ask(Method::POST, "/_mlemu/wait", Bytes::from(body)).await?;
    if status == StatusCode::REQUEST_TIMEOUT {
        return Ok(explain(&answer, printer));
    }
    if printer.json {
        printer.result(&String::from_utf8_lossy(&answer));
    } else if let Ok(waited) = serde_json::from_slice::<Waited>(&answer) {
        for line in &waited.invocations {
            printer.result(&format!("{}  {}  {}", line.id, line.function, line.status));
        }
        for object in &waited.objects {
            printer.result(&format!("{}  {} bytes", object.key, object.size));
        }
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
fn explain(answer: &[u8], printer: Printer) -> Exit {
    let diagnosis: Value = serde_json::from_slice(answer).unwrap_or_default();
    if printer.json {
        printer.result(&String::from_utf8_lossy(answer));
        return Exit::TimedOut;
    }
    let what = diagnosis["error"].as_str().unwrap_or("not in time");
    let failed = &diagnosis["last_failed"];
    let mut lines = vec![what.to_owned()];
    lines.extend(diagnosis["under_way"].as_array().into_iter().flatten().map(under_way));
    lines.extend(diagnosis["queues"].as_array().into_iter().flatten().flat_map(hidden));
    if diagnosis["paused"] == true {
        lines.push("triggers are paused: nothing starts a function by itself".into());
    }
    if !failed.is_null() {
        lines.push(format!("the last failure: {} of {}", text(&failed["status"]), text(&failed["function"])));
        let log = failed["log"].as_array().into_iter().flatten();
        let log = log.flat_map(|line| line["text"].as_str().unwrap_or_default().split('\n'));
        lines.extend(log.map(|line| format!("  {}", harmless(line))));
    }
    let hint = "more time is given with --timeout; `mlemu logs` shows what functions wrote";
    printer.complain(&lines.join("\n"), Some(hint));
    Exit::TimedOut
}

fn under_way(open: &Value) -> String {
    let work = &open["work"];
    match work["kind"].as_str() {
        Some("invocation") => {
            format!("under way: {} ({})", text(&work["function"]["name"]), text(&work["id"]))
        }
        Some("change") => {
            format!("under way: the change of {}/{}", text(&work["bucket"]), text(&work["key"]))
        }
        Some("message") => format!("under way: message {} of {}", text(&work["id"]), text(&work["queue"])),
        _ => format!("under way: {}", text(&work["what"])),
    }
}

/// Which message of a queue is hidden until when.
fn hidden(queue: &Value) -> Vec<String> {
    let messages = queue["messages"].as_array().into_iter().flatten();
    let of = |message: &Value| {
        let until = message["until"].as_str().map(|until| format!(" until {until}")).unwrap_or_default();
        let (id, sight) = (text(&message["id"]), text(&message["sight"]));
        format!(
            "{}: message {id} is {sight}{until}, received {} times",
            text(&queue["name"]),
            message["received"]
        )
    };
    messages.map(of).collect()
}

fn text(value: &Value) -> Cow<'_, str> {
    harmless(value.as_str().unwrap_or_default())
}
