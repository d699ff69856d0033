//! Sources under watch: a saved file becomes a new revision.
//!
//! The operating system tells of changes; nothing is polled. The first change opens a short window, so that
//! an editor's rename dance or a `git checkout` is one reload. Folders that ignore rules leave out are not
//! watched at all: a virtual environment has thousands.

mod rules;

use crate::face::Parts;
use mlemu_core::{FunctionId, Subject, What};
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use rules::Rules;
use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Changes this close together are one.
const QUIET: Duration = Duration::from_millis(15);
/// A source that changes again and again is given ever more time, up to this: a function that writes into its
/// own folder must not keep itself from running.
const LONGEST_QUIET: Duration = Duration::from_millis(960);
/// A source that was still for so long after a reload is not restless.
const REST: Duration = Duration::from_millis(100);
/// A source that never rests is reloaded after so many quiet windows all the same.
const PATIENCE: u32 = 6;

pub(crate) struct Watch {
    orders: mpsc::UnboundedSender<Order>,
}

enum Order {
    Set(FunctionId, Option<PathBuf>),
    Changed(Event),
    Stop,
}

impl Watch {
    /// `changed` is called with each function whose source changed.
    pub(crate) fn start(parts: Parts, changed: impl Fn(FunctionId) + Send + Sync + 'static) -> Self {
        let (orders, inbox) = mpsc::unbounded_channel();
        let keeper = Keeper {
            parts,
            changed: Box::new(changed),
            back: orders.clone(),
            watcher: None,
            watched: HashMap::new(),
            quiet: QUIET,
            last: Duration::ZERO,
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

struct Keeper {
    parts: Parts,
    changed: Box<dyn Fn(FunctionId) + Send + Sync>,
    back: mpsc::UnboundedSender<Order>,
    /// Made with the first folder, so that a daemon without sources has no inotify thread.
    watcher: Option<RecommendedWatcher>,
    watched: HashMap<FunctionId, Arc<Rules>>,
    quiet: Duration,
    /// When something was last reloaded, on the monotonic clock.
    last: Duration,
}

impl Keeper {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Order>) {
        while let Some(order) = inbox.recv().await {
            let mut touched = BTreeSet::new();
            if self.take(order, &mut touched).is_break() {
                return;
            }
            if touched.is_empty() {
                continue;
            }
            if self.settle(&mut inbox, &mut touched).await.is_break() {
                return;
            }
            self.pace();
            for id in touched {
                (self.changed)(id);
            }
        }
    }

    /// Takes what follows until nothing has for a window, or the source has been restless for too long. However
    /// many events a window has, it stays one.
    async fn settle(
        &mut self,
        inbox: &mut mpsc::UnboundedReceiver<Order>,
        touched: &mut BTreeSet<FunctionId>,
    ) -> ControlFlow<()> {
        let patience = tokio::time::sleep(self.quiet * PATIENCE);
        tokio::pin!(patience);
        loop {
            let order = tokio::select! {
                () = &mut patience => return ControlFlow::Continue(()),
                order = tokio::time::timeout(self.quiet, inbox.recv()) => order,
            };
            match order {
                Err(_) => return ControlFlow::Continue(()),
                Ok(None) => return ControlFlow::Break(()),
                Ok(Some(order)) => self.take(order, touched)?,
            }
        }
    }

    /// Reloads that follow each other closely double the window; rest brings it back.
    fn pace(&mut self) {
        let now = self.parts.clock.elapsed();
        let restless = now.saturating_sub(self.last) < self.quiet + REST;
        self.quiet = if restless { (self.quiet * 2).min(LONGEST_QUIET) } else { QUIET };
        self.last = now;
    }

    fn take(&mut self, order: Order, touched: &mut BTreeSet<FunctionId>) -> ControlFlow<()> {
        match order {
            Order::Set(id, folder) => self.set(id, folder),
            Order::Changed(event) => touched.extend(self.touched(&event)),
            Order::Stop => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    fn set(&mut self, id: FunctionId, folder: Option<PathBuf>) {
        let Some(folder) = folder else {
            self.watched.remove(&id);
            return;
        };
        if self.watched.get(&id).is_some_and(|rules| rules.root() == folder) {
            return;
        }
        let known = self.watched.values().find(|rules| rules.root() == folder).cloned();
        let rules = known.unwrap_or_else(|| Arc::new(Rules::read(&folder, &self.parts.policy.watch_ignore)));
        for folder in rules.folders() {
            self.watch_folder(&folder, &id);
        }
        self.watched.insert(id, rules);
    }

    fn watch_folder(&mut self, folder: &Path, id: &FunctionId) {
        if self.watcher.is_none() {
            let back = self.back.clone();
            let made = notify::recommended_watcher(move |event: notify::Result<Event>| {
                if let Ok(event) = event
                    && tells_of_change(&event.kind)
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

    /// The functions whose source the event touches. New folders are watched from here on.
    fn touched(&mut self, event: &Event) -> Vec<FunctionId> {
        let mut touched = Vec::new();
        let mut fresh = Vec::new();
        for (id, rules) in &self.watched {
            let everything = event.need_rescan();
            if everything || event.paths.iter().any(|path| rules.matter(path)) {
                touched.push(id.clone());
                if everything
                    || matches!(event.kind, EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(_)))
                {
                    fresh.extend(
                        event
                            .paths
                            .iter()
                            .flat_map(|path| rules.folders_below(path))
                            .map(|path| (path, id.clone())),
                    );
                }
            }
        }
        for (folder, id) in fresh {
            self.watch_folder(&folder, &id);
        }
        touched
    }
}

/// Reading a file is no change, and neither is a new access time: hashing a source must not feed itself.
fn tells_of_change(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => false,
        _ => true,
    }
}
