//! A declared project becomes functions and buckets, and follows its files.

use super::changes::{Changes, Pace};
use super::simulating::refusal;
use super::world::World;
use super::worlds::Worlds;
use super::{Reading, StartError};
use crate::clouds::{self, CLOUDS, Cloud};
use crate::config::{self, Loaded};
use mlemu_bundle::{Builder, Prepared, Surrounding};
use mlemu_core::declare::{BucketDeclaration, FunctionDeclaration, Prepare, Project, TriggerDeclaration};
use mlemu_core::{Build, Sink, Subject, What};
use mlemu_engine::schedules::{Schedule, Starts};
use notify::RecursiveMode;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Changes of the project's files that belong together.
const PACE: Pace = Pace { quiet: Duration::from_millis(50), patience: Duration::from_millis(500) };

/// Runs what must be prepared, then declares the rest.
pub(super) async fn make_real(
    world: &Arc<World>,
    builder: &Builder,
    project: &Project,
) -> Result<(), StartError> {
    for text in &project.warnings {
        world.say(What::Warning { text: text.clone() });
    }
    let python = project.functions.iter().find_map(|function| function.runtime.strip_prefix("python"));
    let python = python.map(pointed);
    for step in &project.prepare {
        prepare(world, builder, step, python.as_deref()).await?;
    }
    declare(world, project).await?;
    tokio::spawn(warn_of_refusals(world.clone(), builder.clone(), project.functions.clone()));
    Ok(())
}

/// Says which functions their own clouds would not take: they run here all the same.
async fn warn_of_refusals(world: Arc<World>, builder: Builder, functions: Vec<FunctionDeclaration>) {
    let Ok(profiles) = clouds::profiles() else { return };
    for function in functions {
        let size = builder.measure(function.source.clone()).await;
        if let Some(text) = refusal(&profiles, &function, size) {
            world.say(What::Warning { text });
        }
    }
}

/// The bucket, without a folder to seed it from that is not there: so it was said when the project was read.
fn seedable(bucket: &BucketDeclaration) -> BucketDeclaration {
    let seed = bucket.seed.clone().filter(|folder| folder.is_dir());
    BucketDeclaration { seed, ..bucket.clone() }
}

/// Wakes what a store has kept, then declares buckets, queues, functions, and what only single clouds
/// have. For a new world.
pub(super) async fn declare(world: &World, project: &Project) -> Result<(), StartError> {
    for plugged in &world.plugged {
        plugged.cloud.awake().await;
    }
    for bucket in &project.buckets {
        let refused = |why| StartError::Refused { from: place(&bucket.from), why };
        let cloud = world.plugged(&bucket.cloud).map_err(refused)?;
        cloud.declare_bucket(&seedable(bucket)).await.map_err(refused)?;
        world.remember_bucket(bucket);
    }
    for plugged in &world.plugged {
        let queues: Vec<_> = project.queues.iter().filter(|queue| queue.cloud == plugged.name).collect();
        if let Some(first) = queues.first() {
            let refused = |why| StartError::Refused { from: place(&first.from), why };
            plugged.cloud.declare_queues(&queues).map_err(refused)?;
        }
    }
    for function in &project.functions {
        world.declare(function)?;
    }
    for plugged in &world.plugged {
        let of_cloud = project.resources.iter().filter(|resource| resource.cloud == plugged.name);
        let resources: Vec<_> = of_cloud.collect();
        let from = resources.first().map(|first| place(&first.from)).unwrap_or_default();
        let declared = plugged.cloud.declare_resources(&resources);
        declared.map_err(|why| StartError::Refused { from, why })?;
    }
    Ok(())
}

async fn prepare(
    world: &Arc<World>,
    builder: &Builder,
    step: &Prepare,
    python: Option<&str>,
) -> Result<(), StartError> {
    let told = world.clone();
    let progress = Arc::new(move |what| told.say(what));
    let requirements = step.folder.join("requirements.txt");
    let requirements = requirements.is_file().then_some(requirements);
    let surrounding = Surrounding { requirements: requirements.as_deref(), python };
    let clock = &*world.engine.parts().clock;
    let prepared = builder.prepare(step, surrounding, clock, progress).await;
    match prepared {
        Ok(Prepared::UpToDate) => Ok(()),
        Ok(Prepared::Ran { duration: took }) => {
            world.say(What::Built { took });
            Ok(())
        }
        Err(failure) => Err(StartError::Prepare { why: failure.why, hint: failure.hint }),
    }
}

/// Some vendors write `311` for `3.11`.
pub(crate) fn pointed(version: &str) -> String {
    match version.split_at_checked(1) {
        Some((major, minor)) if !minor.is_empty() && !version.contains('.') => format!("{major}.{minor}"),
        _ => version.to_owned(),
    }
}

pub(super) fn place(from: &mlemu_core::declare::Provenance) -> String {
    format!("{}:{}", from.file.display(), from.line)
}

impl World {
    pub(super) fn say(&self, what: What) {
        let now = self.engine.parts().clock.now();
        self.journal.send(now, Subject::default(), what);
    }

    /// The cloud of that name, or why there is none.
    pub(super) fn plugged(&self, name: &str) -> Result<&Arc<dyn Cloud>, String> {
        let found = self.plugged.iter().find(|plugged| plugged.name == name);
        found.map(|plugged| &plugged.cloud).ok_or_else(|| no_cloud(name))
    }

