//! `mlemu profile-init`: where a cold start goes, part by part and package by package.

use super::ProjectArgs;
use super::events::EventArgs;
use super::exit::{Complaint, Exit};
use super::fit::needs;
use super::rig::{AS_THERE, Meant, Rig, chosen};
use crate::config::{self, Loaded};
use crate::daemon::folders;
use crate::daemon::simulating::{is_of, profiles};
use crate::report::imports::{Attribution, Import, NODE_HOOK, Package, Start};
use crate::report::print::Printer;
use bytes::Bytes;
use clap::Args;
use mlemu_bundle::{Builder, Weight};
use mlemu_core::declare::FunctionDeclaration;
use mlemu_core::{Outcome, What};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const MIB: f64 = 1024.0 * 1024.0;
/// Packages of the vendors' runtime clients.
const CLIENTS: [&str; 8] = [
    "awslambdaric",
    "aws-lambda-ric",
    "functions_framework",
    "@google-cloud/functions-framework",
    "azure_functions_worker",
    "azure_functions_runtime",
    "@azure/functions",
    "flask",
];
/// Modules that are called otherwise than their packages.
const OTHERWISE: [(&str, &str); 8] = [
    ("sklearn", "scikit_learn"),
    ("cv2", "opencv_python"),
    ("PIL", "pillow"),
    ("yaml", "pyyaml"),
    ("dateutil", "python_dateutil"),
    ("attr", "attrs"),
    ("en_core_web_sm", "en_core_web_sm"),
    ("google", "google_cloud"),
];

#[derive(Debug, Args)]
pub struct ProfileInitArgs {
    /// The function's name, also APP/FUNCTION; may be left out where there is only one
    function: Option<String>,
    #[command(flatten)]
    event: EventArgs,
    #[command(flatten)]
    project: ProjectArgs,
}

pub async fn run(args: ProfileInitArgs, printer: Printer) -> Result<Exit, Complaint> {
    let event = Bytes::from(args.event.event(&config::root(&args.project.project))?);
    let offline = args.project.reading.offline;
    let loaded = args.project.reading.load(&args.project.project)?;
    let meant = chosen(&loaded, args.function.as_deref())?;
    let function = &meant.function;
    let profiles = profiles(&loaded.settings).map_err(Complaint::config)?;
    let profile = profiles.iter().find(|profile| is_of(profile, function));
    let profile = profile.map_or_else(|| function.cloud.clone(), |profile| profile.name.clone());
    let builder = Builder::new(folders::cache(), offline);
    let weight = builder.weigh(needs(function), Arc::new(|_| {})).await.ok();
    let plain = Box::pin(plain(&loaded, &meant, &event, offline, printer)).await?;
    let told = Box::pin(told(&loaded, &meant, &event, offline, printer)).await?;
    let empty = Box::pin(empty(&loaded, &meant, &event, offline, printer)).await?;
    let start = put_together(function, profile, &plain, &told, empty, weight.as_ref());
    if printer.json {
        printer.result(&serde_json::to_string_pretty(&start).unwrap_or_default());
    } else {
        printer.result(&start.text());
    }
    Ok(Exit::Ok)
}

/// A cold start as it is.
struct Plain {
    cold: Outcome,
    warm: Duration,
}

async fn plain(
    loaded: &Loaded,
    meant: &Meant,
    event: &Bytes,
    offline: bool,
    printer: Printer,
) -> Result<Plain, Complaint> {
    let rig = Rig::open(loaded.clone(), meant.clone(), AS_THERE, offline, printer).await?;
    // The first start of all reads from the disk what later ones have in memory.
    let first = rig.cold(event.clone()).await;
    let calls = match first {
        Ok(_) => futures(&rig, event).await,
        Err(complaint) => Err(complaint),
    };
    let said = match &calls {
        Ok((cold, _)) if cold.usage.init.is_none() || cold.result.is_err() => rig.failure(cold),
        _ => None,
    };
    rig.close().await;
    let (cold, warm) = calls?;
    if let Some(said) = said {
        let hint = "name an event that it understands with --event";
        return Err(Complaint::new(format!("the call failed: {said}")).hint(hint));
    }
    Ok(Plain { cold, warm })
}

async fn futures(rig: &Rig, event: &Bytes) -> Result<(Outcome, Duration), Complaint> {
    let cold = rig.cold(event.clone()).await?;
    let mut warm = Duration::MAX;
    for _ in 0..3 {
        warm = warm.min(rig.warm(event.clone()).await?.usage.handler);
    }
    Ok((cold, warm))
}

/// A start whose interpreter told its imports, and how long it took with that.
struct Told {
    imports: Vec<Import>,
    init: Duration,
}

/// The init of a function of the same runtime that does nothing: what the runtime takes by itself. `None`: such a one
/// cannot be made.
async fn empty(
    loaded: &Loaded,
    meant: &Meant,
    event: &Bytes,
    offline: bool,
    printer: Printer,
) -> Result<Option<Duration>, Complaint> {
    let function = &meant.function;
    let Some((file, text)) = nothing(function) else { return Ok(None) };
    let failed = |error: std::io::Error| Complaint::new(format!("cannot write an empty function: {error}"));
    let folder = tempfile::tempdir().map_err(failed)?;
    let path = folder.path().join(file);
    std::fs::create_dir_all(path.parent().unwrap_or(folder.path())).map_err(failed)?;
    std::fs::write(path, text).map_err(failed)?;
    let idle = FunctionDeclaration { source: folder.path().to_owned(), ..function.clone() };
    let rig = Rig::open(loaded.clone(), meant.of(idle), AS_THERE, offline, printer).await?;
    let first = rig.cold(event.clone()).await;
    let second = rig.cold(event.clone()).await;
    rig.close().await;
    first?;
    Ok(second?.usage.init.map(|init| init.duration))
}

