//! The daemon: parts put together, listeners opened, a project made real, and all of it stopped again.
//!
//! [`Daemon::start`] reads like a recipe. [`listener`] and [`guard`] stand before every port, [`control`] is
//! the API of our own command line, [`locator`] is how that finds us, and [`project`] turns declarations
//! into functions and buckets.

pub mod control;
pub mod folders;
pub mod guard;
pub mod invoke;
pub mod listener;
pub mod locator;
mod patience;
mod places;
mod project;
pub mod reset;
mod stream;

use crate::clouds::{CLOUDS, Cloud, Kind};
use crate::config::{Loaded, Overrides};
use folders::Folders;
use http::request::Parts as RequestParts;
use listener::{Service, Serving, Wish};
use locator::{Claim, Located, LocatorError};
use mlemu_core::{Environment, FunctionId, Record, Strain};
use mlemu_engine::objects::Objects;
use mlemu_engine::queues::Queues;
use mlemu_engine::wait::World;
use mlemu_engine::{Engine, FunctionView, Ground, Journal, Parts, Policy, SteeredClock};
use rustix::process::{Resource, Rlimit};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

/// How many records are kept for those who come late.
const JOURNAL: usize = 10_000;

/// The port of the control API and the dashboard.
pub const CONTROL_PORT: u16 = 4600;

/// How a project was read, so that it can be read again.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    pub start: PathBuf,
    pub overrides: Overrides,
}

/// How a daemon shall be.
#[derive(Debug)]
pub struct Options {
    pub loaded: Loaded,
    pub reading: Reading,
    pub host: IpAddr,
    /// Wished ports by cloud name; a cloud that is used and not named gets its usual one.
    pub ports: BTreeMap<&'static str, Wish>,
    pub control: Wish,
    /// Never reach for a package registry.
    pub offline: bool,
    /// Scale as the cloud does, not as this machine can.
    pub faithful: bool,
    pub strict_auth: bool,
    pub watch: bool,
    /// Build every function at once, not each when it is called.
    pub build_ahead: bool,
    /// Be the daemon of this project that the command line finds.
    pub announce: bool,
    /// The binary to start as shim, if it is not this one.
    pub program: Option<PathBuf>,
}

impl Options {
    /// The clouds that are opened: those whose port is wished and those that the project uses, or the first
    /// when there are none.
    fn clouds(&self) -> impl Iterator<Item = &'static Kind> {
        let project = &self.loaded.project;
        let uses = |name| {
            project.functions.iter().any(|function| function.cloud == name)
                || project.buckets.iter().any(|bucket| bucket.cloud == name)
                || self.loaded.project.queues.iter().any(|queue| queue.cloud == name)
        };
        let opened = |kind: &&Kind| self.ports.contains_key(kind.name) || uses(kind.name);
        let chosen: Vec<_> = CLOUDS.iter().filter(opened).collect();
        if chosen.is_empty() { CLOUDS.iter().take(1).collect() } else { chosen }.into_iter()
    }

    /// A private daemon: any ports, found by nobody.
    /// With nothing of the project watched.
    pub fn private(loaded: Loaded) -> Self {
        let any = Wish { port: 0, exact: true };
        Self {
            loaded,
            reading: Reading::default(),
            host: Ipv4Addr::LOCALHOST.into(),
            ports: CLOUDS.iter().map(|kind| (kind.name, any)).collect(),
            control: any,
            offline: false,
            faithful: false,
            strict_auth: false,
            watch: false,
            build_ahead: false,
            announce: false,
            program: None,
        }
    }
}

