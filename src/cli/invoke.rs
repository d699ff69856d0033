//! `mlemu invoke`: one call, its answer on stdout, everything else on stderr.

use super::ProjectArgs;
use super::events::EventArgs;
use super::exit::{Complaint, Exit};
use super::simulate::{For, SimulateArgs};
use super::talk;
use crate::config;
use crate::daemon::invoke::{Invoked, Refused, Wanted};
use crate::daemon::{Daemon, Options};
use crate::harness::Client;
use crate::report::human;
use crate::report::print::{Printer, Tone};
use crate::report::terminal::{Show, Terminal};
use bytes::Bytes;
use clap::Args;
use mlemu_core::declare::{FunctionDeclaration, Project};
use std::borrow::Cow;

#[derive(Debug, Args)]
pub struct InvokeArgs {
    /// The function's name; may be left out where there is only one
    function: Option<String>,
    #[command(flatten)]
    event: EventArgs,
    /// A version of the function
    #[arg(long)]
    qualifier: Option<String>,
    /// Do not wait for the answer (needs a running project)
    #[arg(long)]
    queue: bool,
    #[command(flatten)]
    simulate: SimulateArgs,
    #[command(flatten)]
    project: ProjectArgs,
}

pub async fn run(args: InvokeArgs, printer: Printer) -> Result<Exit, Complaint> {
    let root = config::root(&args.project.project);
    let event = Bytes::from(args.event.event(&root)?);
    let wanted = Wanted { qualifier: args.qualifier.clone(), queue: args.queue };
    let invoked = match talk::find(&root) {
        Some(daemon) => remote(&daemon, &args, &wanted, event).await?,
        None => alone(&args, wanted, event, printer).await?,
    };
    Ok(show(&invoked, printer))
}

/// Through the daemon that runs.
async fn remote(
    daemon: &Client,
    args: &InvokeArgs,
    wanted: &Wanted,
    event: Bytes,
) -> Result<Invoked, Complaint> {
    let name = if let Some(name) = &args.function {
        name.clone()
    } else {
        only(daemon.functions().await?.into_iter().map(|function| function.name).collect())?
    };
    Ok(daemon.call(&name, wanted, event).await?)
}

/// With a daemon of our own, for this one call.
async fn alone(
    args: &InvokeArgs,
    wanted: Wanted,
    event: Bytes,
    printer: Printer,
) -> Result<Invoked, Complaint> {
    if wanted.queue {
        return Err(Complaint::usage("`--queue` needs a running daemon").hint("start one with `mlemu up`"));
    }
    let mut loaded = args.project.reading.load(&args.project.project)?;
    let names = loaded.project.functions.iter().map(|function| function.name.clone()).collect();
    let name = match &args.function {
        Some(name) => name.clone(),
        None => only(names)?,
    };
    loaded.project.warnings = warnings_for(&name, &loaded.project);
    let simulating = args.simulate.wanted(&loaded.settings, For::People);
    let options = Options { offline: args.project.reading.offline, simulating, ..Options::private(loaded) };
    let mut terminal = None;
    let open = |shared: &_| terminal = Some(Terminal::open(printer, Show::Steps, shared));
    let started = Daemon::start(options, open).await;
    let invoked = match started {
        Ok(daemon) => {
            let invoked = tokio::select! {
                invoked = daemon.world.invoke(&name, wanted, event) => Ok(invoked),
                interrupted = tokio::signal::ctrl_c() => Err(interrupted),
            };
            daemon.shutdown().await;
            invoked.map_err(|interrupted| match interrupted {
                Ok(()) => Complaint { exit: Exit::Interrupted, ..Complaint::new("interrupted") },
                Err(error) => Complaint::new(error.to_string()),
            })
        }
        Err(error) => Err(error.into()),
    };
    Terminal::close(terminal).await;
    invoked?.map_err(|refused| match refused {
        Refused::NoFunction { .. } => Complaint {
            hint: talk::above(&config::root(&args.project.project)),
            ..Complaint::not_found(refused.to_string())
        },
        Refused::Engine(_) => Complaint::new(refused.to_string()),
    })
}

/// The warnings that concern a call of `name`: all but those about other functions.
fn warnings_for(name: &str, project: &Project) -> Vec<String> {
    let named = |function: &FunctionDeclaration, name: &str| {
        function.name == name || function.alias.as_deref() == Some(name)
    };
    let others = |word: &str| {
        let mut all = project.functions.iter();
        all.any(|function| named(function, word) && !named(function, name))
    };
    let is_ours = |warning: &&String| {
        let mut words = warning.split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_'));
        !words.any(others)
    };
    project.warnings.iter().filter(is_ours).cloned().collect()
}

fn only(mut names: Vec<String>) -> Result<String, Complaint> {
    match names.len() {
        1 => Ok(names.remove(0)),
        0 => Err(Complaint::not_found("the project declares no function")
            .hint("run `mlemu config` to see what was read, or name a file as `--project app.py:handler`")),
        _ => {
            let complaint = Complaint::usage(format!("which function? There are: {}", names.join(", ")));
            Err(complaint.hint(format!("name one of them: `mlemu invoke {}`", names[0])))
        }
    }
}

fn show(invoked: &Invoked, printer: Printer) -> Exit {
    let failed = invoked.status == "error";
    if printer.json {
        printer.result(&serde_json::to_string(invoked).unwrap_or_default());
    } else {
        for line in invoked.log.iter().flat_map(|text| text.trim_end().split('\n')) {
            printer.say(&printer.paint(Tone::Quiet, &human::harmless(line)));
        }
        if let Some(truth) = &invoked.truth {
            printer
                .say(&printer.paint(if failed { Tone::Bad } else { Tone::Quiet }, &human::harmless(truth)));
        }
        if invoked.status == "queued" {
            printer.say(&format!("queued as {}", invoked.invocation));
        } else {
            printer.result(&body(invoked));
        }
    }
    if failed { Exit::Failed } else { Exit::Ok }
}

/// The answer as the function gave it.
fn body(invoked: &Invoked) -> Cow<'_, str> {
    let written = invoked.result.get();
    let text = invoked.is_text.then(|| serde_json::from_str(written).ok()).flatten();
    text.map_or(Cow::Borrowed(written), |text: String| human::harmless(&text).into_owned().into())
}

#[cfg(test)]
mod tests {
    use super::{Project, warnings_for};
    use crate::config;

    #[test]
    fn a_call_hears_nothing_of_other_functions() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[functions.F]\nruntime = \"python3.12\"\nhandler = \"a.b\"\n\
                    [functions.G]\nruntime = \"python3.12\"\nhandler = \"a.b\"\n";
        std::fs::write(folder.path().join(config::FILE), text).unwrap();
        let loaded = config::load(folder.path(), &config::Overrides::default()).unwrap();
        let warnings =
            ["unknown property X of F", "the layers of `G` are not applied", "no folder seeds yet"];
        let project = Project { warnings: warnings.map(str::to_owned).into(), ..loaded.project };
        assert_eq!(warnings_for("F", &project), [warnings[0], warnings[2]]);
        assert_eq!(warnings_for("G", &project), [warnings[1], warnings[2]]);
    }
}
