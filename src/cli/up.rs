//! `mlemu up`: the daemon in the foreground.

use super::ends::Ends;
use super::exit::{Complaint, Exit};
use super::simulate::{For, SimulateArgs};
use super::{Reading, Repeating};
use crate::config;
use crate::config::Durability;
use crate::daemon::listener::Wish;
use crate::daemon::locator::{self, LocatorError};
use crate::daemon::{self, CONTROL_PORT, Daemon, Options, Persist, StartError, folders};
use crate::report::human;
use crate::report::print::{Printer, Tone};
use crate::report::project;
use crate::report::terminal::{Show, Terminal};
use clap::Args;
use mlemu_core::{ColdStarts, Record, What};
use mlemu_engine::Simulation;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Args)]
pub struct UpArgs {
    /// The project's folder, a template or mlemu.toml in it, or `app.py:handler`
    #[arg(default_value = ".")]
    path: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Address to listen on; loopback addresses only
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port of the AWS APIs [default: 4566, or the next free one; 0: any]
    #[arg(long, value_name = "PORT")]
    aws_port: Option<u16>,
    /// Port of the Google APIs [default: 8085, or the next free one; 0: any]
    #[arg(long, value_name = "PORT")]
    gcp_port: Option<u16>,
    /// Port of Azure Functions [default: 7071, or the next free one; 0: any]
    #[arg(long, value_name = "PORT")]
    azure_port: Option<u16>,
    /// Port of Azure Blob Storage [default: 10000, or the next free one; 0: any]
    #[arg(long, value_name = "PORT")]
    blob_port: Option<u16>,
    /// Port of Azure Queue Storage [default: 10001, or the next free one; 0: any]
    #[arg(long, value_name = "PORT")]
    queue_port: Option<u16>,
    /// Port of the control API [default: 4600, or the next free one; 0: any]
    #[arg(long, value_name = "PORT")]
    control_port: Option<u16>,
    /// Give a function of Google Cloud the root of a port of its own; 0: any. Can be said several times
    #[arg(long, value_name = "NAME=PORT", value_parser = served)]
    serve: Vec<(String, u16)>,
    /// Scale functions as the cloud does instead of to this machine's cores
    #[arg(long)]
    faithful: bool,
    #[command(flatten)]
    simulate: SimulateArgs,
    #[command(flatten)]
    repeating: Repeating,
    /// Verify request signatures and function keys instead of accepting any credentials
    #[arg(long, visible_alias = "enforce-keys")]
    strict_auth: bool,
    /// Keep buckets, queues and functions in this folder; otherwise they end with the daemon
    #[arg(long, value_name = "DIR")]
    persist: Option<PathBuf>,
    /// What `--persist` promises: `disk` survives the daemon however it ends, `durable` also a loss of power
    #[arg(long, value_name = "HOW")]
    durability: Option<Durability>,
    /// Do not reload functions when their files change
    #[arg(long)]
    no_watch: bool,
}

pub async fn run(args: UpArgs, printer: Printer) -> Result<Exit, Complaint> {
    if !args.host.is_loopback() {
        let what = format!("`--host {}` is refused: mlemu runs code for whoever reaches it", args.host);
        return Err(Complaint::usage(what).hint("listen on loopback and reach it through an SSH tunnel"));
    }
    let mut ends = Ends::new()?;
    let options = options(&args)?;
    if let Some(located) = locator::find(&folders::locators(), &config::root(&args.path)) {
        return Err(StartError::from(LocatorError::AlreadyUp(Box::new(located))).into());
    }
    if !printer.json {
        for line in project::lines(&options.loaded.project) {
            printer.say(&line);
        }
    }
    let asked: BTreeSet<&str> = options.ports.keys().copied().collect();
    let mut terminal = None;
    let open = |shared: &_| terminal = Some(Terminal::open(printer, Show::All, shared));
    let started = tokio::select! {
        started = Daemon::start(options, open) => started,
        exit = ends.next() => return Ok(exit),
    };
    let daemon = match started {
        Ok(daemon) => daemon,
        Err(error) => {
            Terminal::close(terminal).await;
            return Err(error.into());
        }
    };
    if printer.json {
        printer.result(&ready(&daemon));
    } else if let Some(terminal) = &terminal {
        terminal.say(&announcement(&daemon, &asked, printer));
    }
    let exit = tokio::select! {
        exit = ends.next() => exit,
        () = daemon.worlds.stop.cancelled() => Exit::Ok,
    };
    let end = async {
        daemon.shutdown().await;
        Terminal::close(terminal).await;
    };
    printer.say("stopping");
    tokio::select! {
        () = end => Ok(exit),
        // A second Ctrl-C does not wait: the shims end with this process.
        exit = ends.next() => Ok(exit),
    }
}