#[derive(Debug, Error)]
pub enum StartError {
    #[error("cannot listen on port {port} for {what}: {source}")]
    Listen { what: String, port: u16, source: std::io::Error },
    #[error(transparent)]
    Locator(#[from] LocatorError),
    #[error("cannot use {}: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("preparing the project failed: {why}")]
    Prepare { why: String, hint: Option<String> },
    #[error("{from}: {why}")]
    Refused { from: String, why: String },
}

/// What listeners and the control API share.
pub struct Shared {
    pub engine: Engine,
    pub journal: Arc<Journal>,
    pub objects: Objects,
    pub queues: Queues,
    pub clock: Arc<SteeredClock>,
    moments: reset::Moments,
    /// One goes back at a time.
    restoring: tokio::sync::Mutex<()>,
    pub token: String,
    /// Cancelled when somebody asks the daemon to stop.
    pub stop: CancellationToken,
    plugged: Vec<Plugged>,
    /// Names in project files that differ from those in the cloud.
    aliases: RwLock<HashMap<String, FunctionId>>,
}

/// A cloud and where it listens.
struct Plugged {
    name: &'static str,
    cloud: Arc<dyn Cloud>,
    address: SocketAddr,
}

/// A cloud behind its listener.
struct Front(Arc<dyn Cloud>);

impl Service for Front {
    fn answer(
        &self,
        request: http::Request<axum::body::Body>,
    ) -> futures_util::future::BoxFuture<'_, http::Response<axum::body::Body>> {
        self.0.answer(request)
    }

    fn admits_origin(&self, parts: &RequestParts) -> bool {
        self.0.admits_origin(parts)
    }

    fn apology(&self, strain: Strain, parts: Option<&RequestParts>) -> http::Response<axum::body::Body> {
        self.0.apology(strain, parts)
    }
}

/// A running daemon. [`Daemon::shutdown`] ends it in order; dropping it ends it at once.
pub struct Daemon {
    pub shared: Arc<Shared>,
    pub control: SocketAddr,
    serving: Vec<Serving>,
    claim: Option<Claim>,
    folders: Folders,
    reload: Option<project::Reload>,
}

impl Daemon {
    pub async fn start(options: Options, watcher: impl FnOnce(&Arc<Shared>)) -> Result<Self, StartError> {
        allow_open_files();
        let folders = Folders::open()?;
        let root = options.loaded.project.root.clone();
        let claim = if options.announce { Some(Claim::take(&folders.locators, &root)?) } else { None };
        let builder = Arc::new(mlemu_bundle::Builder::new(folders.cache.clone(), options.offline));
        let clock = Arc::new(SteeredClock::new());
        let engine = engine(&options, &folders, builder.clone(), clock.clone())?;
        let objects = Objects::new(folders.run.join("objects"), engine.parts().clock.clone())
            .counted_in(engine.settle().clone());
        let queues = Queues::new(engine.parts().clock.clone()).counted_in(engine.settle().clone());
        let ground = Ground {
            engine: engine.clone(),
            objects: objects.clone(),
            queues: queues.clone(),
            folder: folders.cache.join("clients"),
            region: options.loaded.settings.region.clone(),
            account: options.loaded.settings.account.clone(),
            strict_auth: options.strict_auth,
            watch: options.watch,
        };
        let (plugged, mut serving) = plug(&options, &ground).await?;
        let shared = Arc::new(Shared {
            journal: engine.parts().journal.clone(),
            objects,
            queues,
            clock,
            moments: reset::Moments::default(),
            restoring: tokio::sync::Mutex::default(),
            engine,
            token: uuid::Uuid::new_v4().simple().to_string(),
            stop: CancellationToken::new(),
            plugged,
            aliases: RwLock::default(),
        });
        let (control, listening) = open_control(&options, &shared).await?;
        serving.push(listening);
        watcher(&shared);
        if let Some(claim) = &claim {
            claim.announce(&shared.located(&root, control))?;
        }
        let prepared = project::make_real(&shared, &builder, &options.loaded.project).await;
        let mut daemon = Self { shared, control, serving, claim, folders, reload: None };
        if let Err(error) = prepared {
            daemon.shutdown().await;
            return Err(error);
        }
        daemon.shared.is_ready();
        if options.watch {
            daemon.reload =
                Some(project::Reload::start(daemon.shared.clone(), builder, options.reading, options.loaded));
        }
        Ok(daemon)
    }

    /// Where each cloud listens.
    pub fn addresses(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        self.shared.plugged.iter().map(|plugged| (plugged.name, plugged.address))
    }

    /// Ends every instance, then the listeners. Nothing is left afterwards.
    pub async fn shutdown(self) {
        drop(self.reload);
        self.shared.plugged.iter().for_each(|plugged| plugged.cloud.stop());
        self.shared.engine.shutdown().await;
        futures_util::future::join_all(self.serving.into_iter().map(Serving::close)).await;
        drop(self.claim);
        drop(self.folders);
    }
}

