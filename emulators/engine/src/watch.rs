//! Sources under watch: a saved file becomes a new revision.
//!
//! The operating system tells of changes; nothing is polled. A [`Burst`] of changes is one reload, so that an
//! editor's rename dance or a `git checkout` is one. Folders that ignore rules leave out are not watched at
//! all: a virtual environment has thousands. From the first change seen until its reload a function's calls
//! wait, so that who saves and calls gets the new code; a function that keeps changing its own source is told
//! of once, and its calls do not wait.

mod burst;
mod rules;
#[cfg(test)]
mod tests;

use crate::parts::Parts;
use burst::Burst;
use mlemu_core::{FunctionId, Subject, What};
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RemoveKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use rules::Rules;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

pub(crate) struct Watch {
    orders: mpsc::UnboundedSender<Order>,
}

enum Order {
    Set(FunctionId, Option<PathBuf>),
    Changed(Event),
    Stop,
}

/// The functions, as the watch sees them.
pub(crate) trait Functions: Send + Sync + 'static {
    /// Whether its code runs at this moment, which may be what changes its source.
    fn is_running(&self, id: &FunctionId) -> bool;
    /// Its source is changing: calls from here on wait for the reload, which comes soon.
    fn hold(&self, id: &FunctionId);
    /// Its source has changed, if `while_running` perhaps by its own doing.
    fn reload(&self, id: &FunctionId, while_running: bool);
}

impl Watch {
    pub(crate) fn start(parts: Parts, functions: impl Functions) -> Self {
        let (orders, inbox) = mpsc::unbounded_channel();
        let keeper = Keeper {
            parts,
            functions: Box::new(functions),
            back: orders.clone(),
            watcher: None,
            watched: HashMap::new(),
            bursts: BTreeMap::new(),
        };
        tokio::spawn(keeper.run(inbox));
        Self { orders }
    }

    /// Watches a function's source from now on, or no longer.
    pub(crate) fn set(&self, id: FunctionId, folder: Option<PathBuf>) {
        let _ = self.orders.send(Order::Set(id, folder));
    }

    pub(crate) fn stop(&self) {
        let _ = self.orders.send(Order::Stop);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Keeper {
    parts: Parts,
    functions: Box<dyn Functions>,
    back: mpsc::UnboundedSender<Order>,
    /// Made with the first folder, so that a daemon without sources has no inotify thread.
    watcher: Option<RecommendedWatcher>,
    watched: HashMap<FunctionId, Arc<Rules>>,
    bursts: BTreeMap<FunctionId, Burst>,
}

impl Keeper {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Order>) {
        loop {
            let due = self.bursts.values().filter_map(Burst::due).min();
            let order = tokio::select! {
                biased;
                () = self.wait_until(due) => {
                    self.reload();
                    continue;
                }
                order = inbox.recv() => order,
            };
            match order {
                Some(Order::Set(id, folder)) => self.set(id, folder),
                Some(Order::Changed(event)) => {
                    for id in self.touched(&event) {
                        self.change(id);
                    }
                }
                Some(Order::Stop) | None => return,
            }
        }
    }

    async fn wait_until(&self, due: Option<Duration>) {
        match due {
            Some(due) => self.parts.clock.sleep(due.saturating_sub(self.parts.clock.elapsed())).await,
            None => std::future::pending().await,
        }
    }

    fn change(&mut self, id: FunctionId) {
        let running = self.functions.is_running(&id);
        let burst = self.bursts.entry(id.clone()).or_default();
        let held = burst.holds();
        burst.change(self.parts.clock.elapsed(), running);
        if burst.holds() && !held {
            self.functions.hold(&id);
        }
    }

    /// Reloads what is due.
    fn reload(&mut self) {
        let now = self.parts.clock.elapsed();
        for (id, burst) in &mut self.bursts {
            if burst.due().is_some_and(|due| due <= now) {
                let taken = burst.reloaded(now);
                self.functions.reload(id, taken.while_running);
                if taken.self_made {
                    let text = "it keeps changing files beside its code, and each change is a reload: write to \
                                /tmp, or leave the files out in [watch] ignore";
                    let subject = Subject { function: Some(id.clone()), ..Subject::default() };
                    self.parts.record(subject, What::Warning { text: text.into() });
                }
            }
        }
    }

    fn set(&mut self, id: FunctionId, folder: Option<PathBuf>) {
        if self.watched.get(&id).map(|rules| rules.root()) == folder.as_deref() {
            return;
        }
        if self.bursts.remove(&id).is_some_and(|burst| burst.due().is_some()) {
            // What is held must be let go.
            self.functions.reload(&id, false);
        }
        if let Some(rules) = self.watched.remove(&id) {
            self.unwatch(&rules);
        }
        let Some(folder) = folder else { return };
        let known = self.watched.values().find(|rules| rules.root() == folder).cloned();
        let rules = known.unwrap_or_else(|| Arc::new(self.rules(&folder)));
        self.watch_tree(&rules, &folder, &id);
        // It tells when the folder itself is replaced, as build tools do.
        if let Some(parent) = folder.parent() {
            self.watch_folder(parent, &id);
        }
        self.watched.insert(id, rules);
    }

    fn rules(&self, folder: &Path) -> Rules {
        Rules::read(folder, &self.parts.policy.watch_ignore)
    }

    /// Watches a folder and all in it that matters.
    fn watch_tree(&mut self, rules: &Rules, root: &Path, id: &FunctionId) {
        let mut known = BTreeSet::new();
        loop {
            // Folders that appear between the walk and the watch are found by walking again.
            let found: Vec<_> =
                rules.folders_from(root).into_iter().filter(|path| !known.contains(path)).collect();
            if found.is_empty() {
                return;
            }
            for folder in found {
                self.watch_folder(&folder, id);
                known.insert(folder);
            }
        }
    }

    /// Stops watching what no other function's source has.
    fn unwatch(&mut self, rules: &Rules) {
        let Some(watcher) = &mut self.watcher else { return };
        for folder in rules.folders_from(rules.root()) {
            if !self.watched.values().any(|other| folder.starts_with(other.root())) {
                // A folder that is gone is watched no longer anyway, and its parent does no harm.
                let _ = watcher.unwatch(&folder);
            }
        }
    }

    fn watch_folder(&mut self, folder: &Path, id: &FunctionId) {
        if self.watcher.is_none() {
            let back = self.back.clone();
            let made = notify::recommended_watcher(move |event: notify::Result<Event>| {
                if let Ok(event) = event
                    && tells_of_change(event.kind)
                {
                    let _ = back.send(Order::Changed(event));
                }
            });
            match made {
                Ok(watcher) => self.watcher = Some(watcher),
                Err(error) => return self.warn(id, folder, &error),
            }
        }
        let Some(watcher) = &mut self.watcher else { return };
        if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
            self.warn(id, folder, &error);
        }
    }

