//! Functions that code registers in a way that its text does not tell: the framework's own registry names them.
//!
//! Whoever asks for one that is not known yet waits until every such code has been read.

use crate::framework::{Framework, Signature, Traits};
use crate::plug::Gcp;
use crate::profile::{self, Generation};
use mlemu_core::declare::{FunctionDeclaration, Provenance, ResourceDeclaration};
use mlemu_core::{Environment, FunctionId, Limits, Revision, Sink, Source, Subject, What};
use mlemu_engine::endpoints;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What a project calls code whose functions its text does not tell.
pub const KIND: &str = "functions-framework";
/// Models may be loaded with the code, in bytes.
const MEMORY: u64 = 8 << 30;

/// What is said of such code.
#[derive(Debug, Deserialize)]
struct Code {
    source: PathBuf,
    runtime: String,
}

/// All such code.
#[derive(Default)]
pub(crate) struct Codes {
    under_way: Arc<watch::Sender<usize>>,
    found: Mutex<Found>,
    /// What is being read ends with it.
    pub(crate) stop: CancellationToken,
}

/// The functions of each folder.
type Found = BTreeMap<PathBuf, BTreeMap<FunctionId, Signature>>;

/// Counts one reading as long as it lives.
struct UnderWay(Arc<watch::Sender<usize>>);

impl UnderWay {
    fn begin(count: &Arc<watch::Sender<usize>>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Gcp {
    /// Begins to read such code.
    pub fn declare_resources(&self, resources: &[&ResourceDeclaration]) -> Result<(), String> {
        let endpoints: Vec<_> =
            resources.iter().filter(|resource| resource.kind == endpoints::KIND).collect();
        self.predict.keep(&endpoints.iter().map(|resource| resource.name.as_str()).collect::<Vec<_>>());
        for resource in endpoints {
            let said = serde_json::from_str(&resource.properties).map_err(|error| error.to_string())?;
            self.predict.declare(said);
        }
        for resource in resources.iter().filter(|resource| resource.kind == KIND) {
            let code: Code = serde_json::from_str(&resource.properties).map_err(|error| error.to_string())?;
            let Some(this) = self.this.upgrade() else { continue };
            let (under_way, from) = (UnderWay::begin(&self.codes.under_way), resource.from.clone());
            let stop = self.codes.stop.clone();
            tokio::spawn(async move {
                stop.run_until_cancelled(this.take_in(&code, &from)).await;
                drop(under_way);
            });
        }
        Ok(())
    }

    /// Completes when all code that was declared has been read.
    pub async fn known(&self) {
        // Its sender is here.
        let _ = self.codes.under_way.subscribe().wait_for(|count| *count == 0).await;
    }

    async fn take_in(&self, code: &Code, from: &Provenance) {
        let registered = match self.ask(code).await {
            Ok(registered) => registered,
            Err(why) => {
                let text = format!("the functions of {} are not known: {why}", from.file.display());
                let parts = self.engine.parts();
                return parts.journal.send(parts.clock.now(), Subject::default(), What::Warning { text });
            }
        };
        let were = self.found().remove(&code.source).unwrap_or_default();
        let mut are = BTreeMap::new();
        for (name, signature) in registered {
            let id = FunctionId::new(self.place.scope.clone(), &name);
            let is_there = match were.get(&id) {
                Some(was) if *was == signature => true,
                Some(_) => self.add(code, from, &name, signature),
                None => !self.has(&name, &code.source) && self.add(code, from, &name, signature),
            };
            if is_there {
                are.insert(id, signature);
            }
        }
        were.keys().filter(|id| !are.contains_key(id)).for_each(|gone| self.withdraw(gone));
        self.found().insert(code.source.clone(), are);
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.codes.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a target of that code is a function already, under its own name or another.
    fn has(&self, target: &str, source: &Path) -> bool {
        self.engine.functions(&self.place.scope).iter().any(|view| {
            let latest = &view.latest;
            *view.id.name == *target || (latest.handler == target && latest.source.folder() == source)
        })
    }

    async fn ask(&self, code: &Code) -> Result<BTreeMap<String, Signature>, String> {
        let traits =
            Traits { generation: Generation::Second, signature: Signature::Http, concurrency: 1, least: 0 };
        let limits = profile::limits(traits.generation, profile::DEFAULT_MEMORY, profile::DEFAULT_TIMEOUT);
        let revision = Revision {
            function: FunctionId::new(self.place.scope.clone(), KIND),
            number: 0,
            label: "latest".into(),
            source: Source::Folder(code.source.clone()),
            runtime: code.runtime.clone(),
            handler: String::new(),
            env: Environment::new(),
            limits: Limits { memory: MEMORY, ..limits },
        };
        let framework =
            Framework { place: self.place.clone(), folder: self.functions.folder().into(), traits };
        framework.registered(self.engine.parts(), &revision).await.map_err(|fault| fault.to_string())
    }

    /// Declares what was found, as the importer does with what it reads in the text.
    fn add(&self, code: &Code, from: &Provenance, name: &str, signature: Signature) -> bool {
        let declaration = FunctionDeclaration {
            cloud: self.place.scope.cloud.to_string(),
            name: name.to_owned(),
            alias: None,
            runtime: code.runtime.clone(),
            handler: name.to_owned(),
            source: code.source.clone(),
            memory: None,
            timeout: None,
            tmp: None,
            env: Environment::new(),
            concurrency: None,
            triggers: Vec::new(),
            options: BTreeMap::from([("signature".to_owned(), signature.word().to_owned())]),
            from: from.clone(),
        };
        self.declare(&declaration).is_ok()
    }
}