/// Every connection and every instance needs descriptors, more than a shell usually allows. The shim gives
/// functions their own limit.
fn allow_open_files() {
    let allowed = rustix::process::getrlimit(Resource::Nofile);
    // Where it cannot be raised, listeners hold out with what there is.
    let _ = rustix::process::setrlimit(Resource::Nofile, Rlimit { current: allowed.maximum, ..allowed });
}

fn engine(
    options: &Options,
    folders: &Folders,
    builder: Arc<mlemu_bundle::Builder>,
    clock: Arc<SteeredClock>,
) -> Result<Engine, StartError> {
    let io = |source| StartError::Folder { path: folders.run.clone(), source };
    let program = match &options.program {
        Some(program) => program.clone(),
        None => std::env::current_exe().map_err(io)?,
    };
    let shim = mlemu_sandbox::ShimProgram { program, args: vec!["shim".into()] };
    let sandbox = mlemu_sandbox::Processes::new(shim, folders.run.join("scratch")).map_err(io)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut policy = Policy::local(cores);
    policy.build_ahead = options.build_ahead;
    policy.watch_ignore.clone_from(&options.loaded.settings.watch_ignore);
    if options.faithful {
        policy.local_cap = None;
    }
    Ok(Engine::new(Parts {
        clock,
        build: builder,
        sandbox: Arc::new(sandbox),
        journal: Arc::new(Journal::new(JOURNAL)),
        policy,
    }))
}

async fn plug(options: &Options, ground: &Ground) -> Result<(Vec<Plugged>, Vec<Serving>), StartError> {
    let mut plugged = Vec::new();
    let mut serving = Vec::new();
    for kind in options.clouds() {
        let usual = Wish { port: kind.port, exact: false };
        let wish = options.ports.get(kind.name).copied().unwrap_or(usual);
        let failed = |source| StartError::Listen { what: kind.name.into(), port: wish.port, source };
        let listener = listener::bind(options.host, wish).await.map_err(failed)?;
        let place = options.loaded.settings.place(kind.name);
        let ground = Ground { region: place.region, account: place.account, ..ground.clone() };
        let cloud = (kind.plug)(ground);
        let address = listener.local_addr().map_err(failed)?;
        cloud.bound(address);
        serving.push(listener::serve(listener, Arc::new(Front(cloud.clone()))).map_err(failed)?);
        plugged.push(Plugged { name: kind.name, cloud, address });
    }
    Ok((plugged, serving))
}

async fn open_control(options: &Options, shared: &Arc<Shared>) -> Result<(SocketAddr, Serving), StartError> {
    let port = options.control.port;
    let failed = |source| StartError::Listen { what: "the control API".into(), port, source };
    let listener = listener::bind(options.host, options.control).await.map_err(failed)?;
    let control = control::Control::new(shared.clone());
    let serving = listener::serve(listener, Arc::new(control)).map_err(failed)?;
    Ok((serving.address, serving))
}

impl Shared {
    /// The cloud of one of the engine's functions, which only clouds that are plugged in declare.
    pub fn cloud(&self, function: &FunctionId) -> &Arc<dyn Cloud> {
        self.plugged(&function.scope.cloud).unwrap_or_else(|why| unreachable!("{function:?}: {why}"))
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
            Some((view.id.name.to_string(), url))
        };
        self.engine.all_functions().into_iter().filter_map(of).collect()
    }

    /// Where waits look.
    pub fn world(&self) -> World {
        let settle = self.engine.settle().clone();
        World { settle, history: self.engine.history().clone(), objects: self.objects.clone() }
    }

    /// The trace that a request's id or its trace header stands for.
    pub fn trace_of(&self, said: &str) -> String {
        let known = self.plugged.iter().find_map(|plugged| plugged.cloud.trace(said));
        known.unwrap_or_else(|| said.to_owned())
    }

    fn alias(&self, name: &str) -> Option<FunctionId> {
        self.aliases.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn located(&self, project: &std::path::Path, control: SocketAddr) -> Located {
        Located {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            project: project.to_owned(),
            control: format!("http://{control}"),
            clouds: self
                .plugged
                .iter()
                .map(|plugged| (plugged.name.to_owned(), format!("http://{}", plugged.address)))
                .collect(),
            token: self.token.clone(),
        }
    }
}