    fn warn(&self, id: &FunctionId, folder: &Path, error: &notify::Error) {
        let hint = match error.kind {
            notify::ErrorKind::MaxFilesWatch => {
                "; raise it with `sysctl fs.inotify.max_user_watches=524288`, or leave folders out in [watch] ignore"
            }
            _ => "",
        };
        let text = format!("changes in {} will not be seen: {error}{hint}", folder.display());
        let subject = Subject { function: Some(id.clone()), ..Subject::default() };
        self.parts.record(subject, What::Warning { text });
    }

    /// The functions whose source the event touches. New folders are watched from here on, and changed ignore
    /// rules hold.
    fn touched(&mut self, event: &Event) -> Vec<FunctionId> {
        let everything = event.need_rescan();
        let appeared = matches!(event.kind, EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(_)));
        let replaced = appeared || matches!(event.kind, EventKind::Remove(_));
        let folder = tells_of_folder(event.kind);
        let about =
            |rules: &Rules, path: &Path| rules.matter(path, folder) || (replaced && path == rules.root());
        let matters = |rules: &Rules| everything || event.paths.iter().any(|path| about(rules, path));
        let touched = self.watched.iter().filter(|(_, rules)| matters(rules));
        let touched: Vec<_> = touched.map(|(id, rules)| (id.clone(), rules.clone())).collect();
        for (id, rules) in &touched {
            if everything || event.paths.iter().any(|path| rules.are_in(path)) {
                let rules = Arc::new(self.rules(rules.root()));
                self.watch_tree(&rules, rules.root(), id);
                self.watched.insert(id.clone(), rules);
            } else if appeared {
                for path in &event.paths {
                    self.watch_tree(rules, path, id);
                }
            }
        }
        touched.into_iter().map(|(id, _)| id).collect()
    }
}

/// Whether the event says that its path is, or was, a folder.
fn tells_of_folder(kind: EventKind) -> Option<bool> {
    match kind {
        EventKind::Create(CreateKind::Folder) | EventKind::Remove(RemoveKind::Folder) => Some(true),
        EventKind::Create(CreateKind::File) | EventKind::Remove(RemoveKind::File) => Some(false),
        _ => None,
    }
}

/// Reading a file is no change, and neither is a new access time: hashing a source must not feed itself.
fn tells_of_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => false,
        _ => true,
    }
}
