//! A world: everything of one scope, from its functions to its clock.
//!
//! Worlds know nothing of each other. Each has its own registry, objects, queues, clock, journal and faults, and
//! its own clouds in front of them; what costs to make, the built packages and the walls around processes, is
//! shared. [`World::new`] is the one place where a world is put together.

use super::elsewhere;
use super::recording::Recorder;
use super::relocated::Relocated;
use super::reset::Moments;
use super::scope::ScopeName;
use super::traces::Traces;
use crate::clouds::{Cloud, Kind};
use crate::config::{self, Settings};
use mlemu_bundle::Builder;
use mlemu_core::{Environment, FunctionId, Record, Sandbox, Timestamp};
use mlemu_engine::clock::Course;
use mlemu_engine::objects::Objects;
use mlemu_engine::queues::Queues;
use mlemu_engine::schedules::Schedules;
use mlemu_engine::wait;
use mlemu_engine::{
    Engine, FunctionView, Ground, Ids, Journal, Parts, Policy, Shelf, SteeredClock, Store, StoreError,
};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use tokio_util::sync::CancellationToken;

/// How many records are kept for those who come late.
const JOURNAL: usize = 10_000;

/// What every world of a daemon is made from.
pub struct Soil {
    pub builder: Arc<Builder>,
    pub sandbox: Arc<dyn Sandbox>,
    pub policy: Policy,
    /// What outlives the daemon, if anything does.
    pub store: Option<Store>,
    /// Bodies of large objects go here.
    pub bodies: PathBuf,
    /// Files that clouds keep for their instances.
    pub clients: PathBuf,
    pub settings: Settings,
    pub origin: Origin,
    pub strict_auth: bool,
    /// Watch declared sources.
    pub watch: bool,
    /// The clouds that are opened, and where each listens.
    pub fronts: Vec<(&'static Kind, SocketAddr)>,
}

/// What a run repeats by: with both, two runs of the same differ only in what is measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin {
    /// Decides ids, the order of what starts by itself, and the dice of faults.
    pub seed: Option<u64>,
    /// Emulated time stands still, here.
    pub clock: Option<Timestamp>,
}

impl Origin {
    fn clock(self) -> SteeredClock {
        self.clock.map_or_else(SteeredClock::new, SteeredClock::frozen)
    }

    fn ids(self) -> Ids {
        self.seed.map_or_else(Ids::default, Ids::seeded)
    }
}

/// Everything of one scope.
pub struct World {
    pub name: ScopeName,
    pub engine: Engine,
    pub journal: Arc<Journal>,
    pub objects: Objects,
    pub queues: Queues,
    pub store: Option<Store>,
    pub clock: Arc<SteeredClock>,
    pub schedules: Arc<Schedules>,
    pub(super) traces: Traces,
    pub(super) recorder: Recorder,
    pub(super) moments: Moments,
    /// It ends, or has ended.
    pub(super) ending: CancellationToken,
    /// One goes back at a time.
    pub(super) restoring: tokio::sync::Mutex<()>,
    pub(super) plugged: Vec<Plugged>,
    /// For what templates say of AWS.
    pub(super) relocated: Relocated,
    /// Names in project files that differ from those in the cloud.
    pub(super) aliases: RwLock<HashMap<String, FunctionId>>,
}

fn cores(
    soil: &Soil,
    name: &ScopeName,
    shelf: &Shelf,
    clock: Arc<SteeredClock>,
    ids: &Ids,
) -> Result<(Objects, Queues), StoreError> {
    let ids = || ids.clone();
    if soil.store.is_some() {
        return Ok((Objects::kept_on(shelf, clock.clone(), ids())?, Queues::kept_on(shelf, clock, ids())?));
    }
    let bodies = soil.bodies.join(&*name.name);
    Ok((Objects::named_by(bodies, clock.clone(), ids()), Queues::named_by(clock, ids())))
}

fn relocated(soil: &Soil, name: &ScopeName) -> Relocated {
    let settings = &soil.settings;
    let Some((kind, address)) = soil.fronts.iter().find(|(kind, _)| kind.name == "aws") else {
        return Relocated::default();
    };
    let (first, own) = (settings.place(kind.name), name.place(settings, kind.name));
    let (assumed, found) = (config::endpoint(&settings.ports), format!("http://{address}"));
    Relocated::new((&first.account, &own.account), (&assumed, &found))
}

/// A cloud and where it listens.
pub(super) struct Plugged {
    pub name: &'static str,
    pub cloud: Arc<dyn Cloud>,
    pub address: SocketAddr,
}

