//! `mlemu queue`: look into the queues of a running project, empty them, send dead letters back.

use super::ProjectArgs;
use super::exit::{Complaint, Exit};
use super::talk;
use crate::config;
use crate::daemon::control::queues::QueueLine;
use crate::harness::Client;
use crate::report::human::harmless;
use crate::report::print::Printer;
use clap::{Args, Subcommand};

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
        QueueVerb::Peek { queue, limit, project } => peek(&daemon(&project)?, &queue, limit, printer).await,
        QueueVerb::Purge { queue, project } => {
            daemon(&project)?.purge(&queue).await?;
            Ok(Exit::Ok)
        }
        QueueVerb::Redrive { queue, to, project } => {
            let moved = daemon(&project)?.redrive(&queue, to.as_deref()).await?;
            printer.say(&format!("{} moved, {} left", moved.moved, moved.left));
            Ok(Exit::Ok)
        }
    }
}

fn daemon(project: &ProjectArgs) -> Result<Client, Complaint> {
    talk::need(&config::root(&project.project))
}

async fn list(project: &ProjectArgs, printer: Printer) -> Result<Exit, Complaint> {
    let lines = daemon(project)?.queues().await?;
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

async fn peek(daemon: &Client, queue: &str, limit: usize, printer: Printer) -> Result<Exit, Complaint> {
    let lines = daemon.messages(queue, limit).await?;
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
