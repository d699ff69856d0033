//! Functions that a project declares.

use super::catalog::{Entry, EventSource, EventTrigger};
use super::fault::Fault;
use super::{Functions, guess};
use crate::framework::{Framework, Signature, Traits};
use crate::profile::{self, Generation};
use mlemu_core::build::without_commands;
use mlemu_core::declare::{FunctionDeclaration, TriggerDeclaration};
use mlemu_core::{FunctionId, Limits, Revision, Runtime, Sink, Source, Subject};
use mlemu_engine::Draft;
use std::sync::Arc;

impl Functions {
    /// Makes everything ready that instances of a declared function need, before it is there.
    pub(crate) async fn build(&self, declared: &FunctionDeclaration) -> Result<(), Fault> {
        let id = FunctionId::new(self.place.scope.clone(), &declared.name);
        let traits = traits(declared).map_err(|refused| Fault::invalid(refused.to_string()))?;
        let revision = Revision {
            function: id.clone(),
            number: 0,
            label: "latest".into(),
            source: Source::Folder(declared.source.clone()),
            runtime: declared.runtime.clone(),
            handler: declared.handler.clone(),
            env: declared.env.clone(),
            limits: limits(declared, traits.generation),
        };
        let client = Framework { place: self.place.clone(), folder: self.folder.clone(), traits };
        let needs = client.needs(&revision).map_err(|unsupported| Fault::invalid(unsupported.why))?;
        let parts = self.engine.parts().clone();
        let (clock, journal) = (parts.clock, parts.journal);
        let subject = Subject { function: Some(id), ..Subject::default() };
        let progress = move |what| journal.send(clock.now(), subject.clone(), what);
        let built = parts.build.build(needs, Arc::new(progress)).await;
        built
            .map(drop)
            .map_err(|failure| Fault::invalid(format!("Build failed: {}", without_commands(&failure.why))))
    }

    /// Makes a declared function exist, or be as it is declared now. Its folder runs in place; `watch` reloads
    /// it when it changes. `Err` says why the vendor would refuse it.
    pub fn declare(&self, declared: &FunctionDeclaration, watch: bool) -> Result<FunctionId, Refused> {
        let id = FunctionId::new(self.place.scope.clone(), &declared.name);
        let traits = traits(declared)?;
        let event = event(declared, traits.generation, self.place.project());
        let limits = limits(declared, traits.generation);
        let client = Framework { place: self.place.clone(), folder: self.folder.clone(), traits };
        self.catalog.set(Entry { id: id.clone(), traits, event, origins: origins(declared) });
        self.engine.publish(Draft {
            id: id.clone(),
            label: "latest".into(),
            source: Source::Folder(declared.source.clone()),
            runtime: declared.runtime.clone(),
            handler: declared.handler.clone(),
            env: declared.env.clone(),
            limits,
            client: Arc::new(client),
            from: Some(format!("{}:{}", declared.from.file.display(), declared.from.line)),
            watch,
        });
        // So many instances, each of them full.
        let most = declared.concurrency.map(|instances| instances.saturating_mul(traits.concurrency));
        self.engine.reserve(&id, most);
        self.engine.provide(&id, traits.least as usize);
        Ok(id)
    }

    /// Forgets a function that is no longer declared.
    pub fn forget(&self, id: &FunctionId) {
        if self.catalog.remove(&id.name) {
            self.engine.delete(id);
        }
    }
}

/// Why a declared function cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("`{word}` is no signature: there are http, cloudevent, event and typed")]
    Signature { word: String },
    #[error("`{word}` is no generation: there are 1 and 2")]
    Generation { word: String },
    #[error("an instance takes 1 to {most} requests at a time{}, not {word}", if *.most == 1 { " in the first generation" } else { "" })]
    Concurrency { word: String, most: u32 },
    #[error(
        "`{word}` is no number of instances to keep: it is at most the number of instances that there may be"
    )]
    Least { word: String },
}

fn limits(declared: &FunctionDeclaration, generation: Generation) -> Limits {
    let memory = declared.memory.unwrap_or(profile::DEFAULT_MEMORY);
    let timeout = declared.timeout.unwrap_or(profile::DEFAULT_TIMEOUT);
    Limits { concurrency: declared.concurrency, ..profile::limits(generation, memory, timeout) }
}

fn traits(declared: &FunctionDeclaration) -> Result<Traits, Refused> {
    let generation = match declared.options.get("generation").map(String::as_str) {
        None | Some("2") => Generation::Second,
        Some("1") => Generation::First,
        Some(word) => return Err(Refused::Generation { word: word.into() }),
    };
    let signature = match declared.options.get("signature") {
        Some(word) => Signature::of_word(word).ok_or_else(|| Refused::Signature { word: word.clone() })?,
        None => guess::signature(&declared.source, &declared.handler, waits_for_events(declared)),
    };
    let (concurrency, least) = (concurrency(declared, generation)?, least(declared)?);
    Ok(Traits { generation, signature, concurrency, least })
}

/// Source: Cloud Functions documentation, "Concurrency".
fn concurrency(declared: &FunctionDeclaration, generation: Generation) -> Result<u32, Refused> {
    let most = profile::most_concurrency(generation);
    let Some(word) = declared.options.get("instance_concurrency") else { return Ok(1) };
    match word.parse() {
        Ok(count) if (1..=most).contains(&count) => Ok(count),
        _ => Err(Refused::Concurrency { word: word.clone(), most }),
    }
}

/// Source: Cloud Functions documentation, "Set minimum instances".
fn least(declared: &FunctionDeclaration) -> Result<u32, Refused> {
    let Some(word) = declared.options.get("min_instances") else { return Ok(0) };
    let refused = || Refused::Least { word: word.clone() };
    let count: u32 = word.parse().map_err(|_| refused())?;
    if declared.concurrency.is_some_and(|most| count > most) { Err(refused()) } else { Ok(count) }
}

fn waits_for_events(declared: &FunctionDeclaration) -> bool {
    use TriggerDeclaration::{Bucket, Queue};
    declared.triggers.iter().any(|trigger| matches!(trigger, Bucket { .. } | Queue { .. }))
}

fn event(declared: &FunctionDeclaration, generation: Generation, project: &str) -> Option<EventTrigger> {
    let retry = declared.options.get("retry").is_some_and(|retry| retry == "true");
    declared.triggers.iter().find_map(|trigger| match trigger {
        TriggerDeclaration::Bucket { bucket, events, .. } => {
            let kind = events.first().cloned().unwrap_or_default();
            Some(EventTrigger { kind, source: EventSource::Bucket(bucket.clone()), retry })
        }
        TriggerDeclaration::Queue { queue, .. } => {
            let kind = match generation {
                Generation::First => "google.pubsub.topic.publish",
                Generation::Second => "google.cloud.pubsub.topic.v1.messagePublished",
            };
            let whole = queue.starts_with("projects/");
            let topic = if whole { queue.clone() } else { format!("projects/{project}/topics/{queue}") };
            Some(EventTrigger { kind: kind.into(), source: EventSource::Topic(topic), retry })
        }
        _ => None,
    })
}

fn origins(declared: &FunctionDeclaration) -> Vec<String> {
    let cors = declared.triggers.iter().filter_map(|trigger| match trigger {
        TriggerDeclaration::Url { cors, .. } | TriggerDeclaration::Http { cors, .. } => cors.as_ref(),
        _ => None,
    });
    cors.flat_map(|cors| cors.origins.clone()).collect()
}