/// The file of a function that does nothing, and its text.
fn nothing(function: &FunctionDeclaration) -> Option<(String, String)> {
    let (module, name) = match function.cloud.as_str() {
        "aws" => function.handler.rsplit_once('.')?,
        "gcp" if function.runtime.starts_with("python") => ("main", function.handler.as_str()),
        "gcp" => ("index", function.handler.as_str()),
        // Its functions are known by running its code.
        _ => return None,
    };
    if function.runtime.starts_with("python") {
        let module = module.replace('.', "/");
        return Some((format!("{module}.py"), format!("def {name}(*args, **more):\n    return 'ok'\n")));
    }
    let text = match function.cloud.as_str() {
        "gcp" => format!("exports.{name} = (request, response) => response.send('ok');\n"),
        _ => format!("exports.{name} = async () => 'ok';\n"),
    };
    function.runtime.starts_with("nodejs").then(|| (format!("{module}.js"), text))
}

/// The same start with an interpreter that tells its imports.
async fn told(
    loaded: &Loaded,
    meant: &Meant,
    event: &Bytes,
    offline: bool,
    printer: Printer,
) -> Result<Told, Complaint> {
    let function = &meant.function;
    let mut telling = function.clone();
    if function.runtime.starts_with("python") {
        telling.env.insert("PYTHONPROFILEIMPORTTIME".into(), "1".into());
    } else if function.runtime.starts_with("nodejs") {
        let kept =
            mlemu_engine::aids::keep(&folders::cache().join("clients"), "importtime.cjs", NODE_HOOK).await;
        let hook =
            kept.map_err(|error| Complaint::new(format!("cannot write the hook for Node.js: {error}")))?;
        let said = telling.env.get("NODE_OPTIONS").cloned().unwrap_or_default();
        let options = format!("{said} --require \"{}\"", hook.display());
        telling.env.insert("NODE_OPTIONS".into(), options.trim().to_owned());
    }
    let rig = Rig::open(loaded.clone(), meant.of(telling), AS_THERE, offline, printer).await?;
    let called = rig.cold(event.clone()).await;
    let records = rig.daemon().world.journal.past();
    rig.close().await;
    let init = called?.usage.init.map(|init| init.duration).unwrap_or_default();
    let lines = records.iter().filter_map(|record| match &record.what {
        What::Log(line) => Import::read(&line.text),
        _ => None,
    });
    Ok(Told { imports: lines.collect(), init })
}

fn put_together(
    function: &FunctionDeclaration,
    profile: String,
    plain: &Plain,
    told: &Told,
    empty: Option<Duration>,
    weight: Option<&Weight>,
) -> Start {
    let sizes: BTreeMap<String, f64> = weight
        .iter()
        .flat_map(|weight| &weight.packages)
        .map(|share| (plainly(share.name.split(' ').next().unwrap_or_default()), share.unzipped as f64 / MIB))
        .collect();
    let known = |module: &str| {
        let named = OTHERWISE.iter().find(|(name, _)| *name == module).map_or(module, |(_, package)| package);
        let named = plainly(named);
        sizes.contains_key(&named).then_some(named)
    };
    let file = function.handler.rsplit_once('.').map_or(function.handler.as_str(), |(module, _)| module);
    let module = match function.cloud.as_str() {
        "gcp" => "main".to_owned(),
        "azure" => "function_app".to_owned(),
        _ => file.replace('/', "."),
    };
    let mut found = Attribution::of(&told.imports, &module, &CLIENTS, known);
    let usage = &plain.cold.usage;
    let init = usage.init.map(|init| init.duration).unwrap_or_default();
    let simulated = usage.init.and_then(|init| init.simulated);
    // Telling takes time too: what it says is brought to the length of the start without.
    found.scale(init.as_secs_f64() / told.init.as_secs_f64().max(1e-6));
    let rest = init.saturating_sub(found.imports());
    let mut notes = Vec::new();
    let (runtime, model) = match empty {
        Some(empty) => (empty.min(rest), rest.saturating_sub(empty)),
        None if found.is_exact => (rest.saturating_sub(found.own_code), found.own_code),
        None => {
            notes.push("what the function's own code takes is in `runtime`: an empty function of this cloud cannot be made to compare with".to_owned());
            (rest, Duration::ZERO)
        }
    };
    let imported: Vec<String> = found.packages.iter().map(|(name, _)| name.clone()).collect();
    let idle = sizes.iter().filter(|(name, _)| !imported.contains(name));
    let mut idle: Vec<(String, f64)> = idle.map(|(name, mb)| (name.clone(), *mb)).collect();
    idle.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut start = Start {
        schema_version: 1,
        function: function.name.clone(),
        profile,
        memory_mb: usage.memory_limit >> 20,
        placement_ms: millis(simulated.map(|simulated| simulated.placement).unwrap_or_default()),
        fetch_ms: millis(simulated.map(|simulated| simulated.fetch).unwrap_or_default()),
        zipped_mb: simulated.map_or(0.0, |simulated| simulated.fetched_bytes as f64 / MIB),
        runtime_ms: millis(runtime),
        imports_ms: millis(found.imports()),
        model_ms: millis(model),
        first_call_ms: millis(usage.handler),
        warm_call_ms: millis(plain.warm),
        packages: found
            .packages
            .iter()
            .map(|(name, own)| Package { name: name.clone(), ms: millis(*own), mb: sizes.get(name).copied() })
            .collect(),
        advice: Vec::new(),
        notes,
    };
    start.advise(&idle);
    start
}

/// A package's name as all spellings of it have it.
fn plainly(name: &str) -> String {
    if name.starts_with('@') { name.to_owned() } else { name.to_lowercase().replace(['-', '.'], "_") }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
