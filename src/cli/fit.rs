//! `mlemu fit`: whether functions would be taken by the clouds, before anything is deployed.

use super::ProjectArgs;
use super::events::EventArgs;
use super::exit::{Complaint, Exit};
use super::rig::{self, Meant, Rig};
use crate::clouds;
use crate::config::{self, Loaded, nearest};
use crate::daemon::folders;
use crate::daemon::project::pointed;
use crate::daemon::simulating::{Simulating, is_of};
use crate::report::fit::{Fit, Standing};
use crate::report::print::{Printer, Tone};
use bytes::Bytes;
use clap::Args;
use mlemu_bundle::Builder;
use mlemu_core::declare::{FunctionDeclaration, Project, TriggerDeclaration};
use mlemu_core::profile::Load;
use mlemu_core::{Language, Needs, Profile, What};
use std::sync::Arc;

#[derive(Debug, Args)]
pub struct FitArgs {
    /// The function; every one of the project when none is named
    function: Option<String>,
    /// A profile that it has to fit beside its own, e.g. gcf-gen1; may be given many times
    #[arg(long = "target", value_name = "PROFILE")]
    targets: Vec<String>,
    /// Call the function with this event (a fixture's name, a file, JSON) and hold what it takes and answers against the
    /// limits, too
    #[arg(short, long, value_name = "EVENT")]
    event: Option<String>,
    #[command(flatten)]
    project: ProjectArgs,
}

pub async fn run(args: FitArgs, printer: Printer) -> Result<Exit, Complaint> {
    let profiles = clouds::profiles().map_err(|error| Complaint::new(error.to_string()))?;
    known(&args.targets, &profiles)?;
    let loaded = args.project.reading.load(&args.project.project)?;
    let called = match &args.event {
        Some(event) => Some(Box::pin(call(&args, event, &loaded, &profiles, printer)).await?),
        None => None,
    };
    let functions = match &called {
        Some((meant, _)) => vec![&meant.function],
        None => chosen(&loaded.project, args.function.as_deref())?,
    };
    let taken = called.as_ref().map(|(_, taken)| *taken).unwrap_or_default();
    for output in missing(&loaded.project) {
        let note = printer.paint(Tone::Warn, "note:");
        printer.say(&format!("{note} {output} is not made yet and not counted; `mlemu up` makes it"));
    }
    let builder = Builder::new(folders::cache(), args.project.reading.offline);
    let mut fits = Vec::new();
    for function in functions {
        fits.push(fit(function, taken, &profiles, &args.targets, &builder, printer).await?);
    }
    if printer.json {
        printer.result(&serde_json::to_string_pretty(&fits).unwrap_or_default());
    } else {
        let texts: Vec<_> = fits.iter().map(|fit| fit.text(printer)).collect();
        printer.result(&texts.join("\n\n"));
    }
    let refused = fits.iter().any(|fit| fit.refused_by().next().is_some());
    Ok(if refused { Exit::Failed } else { Exit::Ok })
}

fn known(targets: &[String], profiles: &[Profile]) -> Result<(), Complaint> {
    let names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
    let Some(unknown) = targets.iter().find(|target| !names.contains(&target.as_str())) else {
        return Ok(());
    };
    let hint = match nearest(unknown, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", names.join(", ")),
    };
    Err(Complaint::usage(format!("there is no profile `{unknown}`")).hint(hint))
}

fn chosen<'a>(project: &'a Project, name: Option<&str>) -> Result<Vec<&'a FunctionDeclaration>, Complaint> {
    let named = |function: &&FunctionDeclaration| {
        name.is_none_or(|name| function.name == name || function.alias.as_deref() == Some(name))
    };
    let found: Vec<_> = project.functions.iter().filter(named).collect();
    match name {
        _ if !found.is_empty() => Ok(found),
        Some(name) => Err(Complaint::not_found(format!("there is no function `{name}`"))
            .hint("`mlemu config` lists those of this project")),
        None => Err(Complaint::not_found("there is no function in this project")
            .hint("name its folder with --project")),
    }
}

/// What a call takes and gives, in bytes.
#[derive(Clone, Copy, Default)]
pub(super) struct Taken {
    peak: Option<u64>,
    event: Option<u64>,
    answer: Option<u64>,
}

/// Calls a function twice, with all the memory that its cloud has: what it takes then is what it needs.
async fn call(
    args: &FitArgs,
    event: &str,
    loaded: &Loaded,
    profiles: &[Profile],
    printer: Printer,
) -> Result<(Meant, Taken), Complaint> {
    let meant = rig::chosen(loaded, args.function.as_deref())?;
    let event = Bytes::from(EventArgs::plain(event).event(&config::root(&args.project.project))?);
    let own = profiles.iter().find(|profile| is_of(profile, &meant.function));
    let memory = own.and_then(Profile::largest_memory).or(meant.function.memory);
    let roomy = meant.of(FunctionDeclaration { memory, ..meant.function.clone() });
    let offline = args.project.reading.offline;
    let rig = Rig::open(loaded.clone(), roomy, Simulating::default(), offline, printer).await?;
    let outcomes =
        async { Ok::<_, Complaint>([rig.cold(event.clone()).await?, rig.warm(event.clone()).await?]) };
    let outcomes = outcomes.await;
    let failure = outcomes.iter().flatten().find_map(|outcome| rig.failure(outcome));
    rig.close().await;
    let outcomes = outcomes?;
    if let Some(said) = failure {
        return Err(Complaint::new(format!("the call failed: {said}"))
            .hint("name an event that it understands with --event"));
    }
    let answers = outcomes.iter().filter_map(|outcome| outcome.result.as_ref().ok());
    let taken = Taken {
        peak: outcomes.iter().map(|outcome| outcome.usage.peak_memory).max(),
        event: Some(event.len() as u64),
        answer: answers.map(|answer| answer.body.len() as u64).max(),
    };
    Ok((meant, taken))
}

