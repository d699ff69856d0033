//! The face of this crate: [`Builder`] makes revisions startable and remembers what it made.

#[cfg(test)]
mod tests;

use crate::inputs::Inputs;
use crate::interpreter::Interpreter;
use crate::shelf::blocking;
use crate::surroundings::Surroundings;
use crate::tool::Steps;
use crate::{archive, executable, measure, model, node, python};
use bytes::Bytes;
use mlemu_core::build::Progress;
use mlemu_core::{Boxed, Build, BuildFailure, Built, Language, Needs, PackageFault, Unpacked};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Makes functions startable, from one cache folder that many processes may share. Clones share everything.
#[derive(Clone)]
pub struct Builder {
    pub(crate) cache: PathBuf,
    pub(crate) python: python::Workshop,
    pub(crate) node: node::Workshop,
    model: model::Workshop,
    surroundings: Arc<Surroundings>,
    made: Arc<Mutex<HashMap<PathBuf, Vec<Arc<Made>>>>>,
}

/// A result, and what it was made from.
struct Made {
    needs: Needs,
    inputs: Inputs,
    built: Arc<Built>,
}

impl Builder {
    /// `cache` is made when it is first needed. `offline`: nothing is installed, only what is in the cache is
    /// used.
    pub fn new(cache: PathBuf, offline: bool) -> Self {
        let surroundings = Surroundings::of_this_process();
        Self::among(surroundings, cache, offline)
    }

    pub(crate) fn among(surroundings: Surroundings, cache: PathBuf, offline: bool) -> Self {
        // Environments know their own path: it must not depend on where we stand.
        let cache = std::path::absolute(&cache).unwrap_or(cache);
        let surroundings = Arc::new(surroundings);
        let python = python::Workshop::new(&cache, offline, surroundings.clone());
        let model = model::Workshop::new(&cache, offline, surroundings.clone(), python.pythons.clone());
        Self {
            python,
            model,
            node: node::Workshop::new(&cache, offline, surroundings.clone()),
            surroundings,
            cache,
            made: Arc::default(),
        }
    }

    /// Models run in `program`, which is mlemu, and not in what the daemon itself is.
    pub fn models_run_in(mut self, program: PathBuf) -> Self {
        self.model.run_in(program);
        self
    }

    /// The library that runs models of a project, where it need not be installed first.
    pub fn model_library(&self, project: &Path) -> Option<PathBuf> {
        self.model.found(project)
    }

    /// Which version a library for models is, e.g. `1.31`; nothing where it cannot be loaded.
    pub async fn model_library_version(&self, library: &Path) -> Option<String> {
        self.model.version(library).await
    }

    /// Puts the library for models into the cache, unless it is there, and says where. `meter` hears how far it is.
    ///
    /// # Errors
    /// Nothing can fetch it, or what was fetched is not what it should be.
    pub async fn fetch_model_library(
        &self,
        progress: Progress,
        meter: model::Meter,
    ) -> Result<PathBuf, BuildFailure> {
        self.model.installed(Steps::new(progress, "onnxruntime"), meter).await
    }

    /// The interpreters of this machine that functions can run on. Starts each of them once.
    pub async fn interpreters(&self) -> Vec<Interpreter> {
        let (mut all, nodes) = tokio::join!(self.python.pythons.all(), self.node.nodes.all());
        all.extend(nodes);
        all
    }

    /// What was made before from the same needs, if its inputs are as they were.
    async fn remembered(&self, needs: &Needs) -> Option<Arc<Built>> {
        let made = {
            let all = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            all.get(&needs.source)?.iter().find(|made| made.needs == *needs)?.clone()
        };
        let unchanged = blocking({
            let made = made.clone();
            move || Ok(made.inputs.unchanged())
        });
        unchanged.await.is_ok_and(|unchanged| unchanged).then(|| made.built.clone())
    }

    fn remember(&self, needs: Needs, inputs: Inputs, built: Arc<Built>) {
        let mut all = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let of_source = all.entry(needs.source.clone()).or_default();
        of_source.retain(|made| made.needs != needs);
        of_source.push(Arc::new(Made { needs, inputs, built }));
    }

    async fn make(&self, mut needs: Needs, progress: Progress) -> Result<Arc<Built>, BuildFailure> {
        if let Some(built) = self.remembered(&needs).await {
            return Ok(built);
        }
        let asked = needs.clone();
        needs.source = std::path::absolute(&needs.source).unwrap_or(needs.source);
        let (built, mut inputs) = match needs.language.clone() {
            Language::Python { version } => self.python.build(&version, needs, progress).await?,
            Language::Node { version } => self.node.build(&version, needs, progress).await?,
            Language::Executable { name } => executable::build(&needs.source, &name)?,
            Language::Model => self.model.build(&needs.source, progress).await?,
            Language::Program { name } => executable::found(&needs.source, &name, &self.surroundings)?,
        };
        // Somebody may empty the cache.
        inputs.watch(&built.program);
        built.client.iter().for_each(|client| inputs.watch(client));
        let built = Arc::new(built);
        self.remember(asked, inputs, built.clone());
        Ok(built)
    }
}

impl Build for Builder {
    fn build(&self, needs: Needs, progress: Progress) -> Boxed<'_, Result<Arc<Built>, BuildFailure>> {
        Box::pin(self.make(needs, progress))
    }

    fn unpack(&self, archive: Bytes, limit: u64) -> Boxed<'_, Result<Unpacked, PackageFault>> {
        let shelf = self.cache.join("packages");
        let unpacking = tokio::task::spawn_blocking(move || archive::unpack(&shelf, archive, limit));
        Box::pin(async {
            unpacking.await.unwrap_or_else(|error| Err(PackageFault::Disk { why: error.to_string() }))
        })
    }

    fn measure(&self, folder: PathBuf) -> Boxed<'_, u64> {
        let measuring = tokio::task::spawn_blocking(move || measure::measure(&folder));
        Box::pin(async { measuring.await.unwrap_or(0) })
    }

    fn weigh_package(&self, needs: Needs) -> Boxed<'_, Option<u64>> {
        let of_vendor = Needs { client_packages: Vec::new(), provided_packages: Vec::new(), ..needs };
        let weighing = self.weigh(of_vendor, Arc::new(|_| {}));
        Box::pin(async { weighing.await.ok().map(|weight| weight.zipped()) })
    }
}
