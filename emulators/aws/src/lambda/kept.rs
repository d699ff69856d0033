//! Functions that were created by the API outlive the daemon, with their code; those of a project are declared anew.
//!
//! After each operation that may have changed something the whole table is compared and written, so that no operation
//! has to think of it. Packages are kept beside it, for a cache that was emptied meanwhile.

use super::Lambda;
use super::catalog::Entry;
use super::routes::Operation;
use super::target::LATEST;
use crate::profile::UNZIPPED_PACKAGE;
use mlemu_core::{FunctionId, Revision, Source};
use mlemu_engine::{Draft, Kept, Routes, Shelf};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// A function as it was created and changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Deployed {
    entry: Entry,
    latest: Arc<Revision>,
    reserved: Option<u32>,
}

/// What outlives the daemon. That of `default` is nothing.
#[derive(Default)]
pub(super) struct Keeping {
    functions: Kept<BTreeMap<String, Deployed>>,
    packages: Shelf,
    /// The packages that are kept, by their digests.
    known: Mutex<BTreeSet<String>>,
}

impl Keeping {
    pub fn on(shelf: &Shelf) -> Self {
        let functions = Kept::on(shelf.part("functions"));
        Self { functions, packages: shelf.part("packages"), known: Mutex::default() }
    }

    /// A package that was just opened.
    pub fn package(&self, digest: &str, archive: &[u8]) {
        if self.packages.keeps() && self.known().insert(digest.to_owned()) {
            self.packages.keep(digest, archive);
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Packages of which nothing runs any more are not kept.
    fn tidy(&self, functions: &BTreeMap<String, Deployed>) {
        let used: BTreeSet<String> = functions.values().flat_map(Deployed::digests).collect();
        let mut known = self.known();
        for digest in known.difference(&used) {
            self.packages.forget(digest);
        }
        *known = used;
    }
}

impl Deployed {
    /// Every revision that it has, oldest first.
    fn revisions(&self) -> impl Iterator<Item = &Arc<Revision>> {
        self.entry.versions.values().map(|version| &version.revision).chain([&self.latest])
    }

    fn digests(&self) -> impl Iterator<Item = String> {
        self.revisions().filter_map(|revision| match &revision.source {
            Source::Unpacked { sha256, .. } => Some(sha256.clone()),
            Source::Folder(_) => None,
        })
    }
}

/// Whether an operation leaves every function as it is.
fn only_runs(operation: Operation) -> bool {
    matches!(operation, Operation::Invoke | Operation::InvokeAsync | Operation::InvokeWithResponseStream)
}

impl Lambda {
    /// Functions and mappings outlive the daemon there.
    pub fn kept_on(mut self, shelf: &Shelf) -> Self {
        self.keeping = Keeping::on(shelf);
        self.mappings = self.mappings.map(|mappings| mappings.kept_on(shelf));
        self
    }

    /// Writes what an operation has changed.
    pub(super) fn keep_after(&self, operation: Operation) {
        if only_runs(operation) || !self.keeping.packages.keeps() {
            return;
        }
        let deployed = self.deployed();
        let mut kept = self.keeping.functions.lock();
        if *kept != deployed {
            self.keeping.tidy(&deployed);
            *kept = deployed;
        }
    }

    fn deployed(&self) -> BTreeMap<String, Deployed> {
        let catalog = self.catalog();
        let of = |entry: &Entry| {
            let view = self.functions.function(&entry.id).filter(|view| view.from.is_none())?;
            let (entry, latest) = (entry.clone(), view.latest);
            Some((entry.id.name.to_string(), Deployed { entry, latest, reserved: view.reserved }))
        };
        catalog.iter().filter_map(of).collect()
    }

    /// Puts back what was there when the daemon ended.
    pub async fn awake(&self) {
        let kept = self.keeping.functions.lock().clone();
        let packages = self.keeping.packages.kept();
        self.keeping.known().extend(packages.keys().cloned());
        for deployed in kept.into_values() {
            for revision in deployed.revisions() {
                self.reopen(&revision.source, &packages).await;
            }
            self.redeploy(deployed);
        }
        if let Some(mappings) = &self.mappings {
            mappings.awake();
        }
    }

    /// The folder of a package is in a cache: what is not there any more is opened again.
    async fn reopen(&self, source: &Source, packages: &BTreeMap<String, Vec<u8>>) {
        let Source::Unpacked { folder, sha256, .. } = source else { return };
        let is_there = tokio::fs::try_exists(folder).await.unwrap_or_default();
        if let (false, Some(archive)) = (is_there, packages.get(sha256)) {
            // Without its code a function fails with words of its own when it is called.
            let _ = self.functions.unpack(archive.clone().into(), UNZIPPED_PACKAGE).await;
        }
    }

    fn redeploy(&self, deployed: Deployed) {
        let Deployed { mut entry, latest, reserved } = deployed;
        let mut catalog = self.catalog();
        for (number, version) in &mut entry.versions {
            self.functions.publish(self.draft(&entry.id, &version.revision));
            if let Some(pinned) = self.functions.pin(&entry.id, &number.to_string()) {
                version.revision = pinned;
            }
        }
        self.functions.publish(self.draft(&entry.id, &latest));
        self.functions.reserve(&entry.id, reserved);
        for (name, alias) in &entry.aliases {
            let routes = Routes { to: alias.version.clone(), aside: alias.aside.clone() };
            self.functions.lead(&entry.id, name, Some(routes));
        }
        catalog.insert(entry);
    }

    fn draft(&self, id: &FunctionId, revision: &Revision) -> Draft {
        let folder: Option<&PathBuf> = match &revision.source {
            Source::Folder(folder) => Some(folder),
            Source::Unpacked { .. } => None,
        };
        Draft {
            id: id.clone(),
            label: LATEST.into(),
            watch: folder.is_some(),
            source: revision.source.clone(),
            runtime: revision.runtime.clone(),
            handler: revision.handler.clone(),
            env: revision.env.clone(),
            limits: revision.limits.clone(),
            client: self.client.clone(),
            from: None,
        }
    }
}
