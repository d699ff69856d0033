//! `mlemu queue`: look into the queues of a running project, empty them, send dead letters back.

use super::ProjectArgs;
use super::exit::{Complaint, Exit};
use super::talk::Talk;
use crate::config;
use crate::daemon::control::queues::{MessageLine, QueueLine, Redriven};
use crate::report::human::harmless;
use crate::report::print::Printer;
use bytes::Bytes;
use clap::{Args, Subcommand};
use http::Method;

#[derive(Debug, Args)]
pub struct QueueArgs {
    #[command(subcommand)]
    verb: QueueVerb,
}

#[derive(Debug, Subcommand)]
enum QueueVerb {
    /// List the queues and how much is in them
    List(ProjectArgs),
    /// Show messages without taking them
    Peek {
        /// The queue, or the subscription
        queue: String,
        /// Most messages
        #[arg(long, value_name = "N", default_value_t = 10)]
        limit: usize,
        #[command(flatten)]
        project: ProjectArgs,
    },
    /// Drop every message
    Purge {
        /// The queue, or the subscription
        queue: String,
        #[command(flatten)]
        project: ProjectArgs,
    },
    /// Move dead letters back to where they came from
    Redrive {
        /// The dead-letter queue
        queue: String,
        /// Move them there instead
        #[arg(long, value_name = "QUEUE")]
        to: Option<String>,
        #[command(flatten)]
        project: ProjectArgs,
    },
}

pub async fn run(args: QueueArgs, printer: Printer) -> Result<Exit, Complaint> {
    match args.verb {
        QueueVerb::List(project) => list(&project, printer).await,
        QueueVerb::Peek { queue, limit, project } => {
            peek(&daemon(&project)?, &part(&queue), limit, printer).await
        }
        QueueVerb::Purge { queue, project } => {
            let path = format!("/_mlemu/queues/{}/purge", part(&queue));
            drop(daemon(&project)?.call(Method::POST, &path, Bytes::new()).await?);
            Ok(Exit::Ok)
        }
        QueueVerb::Redrive { queue, to, project } => {
            let to = to.map(|to| format!("?to={}", part(&to))).unwrap_or_default();
            let path = format!("/_mlemu/queues/{}/redrive{to}", part(&queue));
            let moved: Redriven = daemon(&project)?.post(&path, Bytes::new()).await?;
            printer.say(&format!("{} moved, {} left", moved.moved, moved.left));
            Ok(Exit::Ok)
        }
    }
}

fn daemon(project: &ProjectArgs) -> Result<Talk, Complaint> {
    Talk::need(&config::root(&project.project))
}

fn part(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

async fn list(project: &ProjectArgs, printer: Printer) -> Result<Exit, Complaint> {
    let lines: Vec<QueueLine> = daemon(project)?.get("/_mlemu/queues").await?;
    if printer.json {
        printer.result(&serde_json::to_string(&lines).unwrap_or_default());
        return Ok(Exit::Ok);
    }
    for line in lines {
        let QueueLine { name, visible, leased, delayed, .. } = line;
        printer.result(&format!("{name}  {visible} visible, {leased} received, {delayed} delayed"));
    }
    Ok(Exit::Ok)
}

async fn peek(talk: &Talk, queue: &str, limit: usize, printer: Printer) -> Result<Exit, Complaint> {
    let lines: Vec<MessageLine> = talk.get(&format!("/_mlemu/queues/{queue}/messages?limit={limit}")).await?;
    if printer.json {
        printer.result(&serde_json::to_string(&lines).unwrap_or_default());
        return Ok(Exit::Ok);
    }
    for line in lines {
        let until = line.until.map(|until| format!(" until {until}")).unwrap_or_default();
        let body = harmless(line.body.get()).into_owned();
        printer
            .result(&format!("{}  {}{until}, received {} times  {body}", line.id, line.sight, line.received));
    }
    Ok(Exit::Ok)
}
