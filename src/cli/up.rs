//! `mlemu up`: the daemon in the foreground.

use super::Reading;
use super::ends::Ends;
use super::exit::{Complaint, Exit};
use crate::config;
use crate::daemon::listener::Wish;
use crate::daemon::locator::{self, LocatorError};
use crate::daemon::{self, CONTROL_PORT, Daemon, Options, StartError, folders};
use crate::report::human::Human;
use crate::report::print;
use crate::report::print::{Printer, Tone};
use crate::report::project;
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

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
    /// Port of the Google APIs [default: 8085]
    #[arg(long, value_name = "PORT")]
    gcp_port: Option<u16>,
    /// Port of Azure Functions [default: 7071]
    #[arg(long, value_name = "PORT")]
    azure_port: Option<u16>,
    /// Port of Azure Blob Storage [default: 10000]
    #[arg(long, value_name = "PORT")]
    blob_port: Option<u16>,
    /// Port of Azure Queue Storage [default: 10001]
    #[arg(long, value_name = "PORT")]
    queue_port: Option<u16>,
    /// Port of the control API [default: 4600, or the next free one; 0: any]
    #[arg(long, value_name = "PORT")]
    control_port: Option<u16>,
    /// Scale functions as the cloud does instead of to this machine's cores
    #[arg(long)]
    faithful: bool,
    /// Verify request signatures instead of accepting any credentials
    #[arg(long)]
    strict_auth: bool,
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
    let human = Human::new(printer);
    let asked: BTreeSet<&str> = options.ports.keys().copied().collect();
    let started = Daemon::start(options, |shared| human.follow(shared.clone()));
    let daemon = tokio::select! {
        started = started => started?,
        exit = ends.next() => return Ok(exit),
    };
    announce(&daemon, &args, &asked, printer);
    let exit = tokio::select! {
        exit = ends.next() => exit,
        () = daemon.shared.stop.cancelled() => Exit::Ok,
    };
    printer.say("stopping");
    tokio::select! {
        () = daemon.shutdown() => Ok(exit),
        // A second Ctrl-C does not wait: the shims end with this process.
        exit = ends.next() => Ok(exit),
    }
}

fn options(args: &UpArgs) -> Result<Options, Complaint> {
    let loaded = args.reading.load(&args.path)?;
    let said = &loaded.settings.ports;
    let mut ports = BTreeMap::new();
    if let Some(port) = args.aws_port.or(said.aws) {
        ports.insert("aws", Wish { port, exact: true });
    }
    let control = match args.control_port.or(said.control) {
        Some(port) => Wish { port, exact: true },
        None => Wish { port: CONTROL_PORT, exact: false },
    };
    let reading = daemon::Reading { start: args.path.clone(), overrides: args.reading.overrides()? };
    Ok(Options {
        reading,
        host: args.host,
        ports,
        control,
        offline: args.reading.offline,
        faithful: args.faithful,
        strict_auth: args.strict_auth,
        watch: !args.no_watch,
        announce: true,
        ..Options::private(loaded)
    })
}

/// `asked`: the clouds whose port somebody chose.
fn announce(daemon: &Daemon, args: &UpArgs, asked: &BTreeSet<&str>, printer: Printer) {
    let later = [args.gcp_port, args.azure_port, args.blob_port, args.queue_port];
    if later.iter().any(Option::is_some) {
        let note = "the Google and Azure listeners are not there yet: their ports are not opened";
        printer.say(&format!("{} {note}", printer.paint(Tone::Warn, "note:")));
    }
    if printer.json {
        let clouds: BTreeMap<_, _> =
            daemon.addresses().map(|(name, address)| (name, format!("http://{address}"))).collect();
        let ready = serde_json::json!({ "ready": true, "clouds": clouds, "control": format!("http://{}", daemon.control) });
        return printer.result(&ready.to_string());
    }
    for (name, address) in daemon.addresses() {
        let moved =
            crate::clouds::CLOUDS.iter().find(|kind| kind.name == name && kind.port != address.port());
        let moved = match moved {
            Some(kind) if !asked.contains(name) => format!("  (port {} is taken)", kind.port),
            _ => String::new(),
        };
        printer.say(&format!("{}  http://{address}{moved}", printer.paint(print::Tone::Strong, name)));
    }
    printer.say("`eval \"$(mlemu env)\"` in another terminal points SDKs and tools here");
    printer.say(&format!(
        "{}  control http://{}  (Ctrl-C ends it)",
        printer.paint(Tone::Good, "ready"),
        daemon.control
    ));
}