impl World {
    /// A world with nothing in it but what its store kept. Must be called inside a tokio runtime.
    pub fn new(soil: &Soil, name: ScopeName) -> Result<Arc<Self>, StoreError> {
        let clock = Arc::new(soil.origin.clock());
        let ids = soil.origin.ids();
        let journal = Arc::new(Journal::new(JOURNAL));
        let engine = Engine::new(Parts {
            clock: clock.clone(),
            ids: ids.clone(),
            build: soil.builder.clone(),
            sandbox: soil.sandbox.clone(),
            journal: journal.clone(),
            policy: soil.policy.clone(),
        });
        let shelf = soil.store.as_ref().map(|store| store.world(&name.name)).unwrap_or_default();
        engine.keep_calls_on(shelf.part("calls"));
        let (objects, queues) = cores(soil, &name, &shelf, clock.clone(), &ids)?;
        let objects = objects.counted_in(engine.settle().clone());
        let queues = queues
            .counted_in(engine.settle().clone())
            .meddled_by(engine.faults().clone())
            .behind(engine.gate().clone())
            .in_turns(engine.turns().clone());
        if let Some(seed) = soil.origin.seed {
            engine.faults().seed(seed);
        }
        let schedules = Arc::new(Schedules::new(engine.clone()));
        let post = elsewhere::post();
        let fronts = Arc::new(soil.fronts.iter().map(|(kind, address)| (kind.name, *address)).collect());
        let plugged = soil.fronts.iter().map(|(kind, address)| {
            let place = name.place(&soil.settings, kind.name);
            let cloud = (kind.plug)(Ground {
                engine: engine.clone(),
                objects: objects.clone(),
                queues: queues.clone(),
                shelf: shelf.part(kind.name),
                schedules: schedules.clone(),
                fronts: Arc::clone(&fronts),
                folder: soil.clients.clone(),
                region: place.region,
                account: place.account,
                post: post.clone(),
                prefix: name.prefix(),
                options: soil.settings.options(kind.name),
                strict_auth: soil.strict_auth,
                watch: soil.watch,
            });
            cloud.bound(*address);
            Plugged { name: kind.name, cloud, address: *address }
        });
        let plugged = plugged.collect();
        let relocated = relocated(soil, &name);
        shelf.sound()?;
        Ok(Arc::new(Self {
            name,
            schedules,
            engine,
            journal,
            objects,
            queues,
            store: soil.store.clone(),
            clock,
            traces: Traces::default(),
            recorder: Recorder::default(),
            moments: Moments::default(),
            ending: CancellationToken::new(),
            restoring: tokio::sync::Mutex::default(),
            plugged,
            relocated,
            aliases: RwLock::default(),
        }))
    }

    /// The cloud of one of the engine's functions, which only clouds that are plugged in declare.
    pub fn cloud(&self, function: &FunctionId) -> &Arc<dyn Cloud> {
        self.cloud_named(&function.scope.cloud)
    }

    /// A cloud that is plugged in, as all are that have a listener or a function.
    pub(super) fn cloud_named(&self, name: &str) -> &Arc<dyn Cloud> {
        self.plugged(name).unwrap_or_else(|why| unreachable!("{why}"))
    }

    /// What the log of the record's cloud says for it.
    pub fn lines(&self, record: &Record) -> Vec<String> {
        let cloud = record.subject.function.as_ref().and_then(|id| self.plugged(&id.scope.cloud).ok());
        cloud.map(|cloud| cloud.lines(record)).unwrap_or_default()
    }

    /// Variables that point every vendor's SDK here.
    pub fn environment(&self) -> Environment {
        let each = self.plugged.iter().map(|plugged| plugged.cloud.environment(plugged.address));
        each.flatten().collect()
    }

    /// Every function and where it is invoked by HTTP.
    pub fn function_urls(&self) -> Vec<(String, String)> {
        let of = |view: FunctionView| {
            let plugged = self.plugged.iter().find(|plugged| *plugged.name == *view.id.scope.cloud)?;
            let url = plugged.cloud.function_url(plugged.address, &view.id)?;
            let origin = format!("http://{}", plugged.address);
            let path = url.strip_prefix(&origin).unwrap_or(&url);
            Some((view.id.name.to_string(), format!("{origin}{}{path}", self.name.prefix())))
        };
        self.engine.all_functions().into_iter().filter_map(of).collect()
    }

    /// Where waits look.
    pub fn view(&self) -> wait::World {
        let settle = self.engine.settle().clone();
        wait::World {
            settle,
            history: self.engine.history().clone(),
            objects: self.objects.clone(),
            queues: self.queues.clone(),
        }
    }

    /// The trace that a request's id or its trace header stands for.
    pub fn trace_of(&self, said: &str) -> String {
        let known = self.plugged.iter().find_map(|plugged| plugged.cloud.trace(said));
        known.unwrap_or_else(|| parent(said).unwrap_or(said).to_owned())
    }

    /// Whether a request of this world may have had the id.
    pub fn may_know(&self, trace: &str) -> bool {
        let past = || self.engine.history().after(0).iter().any(|past| *past.trace() == *trace);
        self.traces.may_know(trace) || past()
    }

    pub(super) fn alias(&self, name: &str) -> Option<FunctionId> {
        self.aliases.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// From now on ids, the order of what starts by itself and the dice of new faults come from `seed`.
    pub fn repeat_by(&self, seed: u64) {
        self.engine.ids().seed(seed);
        self.engine.faults().seed(seed);
    }

    /// From now on chance decides, but for the dice of new faults, which fall as they always do.
    pub fn repeat_no_more(&self) {
        self.engine.ids().unseed();
        self.engine.faults().seed(0);
    }

    /// From now on time passes so. Schedules look for their next times from there.
    pub async fn steer(&self, course: Course) {
        self.clock.set(course).await;
        self.schedules.restart();
    }

    /// Nothing of it is left, in a store neither. It must have ended.
    pub fn forget(&self) {
        self.objects.reset();
        self.queues.reset();
        if let Some(store) = &self.store {
            store.world(&self.name.name).clear();
        }
    }

    /// Takes no more messages, and completes when no instance is left.
    pub async fn end(&self) {
        self.ending.cancel();
        self.plugged.iter().for_each(|plugged| plugged.cloud.stop());
        self.schedules.stop();
        self.engine.shutdown().await;
    }
}

/// The trace that a `traceparent` is of.
///
/// Source: W3C, "Trace Context".
fn parent(said: &str) -> Option<&str> {
    let parts: Vec<&str> = said.split('-').collect();
    let lengths = [2, 32, 16, 2];
    let fits =
        parts.len() == lengths.len() && parts.iter().zip(lengths).all(|(part, length)| part.len() == length);
    fits.then(|| parts[1])
}