/// What the project's steps have still to make.
fn missing(project: &Project) -> impl Iterator<Item = String> {
    let outputs = project.prepare.iter().flat_map(|step| step.outputs.iter().map(|out| (&step.folder, out)));
    let missing = outputs.map(|(folder, out)| folder.join(out)).filter(|path| !path.exists());
    missing.map(|path| path.strip_prefix(&project.root).unwrap_or(&path).display().to_string())
}

pub(super) async fn fit(
    function: &FunctionDeclaration,
    taken: Taken,
    profiles: &[Profile],
    targets: &[String],
    builder: &Builder,
    printer: Printer,
) -> Result<Fit, Complaint> {
    let progress = Arc::new(move |what| {
        if let What::Building { step, detail: false } = what {
            printer.say(&printer.paint(Tone::Quiet, &step));
        }
    });
    let weight = builder.weigh(needs(function), progress).await.map_err(|failure| Complaint {
        hint: failure.hint,
        ..Complaint::new(format!("{} cannot be weighed: {}", function.name, failure.why))
    })?;
    let load = Load {
        source: weight.source.zipped,
        zipped: weight.zipped(),
        unzipped: weight.unzipped(),
        memory: function.memory,
        tmp: function.tmp,
        timeout: function.timeout,
        by_events: by_events(function),
        peak: taken.peak,
        event: taken.event,
        answer: taken.answer,
    };
    let shown = profiles.iter().filter(|profile| !profile.on_request || targets.contains(&profile.name));
    let standings = shown.map(|profile| {
        let findings = profile.judge(&load);
        Standing {
            profile: profile.name.clone(),
            dated: profile.dated.clone(),
            target: is_of(profile, function) || targets.contains(&profile.name),
            fits: findings.iter().all(|finding| finding.fits || !finding.refuses),
            findings,
        }
    });
    let standings = standings.collect();
    Ok(Fit::new(&function.name, &function.runtime, weight, standings))
}

fn by_events(function: &FunctionDeclaration) -> bool {
    let is_request = |trigger: &TriggerDeclaration| {
        matches!(trigger, TriggerDeclaration::Http { .. } | TriggerDeclaration::Url { .. })
    };
    !function.triggers.is_empty() && !function.triggers.iter().any(is_request)
}

/// What would be uploaded: without any vendor's client, and with the developer's packages.
pub(super) fn needs(function: &FunctionDeclaration) -> Needs {
    let runtime = function.runtime.as_str();
    let language = if let Some(version) = runtime.strip_prefix("python") {
        Language::Python { version: pointed(version) }
    } else if let Some(version) = runtime.strip_prefix("nodejs") {
        Language::Node { version: version.trim_end_matches(".x").into() }
    } else if runtime == config::MODEL_RUNTIME {
        Language::Model
    } else {
        Language::Executable { name: "bootstrap".into() }
    };
    Needs {
        source: function.source.clone(),
        language,
        client_packages: Vec::new(),
        client_for_newer: false,
        provided_packages: Vec::new(),
        self_contained: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(cloud: &str, generation: Option<&str>) -> FunctionDeclaration {
        FunctionDeclaration {
            cloud: cloud.into(),
            name: "score".into(),
            alias: None,
            runtime: "python312".into(),
            handler: "score".into(),
            source: ".".into(),
            memory: None,
            timeout: None,
            tmp: None,
            env: mlemu_core::Environment::new(),
            concurrency: None,
            triggers: Vec::new(),
            options: generation.map(|number| ("generation".into(), number.into())).into_iter().collect(),
            from: mlemu_core::declare::Provenance::default(),
        }
    }

    #[test]
    fn a_function_has_the_profile_of_its_cloud_and_generation() {
        let profiles = clouds::profiles().expect("profiles");
        let of = |cloud, generation| {
            let function = function(cloud, generation);
            let own = profiles.iter().filter(|profile| is_of(profile, &function));
            own.map(|profile| profile.name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of("aws", None), ["aws-lambda"]);
        assert_eq!(of("gcp", None), ["gcf-gen2"]);
        assert_eq!(of("gcp", Some("1")), ["gcf-gen1"]);
        assert!(of("nowhere", None).is_empty());
    }

    #[test]
    fn the_language_is_read_as_each_vendor_writes_it() {
        let language = |runtime: &str| {
            needs(&FunctionDeclaration { runtime: runtime.into(), ..function("gcp", None) }).language
        };
        assert_eq!(language("python312"), Language::Python { version: "3.12".into() });
        assert_eq!(language("python3.9"), Language::Python { version: "3.9".into() });
        assert_eq!(language("nodejs22.x"), Language::Node { version: "22".into() });
        assert_eq!(language("provided.al2023"), Language::Executable { name: "bootstrap".into() });
    }

    #[test]
    fn only_events_make_a_function_of_events() {
        let http = TriggerDeclaration::Url { cors: None, streaming: false };
        let timer = TriggerDeclaration::Schedule { expression: "rate(1 hour)".into() };
        let with = |triggers| by_events(&FunctionDeclaration { triggers, ..function("gcp", None) });
        assert!(with(vec![timer.clone()]));
        assert!(!with(vec![timer, http]) && !with(vec![]));
    }
}
