//! The flags of one `gcloud functions deploy`, as a declaration.
//!
//! Source: the reference of `gcloud functions deploy`.

use crate::config::import::node::Map;
use crate::config::import::yaml;
use crate::config::paths;
use crate::config::quantity;
use crate::config::text::SourceText;
use mlemu_core::Environment;
use mlemu_core::declare::{FunctionDeclaration, Provenance, QueueOptions, TriggerDeclaration};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Flags without a value.
const SWITCHES: [&str; 12] = [
    "gen2",
    "no-gen2",
    "retry",
    "trigger-http",
    "allow-unauthenticated",
    "no-allow-unauthenticated",
    "quiet",
    "q",
    "async",
    "serve-all-traffic-latest-revision",
    "clear-env-vars",
    "clear-labels",
];
const FINALIZED: [&str; 2] = ["google.storage.object.finalize", "google.cloud.storage.object.v1.finalized"];
const PUBLISHED: [&str; 2] = ["google.cloud.pubsub.topic.v1.messagePublished", "google.pubsub.topic.publish"];
/// Files that make a folder one of a function.
const MAINS: [&str; 4] = ["main.py", "package.json", "index.js", "function.js"];

/// Flags by their names, in the order of the line.
#[derive(Default)]
struct Flags {
    name: Option<String>,
    values: Vec<(String, String)>,
    switches: Vec<String>,
}

impl Flags {
    fn of(words: &[String]) -> Self {
        let mut flags = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
                flags.name.get_or_insert_with(|| word.clone());
                continue;
            };
            match flag.split_once('=') {
                Some((flag, value)) => flags.values.push((flag.to_owned(), value.to_owned())),
                None if SWITCHES.contains(&flag) => flags.switches.push(flag.to_owned()),
                None => flags.values.extend(words.next().map(|value| (flag.to_owned(), value.clone()))),
            }
        }
        flags
    }

    /// The last that was said.
    fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().rev().find(|(flag, _)| flag == name).map(|(_, value)| value.as_str())
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.iter().filter(move |(flag, _)| flag == name).map(|(_, value)| value.as_str())
    }

    fn is(&self, switch: &str) -> bool {
        self.switches.iter().any(|said| said == switch)
    }
}

/// What a line deploys, `folder` being where it is run, and what is to be said of it. `None`: nothing that can be
/// here.
pub fn read(words: &[String], root: &Path, folder: &Path) -> (Option<FunctionDeclaration>, Vec<String>) {
    let flags = Flags::of(words);
    let mut warnings = Vec::new();
    let Some(name) = &flags.name.clone() else {
        return (None, vec!["this deployment names no function".into()]);
    };
    let known = |text: &str| !text.contains('$');
    if !known(name) {
        return (None, vec![format!("`{name}` is left out: its name is not known before it is deployed")]);
    }
    let (values, unknown): (Vec<_>, Vec<_>) = flags.values.into_iter().partition(|(_, value)| known(value));
    let unknown: Vec<&str> = unknown.iter().map(|(flag, _)| flag.as_str()).collect();
    if let Some(flag) = unknown.iter().find(|flag| matches!(**flag, "runtime" | "entry-point")) {
        return (
            None,
            vec![format!("`{name}` is left out: its --{flag} is not known before it is deployed")],
        );
    }
    let flags = Flags { values, ..flags };
    let interesting =
        |flag: &&str| !matches!(*flag, "region" | "project" | "service-account" | "run-service-account");
    for flag in unknown.iter().filter(|flag| interesting(flag)) {
        warnings
            .push(format!("--{flag} of `{name}` is not known before it is deployed; say it in mlemu.toml"));
    }
    let Some(runtime) = flags.get("runtime") else {
        let what = "has no --runtime: it is taken to be there already";
        return (None, vec![format!("the deployment of `{name}` {what}")]);
    };
    let first = flags.is("no-gen2");
    let (trigger, said) = trigger(&flags, first);
    warnings.extend(said.map(|what| format!("`{name}`: {what}")));
    let number = |flag: &str| flags.get(flag).and_then(|value| value.parse::<u32>().ok());
    if flags.get("set-secrets").is_some() {
        warnings.push(format!("secrets of `{name}` are not here; say them under `env` in mlemu.toml"));
    }
    let function = FunctionDeclaration {
        cloud: "gcp".into(),
        name: name.clone(),
        alias: None,
        runtime: runtime.to_owned(),
        handler: flags.get("entry-point").unwrap_or(name).to_owned(),
        source: source(&flags, root, folder),
        memory: flags.get("memory").and_then(memory),
        timeout: flags
            .get("timeout")
            .and_then(|text| quantity::duration(text).or_else(|| quantity::duration(&format!("{text}s")))),
        tmp: None,
        env: variables(&flags, folder),
        concurrency: number("max-instances"),
        triggers: trigger.into_iter().collect(),
        options: options(&flags, first, number("concurrency"), number("min-instances")),
        from: Provenance::default(),
    };
    (Some(function), warnings)
}