fn options(args: &UpArgs) -> Result<Options, Complaint> {
    let loaded = args.reading.load(&args.path)?;
    let said = &loaded.settings.ports;
    let mut ports = BTreeMap::new();
    let wishes = [
        ("aws", args.aws_port.or(said.aws)),
        ("gcp", args.gcp_port.or(said.gcp)),
        ("azure", args.azure_port.or(said.azure)),
        (mlemu_azure::BLOB_FRONT, args.blob_port.or(said.blob)),
        (mlemu_azure::QUEUE_FRONT, args.queue_port.or(said.queue)),
    ];
    for (cloud, port) in wishes {
        if let Some(port) = port {
            ports.insert(cloud, Wish { port, exact: true });
        }
    }
    let control = match args.control_port.or(said.control) {
        Some(port) => Wish { port, exact: true },
        None => Wish { port: CONTROL_PORT, exact: false },
    };
    let folder = args.persist.clone().or_else(|| loaded.settings.persist.clone());
    let durability = args.durability.unwrap_or(loaded.settings.durability);
    if folder.is_none() && args.durability.is_some() {
        return Err(Complaint::usage("`--durability` is for what is kept, and nothing is".to_owned())
            .hint("say where with `--persist DIR`"));
    }
    let persist = folder.map(|folder| Persist { folder, durability: durability.into() });
    let reading = daemon::Reading { start: args.path.clone(), overrides: args.reading.overrides()? };
    Ok(Options {
        reading,
        host: args.host,
        ports,
        control,
        served: args.serve.clone(),
        offline: args.reading.offline,
        faithful: args.faithful,
        strict_auth: args.strict_auth,
        simulating: args.simulate.wanted(&loaded.settings, For::People),
        origin: args.repeating.origin(),
        watch: !args.no_watch,
        build_ahead: true,
        announce: true,
        persist,
        ..Options::private(loaded)
    })
}

/// `NAME=PORT`
fn served(text: &str) -> Result<(String, u16), String> {
    let (name, port) = text.split_once('=').ok_or("write it like `score=8080`")?;
    let port = port.parse().map_err(|_| format!("`{port}` is no port"))?;
    if name.is_empty() {
        Err("the name of a function is missing".into())
    } else {
        Ok((name.to_owned(), port))
    }
}

/// That the daemon is ready, for programs.
fn ready(daemon: &Daemon) -> String {
    let clouds: BTreeMap<_, _> =
        daemon.addresses().map(|(name, address)| (name, format!("http://{address}"))).collect();
    let control = format!("http://{}", daemon.control);
    let mut ready = serde_json::json!({ "ready": true, "clouds": clouds, "control": control });
    if !daemon.served.is_empty() {
        let served = daemon.served.iter().map(|(name, address)| (name.as_str(), format!("http://{address}")));
        ready["served"] = served.collect::<BTreeMap<_, _>>().into_iter().collect();
    }
    ready.to_string()
}

/// The same for people. `asked`: the clouds whose port somebody chose.
fn announcement(daemon: &Daemon, asked: &BTreeSet<&str>, printer: Printer) -> String {
    let mut lines = Vec::new();
    for (name, address) in daemon.addresses() {
        let moved =
            crate::clouds::CLOUDS.iter().find(|kind| kind.name == name && kind.port != address.port());
        let moved = match moved {
            Some(kind) if !asked.contains(name) => format!("  (port {} is taken)", kind.port),
            _ => String::new(),
        };
        lines.push(format!("{}  http://{address}{moved}", printer.paint(Tone::Strong, name)));
    }
    for (name, address) in &daemon.served {
        lines.push(format!("{}  http://{address}", printer.paint(Tone::Strong, name)));
    }
    lines.push("`eval \"$(mlemu env)\"` in another terminal points SDKs and tools here".into());
    if let Some(note) = simulated(&daemon.world.engine.parts().policy.simulation) {
        lines.push(note);
    }
    if let Some(note) = still_installing(&daemon.world.journal.past()) {
        lines.push(format!("{} {note}", printer.paint(Tone::Warn, "note:")));
    }
    let ready = printer.paint(Tone::Good, "ready");
    lines.push(format!("{ready}  control http://{}  (Ctrl-C ends it)", daemon.control));
    lines.join("\n")
}

/// What is made as it is in the cloud, so that nobody takes it for this machine's own speed.
fn simulated(simulation: &Simulation) -> Option<String> {
    let cpu = simulation
        .cpu
        .then_some("functions get the CPU that goes with their memory (`--cpu off`: all of it)");
    let starts = match simulation.cold_starts {
        ColdStarts::Off => None,
        ColdStarts::Typical | ColdStarts::Sampled if simulation.sleeps => {
            Some("cold starts take as long as there")
        }
        ColdStarts::Typical | ColdStarts::Sampled => Some("cold starts are told as they would be there"),
    };
    let both: Vec<&str> = [cpu, starts].into_iter().flatten().collect();
    (!both.is_empty()).then(|| format!("as in the cloud: {}", both.join("; ")))
}

fn still_installing(past: &[Arc<Record>]) -> Option<String> {
    let building = building(past);
    (!building.is_empty()).then(|| format!("still installing for {}: calls wait for it", building.join(", ")))
}

/// The functions that something is being installed for, by the records so far.
fn building(past: &[Arc<Record>]) -> Vec<String> {
    let mut names = BTreeSet::new();
    for record in past {
        let name = human::name(record).to_owned();
        match record.what {
            What::Building { .. } => names.insert(name),
            What::Built { .. } | What::BuildFailed { .. } => names.remove(&name),
            _ => false,
        };
    }
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlemu_core::{FunctionId, Scope, Sink, Subject, Timestamp};
    use mlemu_engine::Journal;
    use std::time::Duration;

    #[test]
    fn whoever_is_not_built_yet_is_named() {
        let journal = Journal::new(10);
        let scope = Arc::new(Scope::new("cloud", "one", "here"));
        let say = |name: &str, what| {
            let function = Some(FunctionId::new(scope.clone(), name));
            journal.send(Timestamp::default(), Subject { function, ..Subject::default() }, what);
        };
        let note = || still_installing(&journal.past());
        let building = || What::Building { step: "pip".into(), detail: false };
        assert_eq!(note(), None);
        for name in ["Quick", "Slow", "Broken", "Other"] {
            say(name, building());
        }
        say("Quick", What::Built { took: Duration::ZERO });
        say("Broken", What::BuildFailed { why: "no".into() });
        assert_eq!(note().as_deref(), Some("still installing for Other, Slow: calls wait for it"));
    }
}