    /// Declares a function as it is said now.
    pub fn declare_again(&self, function: &FunctionDeclaration) -> Result<(), String> {
        self.declare(function).map_err(|error| error.to_string())
    }

    fn declare(&self, function: &FunctionDeclaration) -> Result<(), StartError> {
        let moved = (function.cloud == "aws").then(|| {
            let env = self.relocated.of(&function.env);
            FunctionDeclaration { env, ..function.clone() }
        });
        let meant = moved.as_ref().unwrap_or(function);
        let declared = self.plugged(&function.cloud).and_then(|cloud| cloud.declare(meant));
        let id = declared.map_err(|why| StartError::Refused { from: place(&function.from), why })?;
        let kept = function.options.get(config::MIN_INSTANCES).and_then(|count| count.parse().ok());
        self.engine.provide(&id, kept.unwrap_or_default());
        self.schedules.withdraw(&id);
        for (index, trigger) in function.triggers.iter().enumerate() {
            let TriggerDeclaration::Schedule { expression } = trigger else { continue };
            let name = format!("{}-{index}", id.name);
            if let Some((next, event)) = self.cloud(&id).schedule(&id, &name, expression) {
                let starts = Starts::Function { target: id.clone(), event };
                let expression = expression.clone();
                self.schedules.put(Schedule { id: name.into(), starts, expression, next });
            }
        }
        if let Some(alias) = &function.alias {
            let mut aliases = self.aliases.write().unwrap_or_else(PoisonError::into_inner);
            aliases.insert(alias.clone(), id);
        }
        Ok(())
    }
}

fn no_cloud(name: &str) -> String {
    // A second listener of a cloud is none of its own.
    let known: Vec<_> = CLOUDS.iter().map(|kind| kind.name).filter(|name| !name.contains('-')).collect();
    if known.contains(&name) {
        return format!("`{name}` has no listener yet: start mlemu again");
    }
    format!("mlemu has no `{name}`; it has {}", known.join(", "))
}

/// Follows the project's files: what changed in them is declared again.
pub(super) struct Reload(tokio::task::JoinHandle<()>);

impl Drop for Reload {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Reload {
    /// `None`: there is nothing to watch with, as the records say.
    pub(super) fn start(
        worlds: Arc<Worlds>,
        builder: Arc<Builder>,
        reading: Reading,
        loaded: Loaded,
    ) -> Option<Self> {
        let files: BTreeSet<PathBuf> = loaded.files.iter().cloned().collect();
        // Folders, not files: editors replace files by renaming.
        let folders: BTreeSet<_> =
            files.iter().filter_map(|file| file.parent()).map(Path::to_owned).collect();
        match Changes::below(folders, RecursiveMode::NonRecursive, move |path| files.contains(path)) {
            Ok(changes) => Some(Self(tokio::spawn(follow(worlds, builder, reading, loaded, changes)))),
            Err(error) => {
                let text = format!("changes of the project's files will not be seen: {error}");
                worlds.first.say(What::Warning { text });
                None
            }
        }
    }
}

async fn follow(
    worlds: Arc<Worlds>,
    builder: Arc<Builder>,
    reading: Reading,
    mut loaded: Loaded,
    mut changes: Changes,
) {
    loop {
        changes.next(PACE).await;
        let again = reading.clone();
        let read = tokio::task::spawn_blocking(move || config::load(&again.start, &again.overrides)).await;
        let Ok(read) = read else { continue };
        match read {
            // Most likely a template that is being written and is none for now.
            Ok(fresh) if fresh.project.functions.is_empty() && !loaded.project.functions.is_empty() => {
                let why = fresh.project.warnings.join("; ");
                worlds.first.say(What::Warning { text: format!("the last good configuration stays: {why}") });
            }
            Ok(fresh) => {
                // A world that is made meanwhile is made of the new one.
                worlds.set_project(fresh.project.clone());
                for world in worlds.all() {
                    apply(&world, &builder, &loaded.project, &fresh.project).await;
                }
                loaded = fresh;
            }
            Err(error) => {
                let text = format!("the last good configuration stays, because {error}");
                worlds.first.say(What::Warning { text });
            }
        }
    }
}

/// Declares what is new or different, and withdraws what is gone.
async fn apply(world: &Arc<World>, builder: &Builder, old: &Project, new: &Project) {
    let mut changed = new.clone();
    changed.functions.retain(|function| !old.functions.contains(function));
    changed.buckets.retain(|bucket| !old.buckets.contains(bucket));
    changed.queues.retain(|queue| !old.queues.contains(queue));
    for gone in old.functions.iter().filter(|was| !new.functions.iter().any(|is| is.name == was.name)) {
        let views = world.engine.all_functions();
        let view =
            views.iter().find(|view| *view.id.name == *gone.name && *view.id.scope.cloud == *gone.cloud);
        if let Some(view) = view {
            world.schedules.withdraw(&view.id);
            world.cloud(&view.id).withdraw(&view.id);
        }
    }
    if let Err(error) = make_real(world, builder, &changed).await {
        world.say(What::Warning { text: error.to_string() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cloud_that_is_not_there_names_those_that_are() {
        assert_eq!(no_cloud("clod"), "mlemu has no `clod`; it has aws, gcp, azure");
        assert_eq!(no_cloud("gcp"), "`gcp` has no listener yet: start mlemu again");
    }
}