fn options(
    flags: &Flags,
    first: bool,
    concurrency: Option<u32>,
    least: Option<u32>,
) -> BTreeMap<String, String> {
    let mut options = BTreeMap::from([("generation".to_owned(), if first { "1" } else { "2" }.to_owned())]);
    let counts = [("instance_concurrency", concurrency), ("min_instances", least.filter(|least| *least > 0))];
    options.extend(counts.into_iter().filter_map(|(key, count)| Some((key.to_owned(), count?.to_string()))));
    if flags.is("retry") {
        options.insert("retry".into(), "true".into());
    }
    options
}

/// Seen from where the line is run, or from the project's folder where nothing is there.
fn source(flags: &Flags, root: &Path, folder: &Path) -> PathBuf {
    let said = Path::new(flags.get("source").unwrap_or("."));
    let is_function = |folder: &PathBuf| MAINS.iter().any(|main| folder.join(main).is_file());
    let candidates = [paths::join(folder, said), paths::join(root, said)];
    candidates.iter().find(|candidate| is_function(candidate)).unwrap_or(&candidates[0]).clone()
}

/// `512MB`, and `512M` or `512Mi` as well.
fn memory(text: &str) -> Option<u64> {
    quantity::bytes(text).or_else(|| quantity::bytes(&format!("{text}B")))
}

fn variables(flags: &Flags, folder: &Path) -> Environment {
    let mut env = Environment::new();
    if let Some(file) = flags.get("env-vars-file") {
        let path = paths::join(folder, Path::new(file));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if let Ok(document) = yaml::parse(&SourceText::new(&path, &text)) {
            let pairs = document.as_map().into_iter().flat_map(Map::iter);
            env.extend(
                pairs.filter_map(|(key, value)| Some((key.text.clone(), value.as_text()?.to_owned()))),
            );
        }
    }
    for flag in ["set-env-vars", "update-env-vars"] {
        for said in flags.all(flag) {
            let pairs = listed(said).into_iter().filter_map(|pair| pair.split_once('='));
            env.extend(pairs.map(|(name, value)| (name.trim().to_owned(), value.to_owned())));
        }
    }
    env
}

/// A list with commas, or with what stands between two `^` before it.
fn listed(said: &str) -> Vec<&str> {
    let own = said.strip_prefix('^').and_then(|rest| rest.split_once('^'));
    match own {
        Some((between, rest)) if !between.is_empty() => rest.split(between).collect(),
        _ => said.split(',').collect(),
    }
}

/// What starts it; and what cannot.
fn trigger(flags: &Flags, first: bool) -> (Option<TriggerDeclaration>, Option<String>) {
    let topic = |name: &str| {
        let queue = name.rsplit('/').next().unwrap_or(name).to_owned();
        Some(TriggerDeclaration::Queue { queue, batch: 1, options: QueueOptions::default() })
    };
    let bucket = |name: &str, event: &str| {
        let name = name.trim_start_matches("gs://").trim_end_matches('/');
        let bucket = name.rsplit('/').next().unwrap_or(name).to_owned();
        let events = vec![event.to_owned()];
        Some(TriggerDeclaration::Bucket { bucket, events, prefix: None, suffix: None })
    };
    if let Some(name) = flags.get("trigger-topic") {
        return (topic(name), None);
    }
    if let Some(name) = flags.get("trigger-bucket") {
        return (bucket(name, FINALIZED[usize::from(!first)]), None);
    }
    let filters: BTreeMap<&str, &str> =
        flags.all("trigger-event-filters").flat_map(listed).filter_map(|pair| pair.split_once('=')).collect();
    let event = flags.get("trigger-event").or_else(|| filters.get("type").copied());
    let Some(event) = event else { return (None, None) };
    let resource = flags
        .get("trigger-resource")
        .or_else(|| filters.get("bucket").copied())
        .or_else(|| filters.get("topic").copied());
    let event = newer(event);
    match resource {
        Some(resource) if event.contains("storage.object.") => (bucket(resource, &event), None),
        Some(resource) if PUBLISHED.contains(&&*event) => (topic(resource), None),
        _ => (None, Some(format!("nothing fires {event} here: it is not started by it"))),
    }
}

/// Names of events that older documents have.
fn newer(event: &str) -> String {
    match event {
        "providers/cloud.pubsub/eventTypes/topic.publish" => "google.pubsub.topic.publish".into(),
        "providers/cloud.storage/eventTypes/object.change" => FINALIZED[0].into(),
        _ => event.to_owned(),
    }
}
